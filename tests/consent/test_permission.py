"""Permissions as the ledger's events make them: the same by every day's writer and by a replay."""

import uuid
from dataclasses import replace

import pytest

from consent import history, ledger, ledger_entry, permission
from consent.errors import ImpossibleEvent
from consent.ledger_entry import Entry, Stream
from consent.permission import Event, Permission

STREAM = Stream("person:1", 0, bytes(range(32)))
SECOND, DAY = 1_000_000, 86_400_000_000
CLIENT, PURPOSE = "norr-childcare", "norr.childcare-allowance@3"
ITEMS = ("address.registered", "identity.given_name")
LOOKUP = permission.lookup(STREAM.key, CLIENT, "norr.childcare-allowance")
WHO = {"entry_id": "0197f3c2-7b1a-7c3e-9d55-2f6a8f1e0001", "party": CLIENT, "purpose": PURPOSE}


def given(now: int, name: str = "p-1", **more) -> Entry:
    known = {
        "kind": "ongoing",
        "mode": "consent",
        "granted": ITEMS,
        "decisions": {**dict.fromkeys(ITEMS, "given"), "contact.email": "refused"},
        "lookup": LOOKUP,
        "notice": b"n" * 32,
        "language": "en",
        "valid_to": now + DAY,
    }
    return ledger_entry.permission_given(STREAM, permission=name, **{**WHO, **known, **more})


def released(*items: str, name: str = "p-1", **more) -> Entry:
    found = dict.fromkeys(items or ITEMS, "provided")
    return ledger_entry.access_released(STREAM, permission=name, items=found, seen=found, **{**WHO, **more})


def withdrawn(name: str = "p-1", **more) -> Entry:
    return ledger_entry.permission_withdrawn(STREAM, permission=name, **{**WHO, **more})


@pytest.fixture
def world(database, now):
    """Append entries as the committer does: number them, apply them, one transaction."""
    with database.write() as tx:
        ledger.create(tx, ledger.LOG_ID, "id.norr.example/ledger", now)

    def submit(*entries: Entry, later: int = 0) -> None:
        with database.write() as tx:
            for appended in ledger.append(tx, entries, now + later):
                permission.apply(tx, appended)

    return submit


def read(database, name: str = "p-1") -> Permission:
    with database.read() as tx:
        found = permission.get(tx, name)
    assert found is not None
    return found


def test_given(database, now, world):
    world(given(now))
    assert read(database) == Permission(
        permission_id="p-1",
        lookup=LOOKUP,
        client=CLIENT,
        use_id="norr.childcare-allowance",
        use_version=3,
        mode="consent",
        items=ITEMS,
        notice_digest=b"n" * 32,
        valid_from=now,
        valid_to=now + DAY,
        kind="ongoing",
        max_uses=None,
        given_seq=1,
    )
    assert read(database).purpose == PURPOSE


def test_a_preview_changes_no_permission(database, now, world):
    shown = ledger_entry.access_previewed(STREAM, journey="j-1", items={"contact.email": "provided"}, **WHO)
    world(shown, given(now), shown)
    assert read(database).uses == 0


def test_releases_are_counted_and_repeats_are_not(database, now, world):
    world(given(now))
    world(released())
    world(released("identity.given_name"))
    world(released(repeat_of=2))
    assert (read(database).uses, read(database).state) == (2, "live")


def test_withdrawn(database, now, world):
    world(given(now))
    world(withdrawn(), later=SECOND)
    ended = read(database)
    assert (ended.state, ended.ended_seq, ended.ended_at) == ("withdrawn", 2, now + SECOND)


def test_a_new_decision_about_the_same_permission(database, now, world):
    """Grant Management §5.2: what is allowed is what was decided last; since when and how often go on."""
    world(given(now), released())
    narrower = {"granted": ITEMS[:1], "decisions": {ITEMS[0]: "given"}, "notice": b"m" * 32, "amends": True}
    world(given(now, valid_to=now + 2 * DAY, **narrower), later=SECOND)
    amended = read(database)
    assert (amended.items, amended.notice_digest, amended.given_seq) == (ITEMS[:1], b"m" * 32, 3)
    assert (amended.valid_from, amended.valid_to, amended.uses, amended.state) == (now, now + 2 * DAY, 1, "live")
    with pytest.raises(ImpossibleEvent):
        world(released(ITEMS[1]))
    world(released(ITEMS[0]))
    world(given(now, "p-2", supersedes="p-1"), later=SECOND)
    assert read(database).state == "superseded"


