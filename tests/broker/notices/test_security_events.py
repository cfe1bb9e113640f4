"""Events: raised with their cause, told to the one agency, joining nothing (RFC 8417; protocol §2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from broker import cleanup, tables
from broker.database import Database
from broker.notices import event_types, security_events
from broker.tables import grant_subject, security_event
from keys.keyring import RootKeyring
from tests.actors import Citizen
from tests.broker import signals
from tests.broker.signals import REMOVE, STATUS, STREAMS, Receiver
from tests.broker.whole import ISSUER, Whole

ENDED = signals.grant_ended(ISSUER)
DAY = 86_400


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process; its agencies may hear of security events."""
    with signals.running(database, database_url, tmp_path, now) as running:
        yield running


@pytest.fixture
def agency(whole: Whole) -> Receiver:
    made = signals.receiver(whole)
    made.create(events_requested=[ENDED])
    return made


def shares(person: Citizen, receiver: Receiver, **asked: str) -> dict[str, Any]:
    """A person shares with an agency; the token response."""
    program = receiver.agency
    return program.token(person.shares(person.comes_from(program.asks(**asked))))


def sweep(whole: Whole) -> None:
    """What the cleaning task does every minute."""
    with whole.parts.database.write() as tx:
        cleanup.sweep(tx, whole.clock())
        whole.parts.signals.expire(tx, whole.clock())


