"""A parent applies for the childcare allowance, at the demo's own agency; later visits are not asked about again."""

import pytest

from tests.actors import row
from tests.world import World

REQUIRED = {
    "identity.given_name",
    "identity.family_name",
    "identity.birth_date",
    "address.registered",
    "address.municipality",
    "family.custody",
    "income.taxable_band",
}


def test_the_whole_story_at_the_agency_of_the_demo(world: World) -> None:
    parent, form = world.neighbour(), world.agencies["norr-childcare"]
    page = parent.sign_in(parent.press(parent.open(f"{form}/"), "prefill", "fill"))
    known = world.inside.declared(parent)
    for item, value in [("identity.given_name", "given_name"), ("address.registered", "street_address")]:
        assert known["population"][value] in row(page, item)
    registers = [part.text for part in page.content.find_all(**{"class": "semel-register__name"})]
    assert registers == ["Population register", "Tax Agency", "Tax Agency", "your account with us"]
    assert [box["value"] for box in page.get("consent").find_all("input", type="checkbox")] == [
        "contact.iban",
        "contact.email",
    ]
    assert not [box for box in page.get("consent").find_all("input", type="checkbox") if "checked" in box]

    page = parent.shares(page, "contact.iban")
    assert page.url == f"{form}/form"
    filled = {e["name"]: e for e in page.content if "data-source" in e}
    assert set(filled) == REQUIRED | {"contact.iban"}
    assert filled["identity.family_name"]["value"] == known["population"]["family_name"]
    visit = world.visit(parent, "norr-childcare")
    permission = visit["answer"]["grant_id"]

    page = parent.press(page, "refresh", "refresh")
    assert page.has("refreshed")
    visit = world.visit(parent, "norr-childcare")
    assert [event.type for event in world.inside.events(parent)] == [
        "access.released",
        "access.released",
        "permission.given",
        "access.previewed",
    ]
    assert parent.sharing().keys() == {permission}
    parent.stops(permission)
    page = parent.press(parent.open(f"{form}/form"), "refresh", "refresh")
    assert page.has("stopped")
    assert "You stopped sharing" in page.get("reason").text


def test_a_second_visit_is_not_asked_about(world: World) -> None:
    parent, agency = world.neighbour(), world.agency()
    first = agency.token(parent.shares(parent.comes_from(agency.asks()), "contact.iban"))
    before = agency.items(first["access_token"])
    assert {item for item, said in before.items() if said["status"] == "provided"} == REQUIRED | {"contact.iban"}

    back = parent.open(agency.asks(ui_locales="ar"))
    second = agency.token(back)
    assert second["grant_id"] == first["grant_id"]
    assert second["access_token"] != first["access_token"]
    after = agency.items(second["access_token"])
    assert {item: said.get("value") for item, said in after.items()} == {i: s.get("value") for i, s in before.items()}
    assert [event.type for event in world.inside.events(parent)].count("permission.given") == 1
    assert world.inside.permission(parent, first["grant_id"]).uses == 2


def test_a_second_visit_may_ask_for_the_question(world: World) -> None:
    parent, agency = world.neighbour(), world.agency()
    first = agency.token(parent.shares(parent.comes_from(agency.asks()), "contact.iban"))
    page = parent.open(agency.asks(prompt="consent"))
    assert page.has("consent")
    second = agency.token(parent.shares(page, "contact.email"))
    assert second["grant_id"] != first["grant_id"]
    assert world.inside.permission(parent, first["grant_id"]).state == "superseded"
    items = agency.items(second["access_token"])
    assert items["contact.iban"]["status"] == "not_provided"
    assert items["contact.email"]["status"] == "provided"
    assert agency.data(first["access_token"]).status_code == 401
    assert len(parent.sharing()) == 2


def test_a_narrower_visit_gets_no_more_than_it_asks(world: World) -> None:
    parent, agency = world.neighbour(), world.agency()
    agency.token(parent.shares(parent.comes_from(agency.asks()), "contact.iban", "contact.email"))
    page = parent.open(agency.asks(scope=f"openid use:{agency.use} identity.given_name"))
    narrow = agency.token(parent.shares(page))
    asked = [item["id"] for item in narrow["authorization_details"][0]["items"]]
    assert asked == ["identity.given_name"]
    items = agency.items(narrow["access_token"])
    assert {item for item, said in items.items() if "value" in said} == {"identity.given_name"}


@pytest.mark.parametrize(("days", "offered"), [("90", True), ("365", True), ("36500", False)])
def test_how_long_is_chosen_among_what_is_offered(world: World, days: str, offered: bool) -> None:
    parent, agency = world.neighbour(), world.agency()
    page = parent.comes_from(agency.asks())
    if not offered:
        page = parent.press(page, "consent", "share", duration=days)
        assert (page.status, page.get("problem")["data-code"]) == (400, "invalid_request")
        assert parent.sharing() == {}
        return
    token = agency.token(parent.shares(page, duration=days))
    given = world.inside.permission(parent, token["grant_id"])
    assert (given.valid_to or 0) - given.valid_from == pytest.approx(int(days) * 86_400_000_000, abs=2_000_000)
