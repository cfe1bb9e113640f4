"""Every event type's bytes as they were first written: shapes only grow, and an old entry always opens."""

import json
from pathlib import Path

import pytest

from consent import commitment, ledger_entry
from consent.errors import EntryInvalid
from consent.ledger_entry import Stream, SystemRecord
from keys import canonical

GOLDEN = Path(__file__).parents[1] / "golden" / "ledger-events.json"
ORIGIN = "id.example.gov/ledger"
STREAM = Stream("person:1", 0, bytes(range(32)))
TS = 1_795_294_800_123_456
COMMON = {
    "entry_id": "0197f3c2-7b1a-7c3e-9d55-2f6a8f1e0001",
    "party": "norr-childcare",
    "purpose": "norr.childcare-allowance@3",
}
HELD = COMMON | {"permission": "0197f3c2-0000-7000-8000-000000000007", "sub": "7Qk3"}
ITEMS = {"address.registered": "provided", "contact.email": "refused"}
SEEN = {"address.registered": "provided", "contact.email": "not_provided"}


def entries():
    yield ledger_entry.permission_given(
        STREAM,
        **HELD,
        kind="ongoing",
        mode="consent",
        granted=["address.registered"],
        decisions={"address.registered": "given", "contact.email": "refused"},
        lookup=bytes(32),
        notice=b"\x01" * 32,
        language="ar",
        valid_to=TS + 86_400_000_000,
        max_uses=12,
        journey="j1",
        acr="urn:example:substantial",
        supersedes="0197f3c2-0000-7000-8000-000000000006",
    )
    yield ledger_entry.permission_withdrawn(STREAM, **HELD, ask_erasure=True)
    for how in ("expired", "superseded", "exhausted"):
        yield ledger_entry.permission_ended(STREAM, how, **HELD, reason="time")
    yield ledger_entry.access_previewed(STREAM, **COMMON, journey="j1", items=ITEMS, sources=["tax", "population"])
    yield ledger_entry.access_released(STREAM, **HELD, items=ITEMS, seen=SEEN, sources=["population"], repeat_of=41)
    yield ledger_entry.credential_issued(STREAM, **HELD, items=ITEMS, sources=["population"], configuration="residence")
    yield ledger_entry.permission_given(
        STREAM,
        **HELD,
        kind="ongoing",
        mode="consent",
        granted=["address.registered"],
        decisions={"address.registered": "given"},
        lookup=bytes(32),
        notice=b"\x01" * 32,
        language="en",
        valid_to=TS + 86_400_000_000,
        amends=True,
        journey="j2",
    )
    yield ledger_entry.permission_ended(STREAM, "ended_by_controller", **HELD, actor="controller")
    yield ledger_entry.access_released(STREAM, **HELD, items=ITEMS, seen=SEEN, processor="norr-processing")


def made():
    for n, entry in enumerate(entries()):
        sealed = commitment.seal(entry, n, ORIGIN, TS)
        yield {
            "body": sealed.body.decode(),
            "private": sealed.private.decode(),
            "leaf": sealed.leaf.hex(),
            "nonce_ct": (sealed.nonce + sealed.ct).hex(),
        }


def test_every_type_has_its_golden_bytes():
    golden = json.loads(GOLDEN.read_text())
    stable = ("body", "private", "leaf")
    assert [{name: one[name] for name in stable} for one in made()] == [
        {name: one[name] for name in stable} for one in golden
    ]
    assert {json.loads(one["body"])["type"] for one in golden} == ledger_entry.EVENTS.keys()


def test_what_was_written_then_opens_now():
    for n, one in enumerate(json.loads(GOLDEN.read_text())):
        opened = commitment.open_(STREAM, n, ORIGIN, bytes.fromhex(one["leaf"]), bytes.fromhex(one["nonce_ct"]))
        assert (opened.body.decode(), opened.private.decode()) == (one["body"], one["private"])
        assert json.loads(one["body"])["v"] == 1


def test_the_agency_never_reads_what_was_refused_or_who_asked():
    for one in json.loads(GOLDEN.read_text()):
        if json.loads(one["body"])["type"] != "credential.issued":  # the wallet is the person's own
            assert "refused" not in one["body"]
        assert not {"actor", "sub", "n", "journey", "lookup", "notice", "language"} & json.loads(one["body"]).keys()


@pytest.mark.parametrize(
    "leaf",
    [
        b"\x02",
        b"\x02{}",
        b"\x02[]",
        b"\x02 {}",
        b'\x01{"ts":"","type":"","v":1}',
        b'\x02{"ts":"","v":1}',
        b"",
        b"\x02\xff",
    ],
)
def test_only_a_system_record_reads_as_one(leaf):
    with pytest.raises(EntryInvalid):
        ledger_entry.read_system_leaf(leaf)


def test_a_system_record_reads_back():
    leaf = ledger_entry.system_leaf(SystemRecord("genesis", {"origin": ORIGIN}), TS)
    assert ledger_entry.read_system_leaf(leaf) == {
        "origin": ORIGIN,
        "ts": "2026-11-21T21:00:00.123Z",
        "type": "genesis",
        "v": 1,
    }
    assert leaf[1:] == canonical.dumps(ledger_entry.read_system_leaf(leaf))


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21T21:00:00Z", "2026-11-21T21:00:00.123+00:00", "", "x"])
def test_other_texts_are_no_instants(text):
    with pytest.raises(EntryInvalid):
        ledger_entry.microseconds(text)


def test_a_stream_does_not_print_its_key():
    assert "key" not in repr(STREAM)
