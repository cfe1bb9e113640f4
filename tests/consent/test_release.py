"""The gate under attack: nothing comes out without a committed entry that covers exactly it."""

import copy
import gc
import json
import operator
import pickle
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import history, ledger, ledger_entry, release
from consent.errors import NotCovered, SealedMisused
from consent.ledger_entry import Entry, Stream
from consent.release import ReleaseReceipt, Sealed
from keys import canonical
from keys.errors import SealBroken

STREAM = Stream("person:1", 0, bytes(range(32)))
SECRET = "Storgatan 12, 01100 Norr"
ITEM = "address.registered"
WHO = {"entry_id": "0197f3c2-7b1a-7c3e-9d55-2f6a8f1e0001", "party": "norr-childcare", "purpose": "norr.x@1"}
STATUSES = {ITEM: "provided", "identity.given_name": "provided", "contact.email": "refused"}
RIGHT = {"item": ITEM, "client": "norr-childcare", "permission": "p-1"}


@dataclass(frozen=True, eq=False)
class Answer:
    attribute: str
    status: str
    value: Sealed[Any] | None
    source: str = "population"
    as_of: str | None = "2026-11-20"
    retrieved_at: int = 1_795_302_000_000_000


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commit(database, now):
    """Append one entry and commit it."""
    with database.write() as tx:
        ledger.create(tx, ledger.LOG_ID, "id.norr.example/ledger", now)

    def commit(entry: Entry) -> ledger.Appended:
        with database.write() as tx:
            return ledger.append(tx, [entry], now)[0]

    return commit


def released(**more) -> Entry:
    return ledger_entry.access_released(
        STREAM, permission="p-1", items=STATUSES, seen=dict.fromkeys(STATUSES, "provided"), **{**WHO, **more}
    )


def issued() -> Entry:
    return ledger_entry.credential_issued(STREAM, permission="p-1", items=STATUSES, configuration="residence", **WHO)


def previewed() -> Entry:
    return ledger_entry.access_previewed(STREAM, journey="j-1", items=STATUSES, **WHO)


@pytest.mark.parametrize("entry", [released, issued])
def test_a_committed_release_opens(commit, clock, entry):
    receipt = ReleaseReceipt.of(commit(entry()), clock)
    assert release.open_(release.seal(SECRET), receipt, **RIGHT, clock=clock) == SECRET
    assert release.open_(release.seal(SECRET, ITEM), receipt, **RIGHT, clock=clock) == SECRET


def test_a_committed_preview_opens_for_its_journey_however_long(commit, clock):
    receipt = ReleaseReceipt.of(commit(previewed()), clock)
    clock.at += 800
    opened = release.open_(
        release.seal(SECRET), receipt, item=ITEM, client="norr-childcare", journey="j-1", clock=clock
    )
    assert opened == SECRET


def test_another_worker_makes_the_previews_receipt_again(commit, database):
    commit(previewed())
    with database.read() as tx:
        event = history.read(tx, STREAM)[0]
    receipt = ReleaseReceipt.of_preview(event)
    assert release.open_(release.seal(SECRET), receipt, item=ITEM, client="norr-childcare", journey="j-1") == SECRET


def test_a_release_is_not_made_again_from_history(commit, database):
    commit(released())
    with database.read() as tx:
        event = history.read(tx, STREAM)[0]
    with pytest.raises(NotCovered, match="kind"):
        ReleaseReceipt.of_preview(event)


