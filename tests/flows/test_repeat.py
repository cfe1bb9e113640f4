"""The same call again (`Idempotency-Key`): the same answer with an entry of its own; another call under the key: 409."""

import pytest

from tests.world import World


def test_a_repeat_is_entered_and_not_counted(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks()), "contact.iban"))
    answers = [agency.data(token["access_token"], Idempotency_Key="visit-1").json() for _ in range(3)]
    assert [a["items"]["contact.iban"]["value"] for a in answers] == [answers[0]["items"]["contact.iban"]["value"]] * 3
    numbers = [answer["ledger"]["seq"] for answer in answers]
    assert len(set(numbers)) == 3
    entries = {event.seq: event for event in world.inside.events(person)}
    assert [entries[n].body.get("repeat_of") for n in numbers] == [None, numbers[0], numbers[0]]
    assert world.inside.permission(person, token["grant_id"]).uses == 1
    agency.data(token["access_token"], Idempotency_Key="visit-2")
    assert world.inside.permission(person, token["grant_id"]).uses == 2


def test_another_request_under_the_same_key(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    assert agency.data(token["access_token"], Idempotency_Key="k").status_code == 200
    size = world.inside.size()
    answer = agency.data(token["access_token"], Idempotency_Key="k", Accept="application/jwt")
    assert answer.status_code == 409, answer.text
    assert world.inside.size() == size


def test_the_key_is_each_tokens_own(world: World) -> None:
    person, other, agency = world.neighbour(), world.neighbour(), world.agency()
    one = agency.token(person.shares(person.comes_from(agency.asks())))
    two = agency.token(other.shares(other.comes_from(agency.asks())))
    first = agency.data(one["access_token"], Idempotency_Key="k").json()
    second = agency.data(two["access_token"], Idempotency_Key="k").json()
    assert first["items"]["identity.given_name"]["value"] != second["items"]["identity.given_name"]["value"]
    assert world.inside.permission(other, two["grant_id"]).uses == 1


def test_a_repeat_is_judged_like_any_call(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    assert agency.data(token["access_token"], Idempotency_Key="k").status_code == 200
    person.stops(token["grant_id"])
    assert agency.data(token["access_token"], Idempotency_Key="k").status_code == 401


@pytest.mark.parametrize("key", ["", "x" * 129, "with space"])
def test_a_key_that_is_none(world: World, key: str) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))["access_token"]
    assert agency.call("GET", "/prefill", token=token, headers={"Idempotency-Key": key}).status_code == 400


def test_the_answer_signed(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    answer = agency.data(token["access_token"], Accept="application/jwt")
    assert answer.headers["content-type"] == "application/jwt"
    claims = agency.verify(answer.text)
    plain = agency.data(token["access_token"]).json()
    assert claims["items"].keys() == plain["items"].keys()
    assert claims["aud"] == agency.client_id
    assert {"iat", "jti", "ledger"} <= claims.keys()
