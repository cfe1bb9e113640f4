"""Good once is one release: the same call under its key gets the same answer, everything else none, and it is used everywhere at once."""

import json
from typing import Any

import pytest

from consent import permission
from tests.actors import Agency, Citizen
from tests.broker.whole import Whole

ONCE = "norr-planning"
USED = "this permission was good once, and has been used"
KEY = {"Idempotency_Key": "k-1"}


def shared(whole: Whole, **asked: str) -> tuple[Citizen, Agency, dict[str, Any]]:
    maria, agency = whole.present(), whole.agency(ONCE)
    return maria, agency, agency.token(maria.shares(maria.comes_from(agency.asks(**asked))))


def refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["error"], answer.json()["error_description"]) == (
        401,
        "invalid_token",
        USED,
    )


def state(whole: Whole, token: dict[str, Any]) -> tuple[str, int]:
    with whole.parts.database.read() as tx:
        found = permission.get(tx, token["grant_id"])
    assert found is not None
    return found.standing(whole.clock()), found.uses


def releases(whole: Whole) -> list[int | None]:
    """The entries of releases, the oldest first: None for a use, what it repeats for a repeat."""
    return [one.body.get("repeat_of") for one in reversed(whole.events()) if one.type == "access.released"]


def test_there_is_one_release(whole: Whole) -> None:
    """The issue's case: a second call 75 seconds later released again, as a second entry."""
    _, agency, token = shared(whole)
    assert agency.data(token["access_token"]).status_code == 200
    assert state(whole, token) == ("exhausted", 1)
    whole.clock.later(75)
    for headers in ({}, KEY, {"Accept": "application/jwt"}):
        refused(agency.data(token["access_token"], **headers))
    assert releases(whole) == [None]


def test_the_same_call_under_its_key_gets_the_same_answer(whole: Whole) -> None:
    """A lost answer is asked for again; each repeat has an entry of its own and is no use."""
    _, agency, token = shared(whole)
    first = agency.data(token["access_token"], **KEY).json()
    assert state(whole, token) == ("exhausted", 1), "at once, not when the token ends"
    for _ in range(2):
        whole.clock.later(75)
        again = agency.data(token["access_token"], **KEY)
        assert again.status_code == 200
        assert {**again.json(), "ledger": None} == {**first, "ledger": None}
        assert again.json()["ledger"]["seq"] > first["ledger"]["seq"]
    assert releases(whole) == [None, first["ledger"]["seq"], first["ledger"]["seq"]]
    assert state(whole, token) == ("exhausted", 1)
    refused(agency.data(token["access_token"]))
    refused(agency.data(token["access_token"], Idempotency_Key="k-2"))
    assert agency.data(token["access_token"], **KEY, Accept="application/jwt").status_code == 409
    whole.clock.later(300)
    assert agency.data(token["access_token"], **KEY).status_code == 401, "a repeat outlived its token"
    assert len(releases(whole)) == 3


def test_a_key_that_came_too_late_is_no_repeat(whole: Whole) -> None:
    _, agency, token = shared(whole)
    assert agency.data(token["access_token"]).status_code == 200
    refused(agency.data(token["access_token"], **KEY))
    refused(agency.data(token["access_token"], **KEY))
    assert releases(whole) == [None]


CLAIMS = json.dumps({"userinfo": {"given_name": None}})
BOTH = json.dumps({"id_token": {"given_name": None}, "userinfo": {"given_name": None}})


def test_userinfo_uses_it_up_too(whole: Whole) -> None:
    _, agency, token = shared(whole, claims=CLAIMS)
    answer = agency.call("GET", "/userinfo", token=token["access_token"])
    assert answer.json()["given_name"] == "Maria"
    assert state(whole, token) == ("exhausted", 1)
    refused(agency.data(token["access_token"]))
    refused(agency.call("GET", "/userinfo", token=token["access_token"]))
    assert releases(whole) == [None]


def test_userinfo_has_nothing_after_the_data_answer(whole: Whole) -> None:
    _, agency, token = shared(whole, claims=CLAIMS)
    assert agency.data(token["access_token"], **KEY).status_code == 200
    refused(agency.call("GET", "/userinfo", token=token["access_token"]))
    refused(agency.call("GET", "/userinfo", token=token["access_token"], headers=KEY))
    assert releases(whole) == [None]


def test_claims_in_the_id_token_are_the_one_release(whole: Whole) -> None:
    _, agency, token = shared(whole, claims=BOTH)
    assert agency.verify(token["id_token"])["given_name"] == "Maria"
    assert state(whole, token) == ("exhausted", 1)
    refused(agency.data(token["access_token"]))
    refused(agency.call("GET", "/userinfo", token=token["access_token"]))


def test_a_sign_in_alone_or_a_question_about_it_uses_nothing_up(whole: Whole) -> None:
    """UserInfo without claims releases nothing, so the data can still be fetched."""
    _, agency, token = shared(whole)
    for _ in range(3):
        assert agency.call("GET", "/userinfo", token=token["access_token"]).json() == {"sub": token["subject"]}
    assert state(whole, token) == ("live", 0)
    assert agency.data(token["access_token"]).status_code == 200


def test_it_is_used_wherever_it_is_shown(whole: Whole) -> None:
    maria, agency, token = shared(whole)
    grant = token["grant_id"]
    assert maria.open(f"/account/sharing/{grant}/stop").has("stop")
    agency.data(token["access_token"])
    card = maria.open("/account/sharing").content.find(data_permission=grant)
    assert card is not None
    assert card["data-state"] == "exhausted"
    page = maria.open(f"/account/sharing/{grant}")
    assert "Used up" in page.content.text
    assert not page.links("/stop")
    assert not maria.open(f"/account/sharing/{grant}/stop").has("stop"), "there is nothing left to stop"
    assert maria.open(agency.asks()).has("consent"), "whoever wants more must ask again"


def test_an_unused_one_was_not_used_up(whole: Whole) -> None:
    """Nobody fetched anything: it ran out."""
    maria, _, token = shared(whole)
    whole.clock.later(16 * 60 + 1)
    assert state(whole, token) == ("expired", 0)
    card = maria.open("/account/sharing").content.find(data_permission=token["grant_id"])
    assert card is not None
    assert card["data-state"] == "expired"


@pytest.mark.parametrize("same_key", [True, False])
def test_a_repeat_beyond_its_items_is_none(whole: Whole, same_key: bool) -> None:
    """Another agency's token, another permission: the key alone repeats nothing."""
    _, agency, token = shared(whole)
    assert agency.data(token["access_token"], **KEY).status_code == 200
    maria = whole.present()
    second = agency.token(maria.shares(maria.comes_from(agency.asks())))
    more = KEY if same_key else {"Idempotency_Key": "k-3"}
    assert agency.data(second["access_token"], **more).status_code == 200
    assert releases(whole) == [None, None]
    assert state(whole, second) == ("exhausted", 1)