@pytest.mark.parametrize(
    ("entry", "expected", "reason"),
    [
        (released, {"item": "contact.email"}, "item"),
        (released, {"item": "contact.iban"}, "item"),
        (released, {"client": "norr-planning"}, "client"),
        (released, {"permission": "p-2"}, "permission"),
        (released, {"permission": None}, "permission"),
        (released, {"permission": None, "journey": "j-1"}, "permission"),
        (issued, {"permission": "p-2"}, "permission"),
        (previewed, {"journey": "j-2", "permission": None}, "journey"),
        (previewed, {"journey": None, "permission": None}, "journey"),
        (previewed, {"permission": "p-1"}, "journey"),
    ],
)
def test_a_receipt_opens_only_what_it_names(commit, clock, entry, expected, reason):
    receipt = ReleaseReceipt.of(commit(entry()), clock)
    with pytest.raises(NotCovered) as refused:
        release.open_(release.seal(SECRET), receipt, **{**RIGHT, **expected}, clock=clock)
    assert refused.value.reason == reason
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("after", "opens"), [(0, True), (5.0, True), (5.01, False), (600, False), (-1, False)])
def test_a_release_is_good_for_five_seconds(commit, clock, after, opens):
    receipt = ReleaseReceipt.of(commit(released()), clock)
    clock.at += after
    if opens:
        assert release.open_(release.seal(SECRET), receipt, **RIGHT, clock=clock) == SECRET
    else:
        with pytest.raises(NotCovered, match="late"):
            release.open_(release.seal(SECRET), receipt, **RIGHT, clock=clock)


def test_a_value_sealed_as_one_item_does_not_open_as_another(commit, clock):
    receipt = ReleaseReceipt.of(commit(released()), clock)
    with pytest.raises(NotCovered, match="value"):
        release.open_(release.seal(SECRET, "family.custody"), receipt, **RIGHT, clock=clock)


def test_no_value_is_not_a_value(commit, clock):
    with pytest.raises(NotCovered, match="value"):
        release.open_(None, ReleaseReceipt.of(commit(released()), clock), **RIGHT, clock=clock)


def forged(receipt: ReleaseReceipt) -> list[ReleaseReceipt]:
    by_hand = ReleaseReceipt("access.released", "e", 1, "norr-childcare", "p-1", None, frozenset({ITEM}), receipt.made)
    return [by_hand, replace(receipt, items=frozenset({ITEM})), copy.copy(receipt), copy.deepcopy(receipt)]


@pytest.mark.parametrize("which", range(4))
def test_a_receipt_made_by_hand_or_copied_opens_nothing(commit, clock, which):
    receipt = forged(ReleaseReceipt.of(commit(released()), clock))[which]
    with pytest.raises(NotCovered, match="receipt"):
        release.open_(release.seal(SECRET), receipt, **RIGHT, clock=clock)


def test_a_receipt_does_not_change(commit):
    receipt = ReleaseReceipt.of(commit(released()))
    with pytest.raises(FrozenInstanceError):
        receipt.permission = "p-2"  # type: ignore[misc]  # the attack itself


def test_other_entries_let_nothing_out(commit):
    given_ = ledger_entry.permission_given(
        STREAM,
        permission="p-1",
        kind="once",
        mode="consent",
        granted=[ITEM],
        decisions={ITEM: "given"},
        lookup=b"l",
        notice=b"n",
        language="en",
        **WHO,
    )
    for entry in (given_, ledger_entry.permission_withdrawn(STREAM, permission="p-1", **WHO)):
        with pytest.raises(NotCovered, match="kind"):
            ReleaseReceipt.of(commit(entry))


def test_items_must_be_those_the_entry_was_counted_with(commit):
    wider = canonical.dumps({"items": {**STATUSES, "contact.email": "provided"}})
    with pytest.raises(NotCovered, match="items_digest"):
        ReleaseReceipt.of(replace(commit(released()), private=wider))


