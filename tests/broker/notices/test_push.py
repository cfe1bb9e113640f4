"""Pushed events: over real HTTP to a receiver, through the outbox, and nowhere they must not go (RFC 8935; SSF 1.0 §6.1.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import insert, select

from broker import tables
from broker.database import Database
from tests import machine_clock
from tests.actors import Citizen
from tests.broker import signals
from tests.broker.notices.receiver import Receiver as Ear
from tests.broker.notices.receiver import listening
from tests.broker.signals import POLL, PUSH, STATUS, STREAMS, VERIFICATION, VERIFY, Receiver
from tests.broker.whole import ISSUER, Whole

ENDED = signals.grant_ended(ISSUER)
HEADER = "Bearer tell-tale-secret"


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process; it may call this machine."""
    with signals.running(database, database_url, tmp_path, now, client_egress_allow=("127.0.0.1",)) as running:
        yield running


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Where an agency listens."""
    with listening() as made:
        yield made


@pytest.fixture
def agency(whole: Whole, ear: Ear) -> Receiver:
    made = signals.receiver(whole)
    made.create(delivery=to(ear))
    return made


def to(ear: Ear, **more: str) -> dict[str, str]:
    return {"method": PUSH, "endpoint_url": f"{ear.url}/events", "authorization_header": HEADER, **more}


def events(agency: Receiver, ear: Ear) -> list[dict[str, Any]]:
    """What arrived, each verified by PyJWT."""
    found = []
    for one in ear.got:
        jti = jwt.decode(one.body, options={"verify_signature": False})["jti"]
        found.append(agency.reads(one.body, jti))
    return found


def shares(person: Citizen, receiver: Receiver) -> dict[str, Any]:
    program = receiver.agency
    return program.token(person.shares(person.comes_from(program.asks())))


def outbox(whole: Whole) -> list[str]:
    """The states of the letters there are."""
    with whole.parts.database.read() as tx:
        return list(tx.execute(select(tables.outbox.c.state)).scalars())


def settled(whole: Whole, *states: str) -> None:
    machine_clock.wait_for(lambda: outbox(whole) == list(states), lambda: outbox(whole))


def failed(whole: Whole, ear: Ear, times: int) -> None:
    """Wait until the one letter was sent so often and that is written down: only then does the clock move."""
    ear.wait(times)
    row = tables.outbox.c
    free = row.due < whole.clock() + 30_000_000  # not claimed any more
    chosen = select(row.id).where(row.error.is_not(None), row.attempts == times, free)

    def written() -> bool:
        with whole.parts.database.read() as tx:
            return tx.execute(chosen).first() is not None

    machine_clock.wait_for(written)


def test_the_stream(agency: Receiver, ear: Ear) -> None:
    """The header is the receiver's secret: it is not told again."""
    delivery = {"method": PUSH, "endpoint_url": f"{ear.url}/events"}
    assert agency.stream["delivery"] == delivery
    for answer in (agency.call("GET", STREAMS), agency.call("PATCH", STREAMS, agency.named(description="x"))):
        assert "tell-tale" not in answer.text


def test_a_withdrawal_arrives(whole: Whole, agency: Receiver, ear: Ear) -> None:
    maria = whole.present()
    token = shares(maria, agency)
    maria.stops(token["grant_id"])
    ear.wait(1)
    (event,) = events(agency, ear)
    assert event["events"][ENDED]["grant_id"] == token["grant_id"]
    assert event["sub_id"]["sub"] == token["subject"]
    (letter,) = ear.got
    assert letter.path == "/events"
    assert letter.headers["content-type"] == "application/secevent+jwt"
    assert letter.headers["accept"] == "application/json"
    assert letter.headers["authorization"] == HEADER
    settled(whole)


def test_verification_arrives(whole: Whole, agency: Receiver, ear: Ear) -> None:
    assert agency.call("POST", VERIFY, agency.named(state="st")).status_code == 204
    ear.wait(1)
    assert events(agency, ear)[0]["events"] == {VERIFICATION: {"state": "st"}}


