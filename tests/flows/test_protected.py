"""People about whom registers must be silent: a protected address, a protected child, somebody who has died, nobody at all."""

from tests.actors import row
from tests.world import World

ABSENT = {"status": "not_provided", "retryable": False, "route": "ask the applicant"}
ADDRESS = ("address.registered", "address.municipality", "family.custody")


def test_a_protected_address_looks_like_none(world: World) -> None:
    agency, person, other = world.agency(), world.citizen("protected"), world.citizen("no-address")
    page = person.comes_from(agency.asks())
    known = world.inside.declared(person)
    assert known["population"]["street_address"] not in page.get("consent").text, "the row says protected, not where"
    assert "rotected" in row(page, "address.registered")
    items = agency.items(agency.token(person.shares(page))["access_token"])
    others = agency.items(agency.token(other.shares(other.comes_from(agency.asks())))["access_token"])
    for item in ADDRESS[:2]:
        assert items[item] == others[item] == ABSENT
    assert items["family.custody"] == ABSENT
    assert items["identity.given_name"]["status"] == "provided"
    assert items.keys() == others.keys()
    assert {items[item].keys() == others[item].keys() for item in ADDRESS[:2]} == {True}
    truth = world.inside.events(person)[0].private["items"]
    assert {item: truth[item] for item in ADDRESS} == dict.fromkeys(ADDRESS, "withheld")


def test_a_protected_child_is_not_named(world: World) -> None:
    agency, person = world.agency(), world.citizen("protected-child")
    page = person.comes_from(agency.asks())
    child = world.inside.declared(person)["children"][0]
    items = agency.items(agency.token(person.shares(page))["access_token"])
    assert items["family.custody"] == ABSENT
    assert child["given_name"] not in str(items)
    assert items["address.registered"]["status"] == "provided"


def test_nobody_acts_for_the_dead(world: World) -> None:
    agency, person = world.agency(), world.citizen("deceased")
    page = person.comes_from(agency.asks())
    assert page.get("not-possible")["data-reason"] == "not_eligible", "they read why before the agency learns anything"
    said = agency.receives(person.goes_back(page))
    assert said == {"error": "access_denied", "error_description": "subject_not_eligible"}
    assert "access.released" not in [event.type for event in world.inside.events(person)]
    assert person.sharing() == {}


def test_no_register_knows_the_person(world: World) -> None:
    agency, person = world.agency(), world.citizen("no-record")
    page = person.comes_from(agency.asks())
    assert page.has("consent")
    items = agency.items(agency.token(person.shares(page))["access_token"])
    assert {item for item, said in items.items() if "value" in said} == set()
    assert items["identity.given_name"] == {"status": "not_held"}
    assert items["address.registered"] == items["family.custody"] == ABSENT


def test_not_yet_in_the_tax_register(world: World) -> None:
    agency, person = world.agency(), world.citizen("no-tax-record")
    items = agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    assert items["income.taxable_band"] == {"status": "not_held"}
    assert items["contact.iban"] == ABSENT


def test_nothing_is_never_zero_or_blank(world: World) -> None:
    agency, person = world.agency(), world.citizen("no-children")
    items = agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    assert "value" not in items["family.custody"]
    other = world.citizen("no-income")
    items = agency.items(agency.token(other.shares(other.comes_from(agency.asks())))["access_token"])
    assert items["income.taxable_band"]["value"] == "B0"
