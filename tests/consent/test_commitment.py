"""The bytes of an event against the published vector, and what must not open."""

import json
from pathlib import Path

import pytest

from consent import commitment, ledger_entry, merkle
from consent.errors import EntryInvalid

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "semel-ledger-event.json").read_text())
KEY = bytes.fromhex(VECTOR["key"])
ORIGIN = VECTOR["origin"]
STREAM = ledger_entry.Stream("person:1", 0, KEY)


def vector_entry() -> ledger_entry.Entry:
    return ledger_entry.access_released(
        STREAM,
        entry_id="0197f3c2-7b1a-7c3e-9d55-2f6a8f1e0001",
        party="norr-childcare",
        purpose="norr.childcare-allowance@3",
        permission="0197f3c2-0000-7000-8000-000000000007",
        items={"address.registered": "provided", "contact.email": "refused"},
        seen={"address.registered": "provided", "contact.email": "not_provided"},
        sub="7Qk3",
    )


def test_the_vector_is_made_byte_for_byte():
    made = commitment.seal(vector_entry(), VECTOR["n"], ORIGIN, VECTOR["ts"])
    assert made.private.decode() == VECTOR["private"]
    assert made.body.decode() == VECTOR["body"]
    assert len(made.body) == 353
    assert made.tag.hex() == VECTOR["tag"]
    assert made.salt.hex() == VECTOR["salt"]
    assert made.leaf.hex() == "01" + VECTOR["tag"] + VECTOR["commitment"]
    assert merkle.leaf_hash(made.leaf).hex() == VECTOR["leaf_hash"]
    assert commitment.tag_of(KEY, ORIGIN, 0) == made.tag


def test_what_was_sealed_opens_and_commits():
    made = commitment.seal(vector_entry(), 5, ORIGIN, VECTOR["ts"])
    opened = commitment.open_(STREAM, 5, ORIGIN, made.leaf, made.nonce + made.ct)
    assert (opened.body, opened.private) == (made.body, made.private)
    commitment.commits(made.leaf, made.salt, made.body)


@pytest.mark.parametrize("part", ["leaf", "box", "n", "origin", "key"])
def test_nothing_else_opens(part):
    made = commitment.seal(vector_entry(), 5, ORIGIN, VECTOR["ts"])
    stream, n, origin, leaf, box = STREAM, 5, ORIGIN, made.leaf, made.nonce + made.ct
    if part == "leaf":
        leaf = leaf[:-1] + bytes([leaf[-1] ^ 1])
    elif part == "box":
        box = box[:20] + bytes([box[20] ^ 1]) + box[21:]
    elif part == "n":
        n = 6
    elif part == "origin":
        origin = "other.example/ledger"
    else:
        stream = ledger_entry.Stream("person:1", 0, bytes(32))
    with pytest.raises(EntryInvalid):
        commitment.open_(stream, n, origin, leaf, box)


def test_an_agency_cannot_be_shown_another_body():
    made = commitment.seal(vector_entry(), 0, ORIGIN, VECTOR["ts"])
    with pytest.raises(EntryInvalid):
        commitment.commits(made.leaf, made.salt, made.body.replace(b"not_provided", b"provided"))


def test_an_entry_too_long_is_refused():
    items = {f"address.number_{n}": "provided" for n in range(2000)}
    entry = ledger_entry.access_previewed(
        STREAM, entry_id="e", party="a", purpose="u@1", journey="j", items=items, sources=["population"]
    )
    with pytest.raises(EntryInvalid):
        commitment.seal(entry, 0, ORIGIN, VECTOR["ts"])