ATTACKS = {
    "str": str,
    "format": lambda s: f"{s}",
    "format!s": lambda s: f"{s!s}",
    "percent": lambda s: operator.mod("%s", s),
    "bytes": bytes,
    "int": int,
    "float": float,
    "bool": bool,
    "len": len,
    "iter": list,
    "next": next,
    "in": lambda s: SECRET in s,
    "index": lambda s: s[0],
    "call": lambda s: s(),
    "hash": hash,
    "equal": lambda s: s == SECRET,
    "equal the other way": lambda s: operator.eq(SECRET, s),
    "unequal": lambda s: s != SECRET,
    "among": lambda s: [s].index(SECRET),
    "less": lambda s: s < SECRET,
    "sorted": lambda s: sorted([s, s]),
    "add": lambda s: s + "",
    "radd": lambda s: "" + s,
    "join": lambda s: "".join([s]),
    "json": lambda s: json.dumps({"value": s}),
    "json default": lambda s: json.dumps({"value": s}, default=str),
    "canonical": lambda s: canonical.dumps({"value": s}),
    **{f"pickle {p}": lambda s, p=p: pickle.dumps(s, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "getstate": lambda s: s.__getstate__(),
    "vars": vars,
    "mangled": lambda s: s._Sealed__value,
    "mangled by name": lambda s: getattr(s, "_Sealed__value"),  # noqa: B009 - the attack itself
    "past the class": lambda s: object.__getattribute__(s, "_Sealed__value"),
    "set": lambda s: object.__setattr__(s, "_Sealed__value", "mine"),
    "subclass": lambda s: type("Open", (Sealed,), {}),
    "construct": lambda s: Sealed(),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_sealed_value_gives_nothing_away(attack):
    with pytest.raises((SealedMisused, TypeError, AttributeError, canonical.Malformed)) as refused:
        ATTACKS[attack](release.seal(SECRET))
    assert SECRET not in str(refused.value)


def test_what_a_traceback_or_a_log_would_print():
    sealed = release.seal(SECRET)
    assert repr(sealed) == repr([sealed])[1:-1] == "<sealed>"
    assert SECRET not in repr(Answer(ITEM, "provided", sealed))
    assert SECRET not in str(dir(sealed))


def test_nothing_lies_in_the_class():
    sealed = release.seal(SECRET)
    assert [name for name in dir(sealed) if name.startswith("_Sealed")] == []
    assert [held for held in gc.get_objects() if isinstance(held, dict) and held.get("_Sealed__value")] == []


VALUES = st.text(min_size=1) | st.dictionaries(st.text(), st.text(), min_size=1) | st.lists(st.text()) | st.booleans()
KEY, OTHER = b"k" * 32, b"o" * 32


@given(values=st.dictionaries(st.sampled_from(["a.b", "c.d", "e.f"]), st.none() | VALUES))
def test_packed_and_unpacked_are_the_same_and_still_sealed(values):
    found = {
        item: Answer(item, "not_held" if value is None else "provided", None if value is None else release.seal(value))
        for item, value in values.items()
    }
    box = release.pack(found, KEY)
    again = release.unpack(box, KEY, Answer)
    assert again.keys() == found.keys()
    for item, one in again.items():
        assert (one.status, one.source, one.as_of) == (found[item].status, "population", "2026-11-20")
        assert (one.value is None) is (values[item] is None)
        if one.value is not None:
            assert release.value_mac(one.value, KEY) == release.value_mac(found[item].value, KEY)


def test_packed_shows_nothing_and_opens_with_its_key_only():
    box = release.pack({ITEM: Answer(ITEM, "provided", release.seal(SECRET))}, KEY)
    assert SECRET.encode() not in box
    assert ITEM.encode() not in box
    with pytest.raises(SealBroken):
        release.unpack(box, OTHER, Answer)
    with pytest.raises(SealBroken):
        release.unpack(box[:-1] + bytes([box[-1] ^ 1]), KEY, Answer)


def test_what_comes_out_of_storage_opens_as_its_own_item_only(commit, clock):
    box = release.pack({"identity.given_name": Answer("identity.given_name", "provided", release.seal("Maria"))}, KEY)
    sealed = release.unpack(box, KEY, Answer)["identity.given_name"].value
    receipt = ReleaseReceipt.of(commit(released()), clock)
    with pytest.raises(NotCovered, match="value"):
        release.open_(sealed, receipt, **RIGHT, clock=clock)
    assert release.open_(sealed, receipt, **{**RIGHT, "item": "identity.given_name"}, clock=clock) == "Maria"


def test_the_mac_tells_values_and_keys_apart():
    sealed = release.seal(SECRET)
    assert release.value_mac(sealed, KEY) == release.value_mac(release.seal(SECRET), KEY)
    assert release.value_mac(sealed, KEY) != release.value_mac(release.seal(SECRET + " "), KEY)
    assert release.value_mac(sealed, KEY) != release.value_mac(sealed, OTHER)
