"""What was left out looks exactly like what no register holds (wire: item status; ARF RPA_11)."""

import pytest

from tests.world import World

ABSENT = {"status": "not_provided", "retryable": False, "route": "ask the applicant"}


@pytest.mark.parametrize(("item", "without"), [("contact.iban", "no-iban"), ("contact.email", "no-contact")])
def test_left_out_and_not_held_are_alike(world: World, item: str, without: str) -> None:
    agency = world.agency()
    person, other = world.neighbour(), world.citizen(without)
    left_out = agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    page = other.comes_from(agency.asks())
    assert not page.get("consent").find_all("input", name="item", value=item), "nothing to tick"
    not_held = agency.items(agency.token(other.shares(page))["access_token"])
    assert left_out[item] == not_held[item] == ABSENT
    truth = [event.private["items"][item] for c in (person, other) for event in world.inside.events(c)[:1]]
    assert truth == ["refused", "refused"], "each left it out, and their own history says so"


def test_the_token_response_tells_no_decision(world: World) -> None:
    agency, person, other = world.agency(), world.neighbour(), world.neighbour()
    some = agency.token(person.shares(person.comes_from(agency.asks())))
    every = agency.token(other.shares(other.comes_from(agency.asks()), "contact.iban", "contact.email"))
    assert some["authorization_details"] == every["authorization_details"]
    assert some["scope"] == every["scope"]


def test_a_tick_later_is_a_new_decision(world: World) -> None:
    agency, person = world.agency(), world.neighbour()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    assert agency.items(token["access_token"])["contact.iban"] == ABSENT
    token = agency.token(person.shares(person.open(agency.asks(prompt="consent")), "contact.iban"))
    assert agency.items(token["access_token"])["contact.iban"]["status"] == "provided"