def test_one_for_once_that_becomes_the_ongoing_one(database, now, world):
    """The ongoing one before it ends; without saying so it cannot be."""
    world(given(now), given(now, "p-2", kind="once"))
    with pytest.raises(ImpossibleEvent):
        world(given(now, "p-2", amends=True))
    world(given(now, "p-2", amends=True, supersedes="p-1"))
    assert [(read(database, name).state, read(database, name).kind) for name in ("p-1", "p-2")] == [
        ("superseded", "ongoing"),
        ("live", "ongoing"),
    ]


def test_ended_by_the_agency(database, now, world):
    back = ledger_entry.permission_ended(STREAM, "ended_by_controller", permission="p-1", actor="controller", **WHO)
    world(given(now))
    world(back, later=SECOND)
    assert (read(database).state, read(database).ended_at) == ("ended_by_controller", now + SECOND)
    with pytest.raises(ImpossibleEvent):
        world(back)


def test_a_repeat_of_the_last_use_is_none_more(database, now, world):
    """The first release exhausts; only what repeats that very entry may follow, in time, and it changes nothing."""
    world(given(now, kind="once", max_uses=permission.ONCE), released())
    used = read(database)
    assert (used.state, used.uses, used.ended_seq) == ("exhausted", 1, 2)
    world(released(repeat_of=2), later=SECOND)
    assert read(database) == used
    for wrong in (released(), released(repeat_of=1), released(repeat_of=3)):
        with pytest.raises(ImpossibleEvent):
            world(wrong, later=2 * SECOND)
    with pytest.raises(ImpossibleEvent):
        world(released(repeat_of=2), later=DAY // SECOND * SECOND)
    assert read(database) == used


def test_a_repeat_does_not_outlive_a_stop(database, now, world):
    world(given(now, max_uses=5), released(), withdrawn())
    with pytest.raises(ImpossibleEvent):
        world(released(repeat_of=2))


def test_an_older_entry_without_a_count_replays_as_it_was(database, now, world):
    """Permissions given before the count was entered were used as often as their token lived; their ledger still holds."""
    world(given(now, kind="once"), released(), released())
    assert (read(database).state, read(database).uses) == ("live", 2)
    assert read(database).standing(now + DAY) == "exhausted"


def test_the_last_allowed_use_exhausts(database, now, world):
    issued = ledger_entry.credential_issued(
        STREAM, permission="p-1", items=dict.fromkeys(ITEMS, "provided"), configuration="residence", **WHO
    )
    world(given(now, kind="once", mode="explicit_request", max_uses=1), issued)
    assert (read(database).state, read(database).uses) == ("exhausted", 1)
    with pytest.raises(ImpossibleEvent):
        world(issued)


@pytest.mark.parametrize(
    "entries",
    [
        lambda now: [released()],
        lambda now: [withdrawn()],
        lambda now: [given(now), given(now)],
        lambda now: [given(now), withdrawn(), released()],
        lambda now: [given(now), withdrawn(), withdrawn()],
        lambda now: [given(now), released("contact.email")],
        lambda now: [given(now), released(*ITEMS, "contact.email")],
        lambda now: [given(now), released(party="norr-planning")],
        lambda now: [given(now), withdrawn(party="norr-planning")],
        lambda now: [given(now, valid_to=now), released()],
        lambda now: [given(now), given(now, "p-2")],
        lambda now: [given(now, amends=True)],
        lambda now: [given(now), withdrawn(), given(now, amends=True)],
        lambda now: [given(now, valid_to=now), given(now, amends=True)],
        lambda now: [given(now), given(now, amends=True, lookup=bytes(32))],
        lambda now: [given(now), given(now, amends=True, party="norr-planning")],
        lambda now: [given(now), given(now, "p-2", supersedes="p-3")],
        lambda now: [given(now), withdrawn(), given(now, "p-2", supersedes="p-1")],
        lambda now: [given(now, party="norr-planning"), given(now, "p-2", supersedes="p-1")],
    ],
)
def test_what_cannot_follow_is_refused_and_leaves_nothing(database, now, world, entries):
    with pytest.raises(ImpossibleEvent):
        world(*entries(now))
    with database.read() as tx:
        assert permission.get(tx, "p-1") is None
        assert ledger.head(tx).size == 1


def test_what_was_not_provided_may_be_named(database, now, world):
    world(
        given(now),
        ledger_entry.access_released(
            STREAM,
            permission="p-1",
            items={"contact.email": "refused", "identity.given_name": "provided"},
            seen={"contact.email": "not_provided", "identity.given_name": "provided"},
            **WHO,
        ),
    )
    assert read(database).uses == 1


def test_a_new_one_takes_the_place_of_the_earlier(database, now, world):
    world(given(now))
    world(given(now, "p-2", supersedes="p-1"), later=SECOND)
    assert (read(database).state, read(database).ended_seq) == ("superseded", 2)
    assert read(database, "p-2").state == "live"
    with database.read() as tx:
        found = permission.find_live(tx, LOOKUP, now)
    assert found is not None
    assert found.permission_id == "p-2"


def test_one_that_time_ended_needs_no_mention(database, now, world):
    world(given(now, valid_to=now + SECOND))
    world(given(now, "p-2"), later=2 * SECOND)
    assert read(database, "p-2").state == "live"


def test_once_may_be_given_again(database, now, world):
    world(given(now, kind="once"), given(now, "p-2", kind="once"))
    with database.read() as tx:
        assert set(permission.get_many(tx, ["p-1", "p-2", "p-3"])) == {"p-1", "p-2"}
        assert permission.find_live(tx, LOOKUP, now) is None


@pytest.mark.parametrize(
    ("lookup", "after", "found"),
    [
        (LOOKUP, 0, True),
        (LOOKUP, DAY - 1, True),
        (LOOKUP, DAY, False),
        (permission.lookup(STREAM.key, CLIENT, "norr.other"), 0, False),
        (permission.lookup(bytes(32), CLIENT, "norr.childcare-allowance"), 0, False),
    ],
)
def test_the_live_one_is_found_with_the_persons_key_only(database, now, world, lookup, after, found):
    world(given(now))
    with database.read() as tx:
        assert (permission.find_live(tx, lookup, now + after) is not None) is found


def test_the_lookup_does_not_run_together():
    assert permission.lookup(STREAM.key, "ab", "c") != permission.lookup(STREAM.key, "a", "bc")
    assert len(LOOKUP) == 32


def one(**changes) -> Permission:
    known = Permission("p", b"", CLIENT, "u", 3, "consent", ITEMS, b"", 100, 200, "ongoing", None, 1)
    return replace(known, **changes)


@pytest.mark.parametrize(
    ("found", "items", "now", "why"),
    [
        (one(), ITEMS, 100, None),
        (one(), (), 199, None),
        (one(valid_to=None), ITEMS, 10**18, None),
        (one(), ITEMS, 99, "not_yet"),
        (one(), ITEMS, 200, "expired"),
        (one(kind="once", uses=1), ITEMS, 200, "exhausted"),
        (one(kind="once"), ITEMS, 200, "expired"),
        (one(), ["contact.email"], 100, "items"),
        (one(state="withdrawn"), ITEMS, 300, "withdrawn"),
        (one(state="superseded"), ITEMS, 100, "superseded"),
        (one(state="exhausted"), ITEMS, 100, "exhausted"),
    ],
)
def test_releasable(found, items, now, why):
    assert permission.releasable(found, items, now) == why


def test_an_event_of_another_kind_is_refused():
    with pytest.raises(ImpossibleEvent):
        permission.step(one(), Event(2, 150, "permission.renewed", "p", CLIENT, {}, {}))


def test_a_replay_of_the_history_gives_the_same_rows(database, now, world):
    world(given(now))
    world(released(), later=SECOND)
    world(given(now, "p-2", supersedes="p-1", granted=ITEMS[:1]), later=2 * SECOND + 123_456)
    world(released(ITEMS[0], name="p-2"), later=3 * SECOND)
    world(withdrawn("p-2"), later=4 * SECOND + 999)
    with database.read() as tx:
        events = history.read(tx, STREAM)
        stored = permission.get_many(tx, ["p-1", "p-2"])
    replayed: dict[str, Permission] = {}
    for entry in reversed(events):
        assert entry.permission is not None
        event = Event(
            entry.seq,
            ledger_entry.microseconds(entry.body["ts"]),
            entry.type,
            entry.permission,
            entry.party or "",
            entry.body,
            entry.private,
        )
        if event.supersedes:
            replayed[event.supersedes] = permission.supersede(replayed[event.supersedes], event)
        replayed[event.permission] = permission.step(replayed.get(event.permission), event)
    assert replayed == stored


def test_ids_are_what_they_are_given(database, now, world):
    name = str(uuid.uuid4())
    world(given(now, name))
    assert read(database, name).permission_id == name