def test_a_receiver_that_is_down(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """It comes again, under the same id, until it is received."""
    ear.answer = lambda count: (503, {}, b"") if count < 3 else (202, {}, b"")
    agency.call("POST", VERIFY, agency.named(state="st"))
    for count in (1, 2):
        failed(whole, ear, count)
        whole.clock.later(20)
    ear.wait(3)
    told = events(agency, ear)
    assert len({one["jti"] for one in told}) == 1
    settled(whole)


def test_a_receiver_that_refuses(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """RFC 8935 §2.3: what was wrong once is wrong again; the operator sees it."""
    ear.answer = lambda _count: (400, {}, b'{"err":"invalid_key","description":"x"}')
    agency.call("POST", VERIFY, agency.named())
    ear.wait(1)
    settled(whole, "dead")
    assert len(ear.got) == 1


def test_a_restart_between_cause_and_delivery(whole: Whole, agency: Receiver, ear: Ear) -> None:
    ear.answer = lambda count: (503, {}, b"") if count < 2 else (202, {}, b"")
    maria = whole.present()
    maria.stops(shares(maria, agency)["grant_id"])
    failed(whole, ear, 1)
    whole.restart()
    whole.clock.later(20)
    ear.wait(2)
    assert ENDED in events(agency, ear)[-1]["events"]


def test_paused_holds_what_was_on_its_way(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """SSF 1.0 §8.1.2.1: nothing is sent while it is paused, all of it afterwards, under the same id."""
    ear.answer = lambda count: (503, {}, b"") if count < 2 else (202, {}, b"")
    agency.call("POST", VERIFY, agency.named(state="a"))
    failed(whole, ear, 1)
    agency.call("POST", STATUS, agency.named(status="paused"))
    assert outbox(whole) == []
    whole.clock.later(60)
    agency.call("POST", VERIFY, agency.named(state="b"))
    time.sleep(1.2)
    assert len(ear.got) == 1
    agency.call("POST", STATUS, agency.named(status="enabled"))
    ear.wait(3)
    told = events(agency, ear)
    assert sorted(one["events"][VERIFICATION]["state"] for one in told) == ["a", "a", "b"]
    assert len({one["jti"] for one in told}) == 2
    settled(whole)


@pytest.mark.parametrize("end", ["disabled", "deleted"])
def test_the_end_of_a_stream_ends_what_waits(whole: Whole, agency: Receiver, ear: Ear, end: str) -> None:
    ear.answer = lambda _count: (503, {}, b"")
    agency.call("POST", VERIFY, agency.named())
    failed(whole, ear, 1)
    if end == "disabled":
        agency.call("POST", STATUS, agency.named(status="disabled"))
    else:
        agency.call("DELETE", STREAMS, stream_id=agency.stream_id)
    assert outbox(whole) == []
    assert signals.everything_at_rest(whole)["security_event"] == []


def test_another_address(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """What waits for the old one goes to the new one, with the new one's header."""
    ear.answer = lambda _count: (503, {}, b"")
    agency.call("POST", VERIFY, agency.named(state="st"))
    failed(whole, ear, 1)
    with listening() as other:
        delivery = {"method": PUSH, "endpoint_url": f"{other.url}/other"}
        agency.call("PATCH", STREAMS, agency.named(delivery=delivery))
        other.wait(1)
        assert "authorization" not in other.got[0].headers
        assert events(agency, other)[0]["jti"] == events(agency, ear)[0]["jti"]
        settled(whole)


def test_the_header_stays_with_its_address(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """What was read is sent back without it; PATCH keeps it, null and PUT take it away, another address does not get it."""
    read = {"method": PUSH, "endpoint_url": f"{ear.url}/events"}

    def sent(count: int) -> str | None:
        whole.clock.later(20)
        agency.call("POST", VERIFY, agency.named())
        ear.wait(count)
        return ear.got[-1].headers.get("authorization")

    agency.call("PATCH", STREAMS, agency.named(delivery=read))
    assert sent(1) == HEADER
    agency.call("PATCH", STREAMS, agency.named(delivery=read | {"endpoint_url": f"{ear.url}/other"}))
    assert sent(2) is None
    agency.call("PATCH", STREAMS, agency.named(delivery=to(ear)))
    agency.call("PATCH", STREAMS, agency.named(delivery=read | {"authorization_header": None}))
    assert sent(3) is None
    agency.call("PATCH", STREAMS, agency.named(delivery=to(ear)))
    agency.call("PUT", STREAMS, agency.named(delivery=read))
    assert sent(4) is None


def test_nobody_is_flooded_with_verifications(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """An address that answers nothing is not tried with more and more of what its agency asks for."""
    from broker.notices import security_events

    ear.answer = lambda _count: (503, {}, b"")
    agency.call("POST", VERIFY, agency.named())
    failed(whole, ear, 1)
    with whole.parts.database.write() as tx:
        row = dict(tx.execute(select(tables.outbox)).mappings().one())
        tx.execute(
            insert(tables.outbox),
            [row | {"id": f"x{n}", "due": row["due"] + 10**13} for n in range(security_events.MOST_TRIED)],
        )
    whole.clock.later(60)
    answer = agency.call("POST", VERIFY, agency.named())
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_requests")


def test_so_many_letters_and_no_more(whole: Whole, agency: Receiver, ear: Ear) -> None:
    from broker.notices import security_events

    ear.answer = lambda _count: (503, {}, b"")
    agency.call("POST", VERIFY, agency.named())
    failed(whole, ear, 1)
    with whole.parts.database.write() as tx:
        row = dict(tx.execute(select(tables.outbox)).mappings().one())
        later = row["due"] + 10**13
        many = [
            row | {"id": f"{n:06}", "due": later, "expires": row["expires"] + n + 1}
            for n in range(security_events.MOST + 2)
        ]
        tx.execute(insert(tables.outbox), many)
        security_events.sweep(tx, whole.clock())
        kept = sorted(tx.execute(select(tables.outbox.c.id)).scalars())
    assert (len(kept), kept[0]) == (security_events.MOST, "000002")


def test_from_push_to_poll_and_back(whole: Whole, agency: Receiver, ear: Ear) -> None:
    ear.answer = lambda count: (503, {}, b"") if count < 2 else (202, {}, b"")
    agency.call("POST", VERIFY, agency.named(state="st"))
    failed(whole, ear, 1)
    agency.stream = agency.call("PATCH", STREAMS, agency.named(delivery={"method": POLL})).json()
    (jti,) = agency.polls()["sets"]
    agency.call("PATCH", STREAMS, agency.named(delivery=to(ear)))
    ear.wait(2)
    assert [one["jti"] for one in events(agency, ear)] == [jti, jti]
    assert agency.polls() == {"sets": {}}


def test_what_was_held_by_a_race_is_sent(whole: Whole, agency: Receiver, ear: Ear) -> None:
    """An event that was raised while somebody enabled the stream goes with the next sweep, once."""
    from broker.notices import event_types, streams

    with whole.parts.database.write() as tx:
        stream = streams.find(tx, "norr-childcare", agency.stream_id)
        assert stream is not None
        paused = streams.set_status(tx, stream, "paused", None)
        whole.parts.signals.send(tx, paused, event_types.verification(agency.stream_id, "late"), whole.clock())
        streams.set_status(tx, stream, "enabled", None)
    for _ in range(2):
        with whole.parts.database.write() as tx:
            whole.parts.signals.forward(tx, whole.clock())
    ear.wait(1)
    settled(whole)
    assert len(ear.got) == 1


def test_a_disabled_client_is_not_written_to(whole: Whole, agency: Receiver, ear: Ear) -> None:
    ear.answer = lambda _count: (503, {}, b"")
    agency.call("POST", VERIFY, agency.named())
    failed(whole, ear, 1)
    registry = whole.parts.registry
    registry._clients["norr-childcare"] = registry._clients["norr-childcare"].model_copy(update={"disabled": True})
    whole.clock.later(60)
    settled(whole, "dead")
    assert len(ear.got) == 1


def test_two_agencies_that_are_pushed_to_hear_nothing_equal(whole: Whole, agency: Receiver, ear: Ear) -> None:
    with listening() as second:
        office, maria = signals.receiver(whole, "norr-planning"), whole.present()
        office.create(delivery={"method": PUSH, "endpoint_url": f"{second.url}/in"})
        for one, where in ((agency, ear), (office, second)):
            maria.stops(shares(maria, one)["grant_id"])
            where.wait(1)
            whole.clock.later(5)
        heard = [[*events(one, where), one.stream] for one, where in ((agency, ear), (office, second))]
    values = [
        set(signals.leaves(told)) - {ISSUER, "iss_sub", ENDED, signals.SESSION_REVOKED, "withdrawn", PUSH, "10"}
        for told in heard
    ]
    assert len(values[0]) > 5
    assert not values[0] & values[1]


def test_nothing_secret_at_rest_or_in_the_log(
    whole: Whole, agency: Receiver, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    """Header, subject and event are sealed where they wait; the log names none of them."""
    ear.answer = lambda _count: (503, {}, b"")
    maria = whole.present()
    token = shares(maria, agency)
    maria.stops(token["grant_id"])
    failed(whole, ear, 1)
    with whole.parts.database.read() as tx:
        rows = [
            row
            for name in ("outbox", "event_stream", "grant_subject")
            for row in tx.execute(select(tables.metadata.tables[name]))
        ]
    for secret in ("tell-tale", token["subject"]):
        assert secret not in repr(rows)
        assert secret not in capsys.readouterr().err


# fmt: off
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("no address",              {"endpoint_url": None}),
    ("not text",                {"endpoint_url": 1}),
    ("no scheme",               {"endpoint_url": "rp.example/x"}),
    ("another scheme",          {"endpoint_url": "javascript:alert(1)"}),
    ("file",                    {"endpoint_url": "file:///etc/passwd"}),
    ("plain http outside",      {"endpoint_url": "http://rp.example/x"}),
    ("user name",               {"endpoint_url": "https://rp@evil.example/x"}),
    ("fragment",                {"endpoint_url": "https://rp.example/x#y"}),
    ("control characters",      {"endpoint_url": "https://rp.example/\r\nx: y"}),
    ("backslash",               {"endpoint_url": "https://rp.example\\@evil.example/"}),
    ("not ASCII",               {"endpoint_url": "https://rp.exämple/"}),
    ("dots",                    {"endpoint_url": "https://rp.example/a/../b"}),
    ("a number for a host",     {"endpoint_url": "https://2130706433/x"}),
    ("an address in octal",     {"endpoint_url": "https://0177.0.0.1/x"}),
    ("too long",                {"endpoint_url": "https://rp.example/" + "x" * 2000}),
    ("header of two lines",     {"endpoint_url": "https://rp.example/", "authorization_header": "a\r\nX: y"}),
    ("header not ASCII",        {"endpoint_url": "https://rp.example/", "authorization_header": "é"}),
    ("header empty",            {"endpoint_url": "https://rp.example/", "authorization_header": ""}),
    ("header too long",         {"endpoint_url": "https://rp.example/", "authorization_header": "x" * 2049}),
    ("header not text",         {"endpoint_url": "https://rp.example/", "authorization_header": {}}),
]
# fmt: on


@pytest.mark.parametrize("delivery", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_address(whole: Whole, delivery: dict[str, Any]) -> None:
    """protocol §5: what is no plain address of the web is refused when it is registered; nothing is stored."""
    agency = signals.receiver(whole)
    answer = agency.call("POST", STREAMS, {"delivery": {"method": PUSH, **delivery}})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert signals.everything_at_rest(whole)["event_stream"] == []


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.2/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/x",
        "https://[fc00::1]/x",
        "https://0.0.0.0/x",
        "https://192.168.0.1:8443/x",
    ],
)
def test_an_address_inside(whole: Whole, address: str) -> None:
    """protocol §5: never called; the letter is dead at once, and says why. (The whole matrix: `tests/broker/test_outbound.py`.)"""
    agency = signals.receiver(whole)
    answer = agency.call("POST", STREAMS, {"delivery": {"method": PUSH, "endpoint_url": address}})
    assert answer.status_code == 201
    agency.stream = answer.json()
    agency.call("POST", VERIFY, agency.named())
    settled(whole, "dead")
    with whole.parts.database.read() as tx:
        assert tx.execute(select(tables.outbox.c.error)).scalar_one() in {"address", "host"}
