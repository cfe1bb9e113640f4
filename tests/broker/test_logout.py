"""The end of a session is told to every agency it signed in to (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import LargeBinary, select, update

from broker import needs, tables
from broker.database import Database
from broker.tables import outbox, session
from consent import tables as consent_tables
from keys import tables as keys_tables
from tests.broker import leaving as leavings
from tests.broker.leaving import CHILDCARE, PLANNING, Leaving


@pytest.fixture
def leaving(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Leaving]:
    with leavings.running(database, database_url, tmp_path, now) as running:
        yield running


def signs_out(leaving: Leaving, person: Any) -> Any:
    return person.press(person.open("/sign-out"), "sign-out", "sign-out")


def strings(value: Any) -> set[str]:
    """Every text and number in a JSON value."""
    if isinstance(value, dict):
        return set().union(*(strings(one) for one in value.values()), map(str, value))
    return {str(value)}


def test_both_agencies_are_told_each_in_its_own_terms(leaving: Leaving) -> None:
    """§2.4: `iss aud iat exp jti events sub sid` and no nonce; the ones of the ID token; nothing in common but constants."""
    maria = leaving.whole.citizen()
    known = {name: leaving.signs_in(maria, name)[1] for name in (CHILDCARE, PLANNING)}
    assert leaving.waiting() == []
    assert signs_out(leaving, maria).has("signed-out")
    told = {name: leaving.logout_token(name) for name in known}
    for name, claims in told.items():
        assert (claims["sid"], claims["sub"]) == (known[name]["sid"], known[name]["sub"])
        assert leaving.told[name].got[0].path == "/backchannel-logout?v=1"
    one, two = told.values()
    shared = strings(one) & strings(two)
    assert shared == {str(one[name]) for name in ("iss", "iat", "exp")} | set(one["events"]) | one.keys()
    assert leaving.waiting() == []


def test_only_where_the_session_signed_in(leaving: Leaving) -> None:
    maria, other = leaving.whole.citizen(), leaving.whole.citizen("other")
    leaving.signs_in(maria, CHILDCARE)
    leaving.signs_in(other, PLANNING)
    signs_out(leaving, maria)
    leaving.logout_token(CHILDCARE)
    assert leaving.told[PLANNING].got == []
    signs_out(leaving, other)
    leaving.logout_token(PLANNING)


def test_two_sessions_of_one_person_have_two_names(leaving: Leaving) -> None:
    """A letter ends one of them; the `sub` is the same person's."""
    here, there = leaving.whole.citizen(), leaving.whole.citizen()
    known = [leaving.signs_in(one)[1] for one in (here, there)]
    assert known[0]["sub"] == known[1]["sub"]
    assert known[0]["sid"] != known[1]["sid"]
    signs_out(leaving, there)
    assert leaving.logout_token(CHILDCARE)["sid"] == known[1]["sid"]


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
def test_the_algorithm_is_the_clients(leaving: Leaving, alg: str) -> None:
    leaving.register(CHILDCARE, id_token_signed_response_alg=alg)
    maria, agency = leaving.whole.citizen(), leaving.whole.agency()
    agency.receives(maria.shares(maria.comes_from(agency.asks())))
    signs_out(leaving, maria)
    leaving.logout_token(CHILDCARE)


def test_a_client_that_wants_nothing_gets_nothing(leaving: Leaving) -> None:
    leaving.register(PLANNING, backchannel_logout_uri=None)
    maria = leaving.whole.citizen()
    leaving.signs_in(maria, PLANNING)
    with leaving.whole.parts.database.read() as tx:
        assert tx.execute(select(session.c.relying_parties)).scalars().all() == [
            None,
            None,
        ]  # half a session, and the whole one
    signs_out(leaving, maria)
    assert (leaving.waiting(), leaving.told[PLANNING].got) == ([], [])


def test_a_person_who_proves_again_who_they_are_goes_on(leaving: Leaving) -> None:
    """`prompt=login` makes another session here; to the agency it is the same one, and nobody is told of an end."""
    maria = leaving.whole.citizen()
    _, first = leaving.signs_in(maria)
    leaving.whole.clock.later(40)
    agency = leaving.whole.agency()
    page = maria.sign_in(maria.open(agency.asks(prompt="login")))
    again = agency.verify(agency.token(maria.shares(page) if page.has("consent") else page)["id_token"])
    assert again["sid"] == first["sid"]
    assert (leaving.waiting(), leaving.told[CHILDCARE].got) == ([], [])
    assert leaving.sessions() == 1
    signs_out(leaving, maria)
    assert leaving.logout_token(CHILDCARE)["sid"] == first["sid"]


def test_somebody_else_in_the_same_browser_ends_it(leaving: Leaving) -> None:
    maria = leaving.whole.citizen()
    _, known = leaving.signs_in(maria)
    leaving.whole.citizen("other")
    maria.person = {**maria.person, "username": "other"}
    leaving.whole.clock.later(40)
    agency = leaving.whole.agency()
    maria.sign_in(maria.open(agency.asks(prompt="login")))
    assert leaving.logout_token(CHILDCARE)["sid"] == known["sid"]


