"""A parent applies for the childcare allowance: the whole story in the demo's own agency, and again in the played one."""

from tests.world import World

REQUIRED = {
    "identity.given_name", "identity.family_name", "identity.birth_date", "address.registered", "address.municipality",
    "family.custody", "income.taxable_band",
}  # fmt: skip


def test_a_parent_fills_the_form_and_is_not_asked_twice(world: World) -> None:
    parent, agency = world.neighbour(), world.agency()
    page = parent.comes_from(agency.asks())
    token = agency.token(parent.shares(page, "contact.iban"))
    items = agency.items(token["access_token"])
    assert {i for i, said in items.items() if said["status"] == "provided"} == REQUIRED | {"contact.iban"}
    again = parent.open(agency.asks())
    second = agency.token(again)
    assert second["grant_id"] == token["grant_id"]
    assert agency.items(second["access_token"]).keys() == items.keys()
