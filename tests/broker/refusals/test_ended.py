"""What ends for a person ends everywhere at once: stopped sharing, or shut out, whatever an agency still holds (protocol §2, §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from broker.tables import person
from tests.actors import Agency
from tests.broker.untouched import changes, everything
from tests.broker.whole import Whole


def stops(broker: Whole, maria: Any, _username: str, grant: str) -> None:
    maria.stops(grant)


def shut_out(broker: Whole, _maria: Any, username: str, _grant: str) -> None:
    with broker.parts.database.write() as tx:
        tx.execute(update(person).where(person.c.person_id == broker.person_ids[username]).values(disabled=1))


# fmt: off
CAUSES: list[tuple[str, Callable[[Whole, Any, str, str], None]]] = [
    ("she stopped",     stops),
    ("she is shut out", shut_out),
]
# fmt: on


@pytest.mark.parametrize("cause", [row[1] for row in CAUSES], ids=[row[0] for row in CAUSES])
def test_everything_an_agency_holds(broker: Whole, agency: Agency, cause: Any) -> None:
    username = f"person-{cause.__name__}"
    maria = broker.present(username)
    page = maria.comes_from(agency.asks())
    given = agency.token(maria.shares(page))
    grant = agency.data(given["access_token"]).json()["grant_id"]
    code = agency.receives(maria.open(agency.asks()))["code"]
    cause(broker, maria, username, grant)
    before = everything(broker.parts.database)
    token = given["access_token"]
    answers = {
        "userinfo": agency.call("GET", "/userinfo", token=token),
        "prefill": agency.data(token),
        "its grant": agency.call("GET", f"/grants/{grant}", token=token),
        "grant given back": agency.call("DELETE", f"/grants/{grant}", token=token),
        "refresh": agency.post("/token", {"grant_type": "refresh_token", "refresh_token": given.get("refresh_token", "x" * 43)}),
        "code": agency.redeem(code),
        "introspection": agency.call("POST", "/introspection", form={"client_id": agency.client_id, "token": token}),
    }  # fmt: skip
    told = {name: (answer.status_code, answer.json().get("error")) for name, answer in answers.items()}
    assert told.pop("introspection") == (200, None)
    assert answers["introspection"].json() == {"active": False}
    assert told.pop("refresh") == (400, "invalid_grant")
    assert told.pop("code") == (400, "invalid_grant")
    assert {status for status, _ in told.values()} <= {401, 403, 404}, told
    changed = changes(before, everything(broker.parts.database))
    assert changed <= {"replay", "token_family", "activity", "sealed_row", "sealed_for", "refresh_token", "throttle"}


def test_two_flows_of_one_agency_do_not_mix(broker: Whole, agency: Agency) -> None:
    """protocol §5: a code with the other flow's verifier, either way round; each `state` and `nonce` comes back to its own."""
    first, second = broker.present("flow-one"), broker.present("flow-two")
    flows = []
    for who in (first, second):
        page = who.comes_from(agency.asks())
        flows.append((agency.receives(who.shares(page)), dict(agency.asked)))
    (one, asked_one), (two, asked_two) = flows
    agency.asked = asked_two
    assert agency.redeem(one["code"]).json()["error"] == "invalid_grant"
    agency.asked = asked_one
    assert agency.redeem(two["code"]).json()["error"] == "invalid_grant"
    for code, asked in ((one, asked_one), (two, asked_two)):
        agency.asked = asked
        answer = agency.redeem(code["code"])
        assert answer.status_code == 200, "a wrong verifier spends nothing"
        assert agency.verify(answer.json()["id_token"])["nonce"] == asked["nonce"]
