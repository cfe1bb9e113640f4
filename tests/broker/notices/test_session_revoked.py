"""Session-revoked: told to the agencies a session signed in to, each in its own terms (OpenID CAEP 1.0 §3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from broker import tables
from broker.database import Database
from tests.actors import Citizen
from tests.broker import signals
from tests.broker.notices.receiver import listening
from tests.broker.signals import PUSH, REMOVE, SESSION_REVOKED, Receiver
from tests.broker.whole import ISSUER, Whole


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process; its agencies may hear of security events, and listen on this machine."""
    with signals.running(database, database_url, tmp_path, now, client_egress_allow=("127.0.0.1",)) as running:
        yield running


@pytest.fixture
def agency(whole: Whole) -> Receiver:
    made = signals.receiver(whole)
    made.create(events_requested=[SESSION_REVOKED])
    return made


@pytest.fixture
def office(whole: Whole) -> Receiver:
    made = signals.receiver(whole, "norr-planning")
    made.create(events_requested=[SESSION_REVOKED])
    return made


def signs_in(person: Citizen, receiver: Receiver) -> dict[str, Any]:
    """The person shares with the agency; the claims of its ID token."""
    program = receiver.agency
    page = person.comes_from(program.asks())
    body = program.token(person.shares(page) if page.has("consent") else page)
    return program.verify(body["id_token"])


def signs_out(person: Citizen) -> None:
    assert person.press(person.open("/sign-out"), "sign-out", "sign-out").has("signed-out")


def test_signing_out(whole: Whole, agency: Receiver) -> None:
    """The session and the person as the ID token named them; who did it and why; CAEP interoperability: a reason."""
    maria = whole.present()
    known = signs_in(maria, agency)
    assert agency.hears() == []
    signs_out(maria)
    (event,) = agency.hears()
    assert event["sub_id"] == {
        "format": "complex",
        "user": {"format": "iss_sub", "iss": ISSUER, "sub": known["sub"]},
        "session": {"format": "opaque", "id": known["sid"]},
    }
    told = event["events"][SESSION_REVOKED]
    assert told == {"initiating_entity": "user", "reason_admin": {"en": "The person signed out"}}


def test_only_where_the_session_signed_in(whole: Whole, agency: Receiver, office: Receiver) -> None:
    maria, nora = whole.present(), whole.present("nora")
    signs_in(maria, agency)
    signs_in(nora, office)
    signs_out(maria)
    assert (len(agency.hears()), office.hears()) == (1, [])


def test_somebody_else_in_the_same_browser(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    known = signs_in(maria, agency)
    whole.citizen("other")
    whole.clock.later(40)
    maria.person = {**maria.person, "username": "other"}
    maria.sign_in(maria.open(agency.agency.asks(prompt="login")))
    assert agency.hears()[0]["sub_id"]["session"]["id"] == known["sid"]


def test_twice_is_told_once(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    signs_in(maria, agency)
    page = maria.open("/sign-out")
    for _ in range(2):
        maria.press(page, "sign-out", "sign-out")
    assert len(agency.hears()) == 1


def test_who_is_left_out(whole: Whole, agency: Receiver) -> None:
    maria = whole.present()
    agency.call("POST", REMOVE, agency.subject(signs_in(maria, agency)["sub"]))
    signs_out(maria)
    assert agency.hears() == []


def test_who_did_not_ask_for_it(whole: Whole, agency: Receiver) -> None:
    agency.call("PATCH", signals.STREAMS, agency.named(events_requested=["urn:x"]))
    maria = whole.present()
    signs_in(maria, agency)
    signs_out(maria)
    assert agency.hears() == []


def test_an_agency_that_cannot_hear_is_not_remembered(whole: Whole) -> None:
    """Without a stream to come and without a logout address nothing is noted beside the session."""
    registry = whole.parts.registry
    plain = registry._clients["norr-childcare"].model_copy(update={"scope": "openid use:norr.childcare-allowance"})
    registry._clients["norr-childcare"] = plain
    maria, program = whole.present(), whole.agency()
    program.token(maria.shares(maria.comes_from(program.asks())))
    with whole.parts.database.read() as tx:
        assert tx.execute(select(tables.session.c.relying_parties)).scalars().all() == [None]


def test_two_agencies_hear_nothing_equal(whole: Whole, agency: Receiver, office: Receiver) -> None:
    """protocol §2: one act, two agencies: nothing joins what they hear, nor the rows in which it waits."""
    maria = whole.present()
    for one in (agency, office):
        signs_in(maria, one)
    signs_out(maria)
    with whole.parts.database.read() as tx:
        rows = [dict(row) for row in tx.execute(select(tables.security_event)).mappings()]
        own = [
            dict(row)
            for name in ("session", "person")
            for row in tx.execute(select(tables.metadata.tables[name])).mappings()
        ]
    assert len(rows) == 2
    assert not telling(rows[0]) & telling(rows[1])
    assert not any(telling(row) & telling(other) for row in rows for other in own)
    heard = []
    for one in (agency, office):
        heard.append([*one.hears(), one.stream])
        whole.clock.later(2)
    constants = {ISSUER, "iss_sub", "complex", "opaque", "user", SESSION_REVOKED, "The person signed out", signals.POLL}
    values = [set(signals.leaves(told)) - constants - {signals.grant_ended(ISSUER), "10"} for told in heard]
    assert len(values[0]) > 5
    assert not values[0] & values[1]


def telling(row: dict[str, Any]) -> set[Any]:
    """The values of a row that could name something: texts, bytes, times."""
    return {
        v for v in row.values() if (isinstance(v, str | bytes) and len(v) > 11) or (isinstance(v, int) and v > 10_000)
    }


def test_pushed(whole: Whole) -> None:
    """Logout token and security event of one act: both arrive, each under its own id."""
    with listening() as ear, listening() as logout:
        logout.answer = lambda _: (200, {}, b"")
        registry = whole.parts.registry
        changed = registry._clients["norr-childcare"].model_copy(update={"backchannel_logout_uri": f"{logout.url}/out"})
        registry._clients["norr-childcare"] = changed
        agency = signals.receiver(whole)
        agency.create(delivery={"method": PUSH, "endpoint_url": f"{ear.url}/events"})
        maria = whole.present()
        signs_in(maria, agency)
        signs_out(maria)
        ear.wait(1)
        logout.wait(1)
        assert ear.got[0].headers["content-type"] == "application/secevent+jwt"