def test_running_out_of_time_tells_nobody(leaving: Leaving) -> None:
    """A form that is being filled in at an agency does not end because nobody came here for half an hour."""
    maria = leaving.whole.citizen()
    leaving.signs_in(maria)
    leaving.whole.clock.later(13 * 3600)
    assert maria.open("/sign-out").has("signed-out")
    assert (leaving.waiting(), leaving.told[CHILDCARE].got) == ([], [])


def test_signing_out_twice_at_once_tells_once(leaving: Leaving) -> None:
    maria = leaving.whole.citizen()
    leaving.signs_in(maria)
    page = maria.open("/sign-out")
    form = maria.fields(page, "sign-out") | {"action": "sign-out"}
    with ThreadPoolExecutor(8) as pool:
        answers = [one.result() for one in [pool.submit(maria.walker.post, page.url, **form) for _ in range(8)]]
    assert {answer.status_code for answer in answers} == {303}
    leaving.logout_token(CHILDCARE)


def test_a_code_minted_as_the_session_ends_is_not_given(leaving: Leaving) -> None:
    """Whoever is not told of the end must not have been signed in: Continue after a sign-out elsewhere leads nowhere."""
    maria, agency = leaving.whole.citizen(), leaving.whole.agency()
    page = maria.press(maria.comes_from(agency.asks()), "consent", "share", item=[])
    form = maria.fields(page, "done") | {"action": "continue"}
    with leaving.whole.parts.database.write() as tx:
        tx.execute(update(session).values(closed=1))
    answer = maria.walker.post(page.url, **form)
    assert answer.status_code in {303, 403}
    assert "code=" not in answer.headers.get("location", "")


def test_an_agency_that_is_disabled_meanwhile_gets_no_letter(leaving: Leaving) -> None:
    maria = leaving.whole.citizen()
    leaving.signs_in(maria)
    wired = leaving.whole.app.state.parts
    wired.registry._clients[CHILDCARE] = wired.registry._clients[CHILDCARE].model_copy(update={"disabled": True})
    signs_out(leaving, maria)
    assert leaving.told[CHILDCARE].got == []


def test_a_restart_between_the_sign_out_and_the_letter_loses_nothing(leaving: Leaving) -> None:
    """The agency does not answer, the server is stopped, started again, and tells it: the same `jti`, a young token."""
    leaving.told[CHILDCARE].answer = lambda count: (503 if count == 1 else 200, {}, b"")
    maria = leaving.whole.citizen()
    leaving.signs_in(maria)
    signs_out(leaving, maria)
    leaving.told[CHILDCARE].wait(1)
    leaving.whole.restart()
    leaving.whole.clock.later(600)
    claims = leaving.logout_token(CHILDCARE, 2)
    first = jwt.decode(
        leaving.told[CHILDCARE].got[0].body.partition("=")[2], options={"verify_signature": False, "verify_exp": False}
    )
    assert (first["jti"], first["sid"]) == (claims["jti"], claims["sid"])
    assert claims["iat"] - first["iat"] == 600


def test_no_row_leads_from_a_person_to_an_agency(leaving: Leaving) -> None:
    """While letters wait: no value of a row about the person stands in a row about an agency, nor the agency's name in theirs."""
    leaving.told[CHILDCARE].answer = leaving.told[PLANNING].answer = lambda _: (503, {}, b"")
    maria = leaving.whole.citizen()
    for name in (CHILDCARE, PLANNING):
        leaving.signs_in(maria, name)
    rows = everything(leaving.whole.parts.database)
    (mine,) = [row for name, row in rows if name == "session" and not row["closed"]]
    assert mine["relying_parties"] is not None
    assert len(mine["relying_parties"]) == 1024 + 28
    assert not any(name.encode() in mine["relying_parties"] for name in (CHILDCARE, PLANNING))
    signs_out(leaving, maria)
    leaving.told[PLANNING].wait(1)
    rows = everything(leaving.whole.parts.database)
    letters = [row for name, row in rows if name == "outbox"]
    assert len(letters) == 2
    assert telling(letters[0]) & telling(letters[1]) == {"backchannel_logout"}
    others = [row for name, row in rows if name in ABOUT_PEOPLE]
    assert others
    for letter in letters:
        for row in others:
            assert not telling(letter) & telling(row)


ABOUT_PEOPLE = {"session", "person", "person_root", "activity", "ledger_key"}


def everything(database: Database) -> list[tuple[str, dict[str, Any]]]:
    metadatas = (tables.metadata, consent_tables.metadata, keys_tables.metadata)
    with database.read() as tx:
        return [
            (table.name, dict(row))
            for metadata in metadatas
            for table in metadata.sorted_tables
            for row in tx.execute(select(table)).mappings()
        ]


def telling(row: dict[str, Any]) -> set[Any]:
    """The values of a row that could name something: long texts, bytes, times."""
    return {
        value
        for value in row.values()
        if (isinstance(value, str | bytes) and len(value) > 11) or (isinstance(value, int) and value > 10_000)
    }


def test_the_columns_that_hold_it_are_bytes() -> None:
    assert isinstance(session.c.relying_parties.type, LargeBinary)
    assert isinstance(outbox.c.box.type, LargeBinary)
    assert needs.Parts.__dataclass_fields__["outbox"]