def rows(whole: Whole, table: Any) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_withdrawal_is_told(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    token = shares(maria, agency)
    assert agency.hears() == []
    whole.clock.later(90)
    maria.stops(token["grant_id"])
    at = int(whole.clock.seconds())
    whole.clock.later(5)
    (event,) = agency.hears()
    assert event["sub_id"] == {"format": "iss_sub", "iss": ISSUER, "sub": token["subject"]}
    assert event["events"] == {
        ENDED: {"grant_id": token["grant_id"], "reason": "withdrawn", "event_timestamp": at},
    }
    assert event["iat"] == int(whole.clock.seconds())
    assert agency.hears() == []


def test_erasure_is_asked_for(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    token = shares(maria, agency)
    maria.stops(token["grant_id"], ask_erasure="yes")
    assert agency.hears()[0]["events"][ENDED]["erasure_requested"] is True


def test_stopped_twice_is_told_once(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    token = shares(maria, agency)
    page = maria.open(f"/account/sharing/{token['grant_id']}/stop")
    for _ in range(2):
        maria.press(page, "stop", "stop-sharing")
    assert len(agency.hears()) == 1


def test_a_permission_that_takes_the_place_of_another(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    first = shares(maria, agency)
    second = shares(maria, agency, prompt="consent")
    assert first["grant_id"] != second["grant_id"]
    (event,) = agency.hears()
    assert event["events"][ENDED]["grant_id"] == first["grant_id"]
    assert event["events"][ENDED]["reason"] == "superseded"
    assert event["sub_id"]["sub"] == second["subject"]


def test_what_ends_by_itself(whole: Whole, agency: Receiver) -> None:
    """Once, when its time is over; not before, and not when it was ended earlier."""
    maria, nora = whole.present(), whole.present("nora")
    token, other = shares(maria, agency), shares(nora, agency)
    ends = until(whole, token["grant_id"])
    nora.stops(other["grant_id"])
    agency.hears()
    whole.clock.now = ends - 1
    sweep(whole)
    renewed = signals.receiver(whole)
    renewed.stream = agency.stream
    assert renewed.hears() == []
    whole.clock.now = ends + 2_000_000
    for _ in range(2):
        sweep(whole)
    renewed.token = renewed.agency.own_token()
    (event,) = renewed.hears()
    assert event["events"][ENDED] == {
        "grant_id": token["grant_id"],
        "reason": "expired",
        "event_timestamp": ends // 1_000_000,
    }
    assert event["sub_id"]["sub"] == token["subject"]
    assert rows(whole, grant_subject) == 0


def until(whole: Whole, permission_id: str) -> int:
    from consent import permission

    with whole.parts.database.read() as tx:
        given = permission.get(tx, permission_id)
    assert given is not None
    assert given.valid_to is not None
    return given.valid_to


def test_a_permission_for_once_ends_without_a_word(whole: Whole) -> None:
    """The agency used it up itself, or did not: it knows."""
    office, maria = signals.receiver(whole, "norr-planning"), whole.present()
    office.create()
    token = shares(maria, office)
    assert rows(whole, grant_subject) == 1
    whole.clock.now = until(whole, token["grant_id"]) + 2_000_000
    sweep(whole)
    assert (rows(whole, grant_subject), rows(whole, security_event)) == (0, 0)


def test_what_is_not_wanted_is_not_kept(whole: Whole) -> None:
    """No stream, another event asked for, disabled, left out: no row, and the withdrawal is what it was."""
    agency = signals.receiver(whole)

    def ended(username: str) -> str:
        person = whole.present(username)
        token = shares(person, agency)
        assert rows(whole, security_event) == 0
        return str(token["subject"])

    ended("a")
    agency.create(events_requested=["urn:x"])
    ended("b")
    agency.call("PATCH", STREAMS, agency.named(events_requested=[ENDED]))
    agency.call("POST", STATUS, agency.named(status="disabled"))
    ended("c")
    agency.call("POST", STATUS, agency.named(status="enabled"))
    person = whole.present("d")
    token = shares(person, agency)
    agency.call("POST", REMOVE, agency.subject(token["subject"]))
    person.stops(token["grant_id"])
    assert rows(whole, security_event) == 0
    again = shares(person, agency)
    agency.call("POST", "/ssf/subjects/add", agency.subject(again["subject"]))
    person.stops(again["grant_id"])
    assert len(agency.hears()) == 1


def test_a_change_that_fails_raises_nothing(whole: Whole, agency: Receiver) -> None:
    """The event is a row of the transaction of its cause: no withdrawal, no event."""
    import asyncio

    from broker.errors import Wire
    from consent import ledger_entry

    maria = whole.present()
    token = shares(maria, agency)
    with whole.parts.database.read() as tx:
        from broker.people import people

        line = people.ledger_stream(tx, whole.parts.vault, whole.person_ids["maria"])
    entry = ledger_entry.permission_withdrawn(
        line, entry_id="e" * 36, party="norr-childcare", purpose="x@1", permission=token["grant_id"]
    )

    def change(_tx: Any, _now: int) -> Any:
        return None, [entry, entry]  # the second is impossible

    async def submit() -> None:
        await whole.parts.committer.submit(change)

    portal = whole._leads[0].portal
    assert portal is not None
    with pytest.raises(Exception) as raised:
        portal.call(submit)
    assert not isinstance(raised.value, Wire | asyncio.CancelledError)
    assert agency.hears() == []
    maria.stops(token["grant_id"])
    assert len(agency.hears()) == 1


def test_a_signal_never_stops_what_it_tells_of(whole: Whole, agency: Receiver) -> None:
    """A root that is gone, a permission from before there were signals: the person's press counts."""
    maria, nora = whole.present(), whole.present("nora")
    first, second = shares(maria, agency), shares(nora, agency)
    with whole.parts.database.write() as tx:
        lost = RootKeyring.generate().ring("signals").seal(b"x", b"y")
        chosen = grant_subject.c.permission_id == first["grant_id"]
        tx.execute(update(grant_subject).where(chosen).values(box=lost))
        from sqlalchemy import delete

        tx.execute(delete(grant_subject).where(grant_subject.c.permission_id == second["grant_id"]))
    maria.stops(first["grant_id"])
    nora.stops(second["grant_id"])
    assert whole.types("maria")[-1] == whole.types("nora")[-1] == "permission.withdrawn"
    assert agency.hears() == []


def test_two_agencies_hear_nothing_equal(whole: Whole, agency: Receiver) -> None:
    """protocol §2: one person, two agencies; beside what is the same for everybody, every value differs."""
    office, maria = signals.receiver(whole, "norr-planning"), whole.present()
    office.create()
    heard = []
    for one in (agency, office):
        token = shares(maria, one)
        whole.clock.later(7)
        maria.stops(token["grant_id"])
        whole.clock.later(3)
        heard.append([*one.hears(), one.stream])
    constants = {ISSUER, "iss_sub", ENDED, signals.SESSION_REVOKED, "withdrawn", signals.POLL, "10"}
    values = [set(signals.leaves(told)) - constants for told in heard]
    assert len(values[0]) > 5
    assert not values[0] & values[1]


def test_no_row_leads_from_a_person_to_an_agency(whole: Whole, agency: Receiver) -> None:
    """Nothing in the rows of signals stands in the person's, nor what the agency calls them."""
    maria = whole.present()
    token = shares(maria, agency)
    maria.stops(token["grant_id"])
    token = shares(maria, agency)
    personal = {tables.person, tables.session}
    with whole.parts.database.read() as tx:
        found = {
            table.name: {value for row in tx.execute(select(table)) for value in row if marks(value)}
            for table in tables.metadata.sorted_tables
        }
    own = set().union(*(found[table.name] for table in personal))
    theirs = set().union(*(found[name] for name in ("security_event", "grant_subject", "event_stream")))
    assert len(own) > 3
    assert len(theirs) > 3
    assert not own & theirs
    at_rest = repr(found).encode()
    assert token["subject"].encode() not in at_rest
    assert maria.person["username"] not in repr(found["security_event"])


def marks(value: Any) -> bool:
    """What is equal in two rows only because one was made from the other."""
    if isinstance(value, int):
        return value > 10**12 and bool(value % 1_000_000)
    return isinstance(value, str | bytes) and len(value) >= 12


def test_forgotten_in_time(whole: Whole, agency: Receiver) -> None:
    """Thirty days, ten thousand events, and nothing of a stream that is gone."""
    now = whole.clock()
    old, new = now - security_events.KEPT, now - security_events.KEPT + 1_000_000
    with whole.parts.database.write() as tx:
        rest = {"box": b"x"}
        tx.execute(insert(security_event), [{"jti": "old", "stream_id": agency.stream_id, "raised": old, **rest}])
        tx.execute(insert(security_event), [{"jti": "lost", "stream_id": "gone", "raised": now, **rest}])
        many = [
            {"jti": f"{n:06}", "stream_id": agency.stream_id, "raised": new + n * 1_000_000, **rest}
            for n in range(security_events.MOST + 3)
        ]
        tx.execute(insert(security_event), many)
    for _ in range(2):
        sweep(whole)
    with whole.parts.database.read() as tx:
        kept = sorted(tx.execute(select(security_event.c.jti)).scalars())
    assert (len(kept), kept[0]) == (security_events.MOST, "000003")


def test_a_restart_loses_nothing(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    token = shares(maria, agency)
    whole.restart()
    maria.stops(token["grant_id"])
    whole.restart()
    jtis = list(agency.polls()["sets"])
    whole.restart()
    assert list(agency.polls()["sets"]) == jtis != []


def test_the_schema_fits_the_event(whole: Whole) -> None:
    """The published schema names what the event says, and nothing it does not."""
    told = event_types.grant_ended(ISSUER, "s", "g", "withdrawn", 1_000_000, erase=True)["events"][ENDED]
    schema = event_types.schema(ISSUER)
    assert told.keys() == schema["properties"].keys()
    assert set(schema["required"]) == told.keys() - {"erasure_requested"}
