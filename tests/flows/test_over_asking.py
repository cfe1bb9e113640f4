"""An agency that asks for more than it registered, or for what is another's: refused when it asks, naming the items."""

import pytest

from tests.world import World

ASKED = [
    # scope beside `use:norr.building-permit`, error, what the description names
    ("income.taxable_band", "invalid_authorization_details", ["income.taxable_band"]),
    ("family.custody identity.given_name", "invalid_authorization_details", ["family.custody"]),
    ("phone", "invalid_authorization_details", ["contact.phone"]),
    ("no.such_item", "invalid_authorization_details", ["no.such_item"]),
    ("use:norr.childcare-allowance", "invalid_scope", []),
]


@pytest.mark.parametrize(("more", "error", "named"), ASKED)
def test_more_than_was_registered(world: World, more: str, error: str, named: list[str]) -> None:
    office = world.agency("norr-planning")
    answer = office.push(scope=f"openid use:norr.building-permit {more}")
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert [item for item in named if item not in answer.json()["error_description"]] == []
    assert "identity.given_name" not in answer.json()["error_description"]
    assert "request_uri" not in answer.json()


@pytest.mark.parametrize("scope", ["openid use:norr.childcare-allowance", "openid use:no.such-use", "openid use:"])
def test_anothers_use_is_like_none(world: World, scope: str) -> None:
    answer = world.agency("norr-planning").push(scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_asking_for_less_is_welcome(world: World) -> None:
    person, office = world.neighbour(), world.agency("norr-planning")
    page = person.comes_from(office.asks(scope="openid use:norr.building-permit address.registered"))
    assert [e["data-item"] for e in page.content if "data-item" in e] == ["address.registered"]
    token = office.token(person.shares(page))
    items = office.items(token["access_token"])
    assert {item for item, said in items.items() if "value" in said} == {"address.registered"}
