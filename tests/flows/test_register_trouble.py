"""A register is down, slow or talks nonsense: its row says so, the rest works, the agency learns that asking again helps."""

from collections.abc import Iterator
from threading import Thread

import pytest

from tests import machine_clock
from tests.actors import row
from tests.world import World

LATER = {"status": "not_provided", "retryable": True}


@pytest.fixture(autouse=True)
def mended(world: World) -> Iterator[None]:
    """After a story here the register answers again, and the broker has noticed."""
    yield
    world.register.fails(None)
    person = world.neighbour()
    person.comes_from(world.agency().asks())

    def noticed() -> bool:
        page = person.open(world.agency().asks())
        return bool(page.get("consent").find_all("input", value="contact.iban"))

    machine_clock.wait_for(noticed, lambda: "the register stays away", every=0.5)


@pytest.mark.parametrize("persona", ["tax-down", "tax-slow", "tax-malformed"])
def test_one_register_fails_for_one_person(world: World, persona: str) -> None:
    person, agency = world.citizen(persona), world.agency()
    page = person.comes_from(agency.asks())
    said = row(page, "income.taxable_band")
    assert "not answering" in said
    assert world.inside.declared(person)["population"]["street_address"] in page.get("consent").text
    assert not page.get("consent").find_all("input", value="contact.iban"), "nothing to tick"
    token = agency.token(person.shares(page, "contact.email"))
    items = agency.items(token["access_token"])
    assert items["address.registered"]["status"] == items["contact.email"]["status"] == "provided"
    assert items["income.taxable_band"] == LATER
    shown, released = world.inside.events(person)[2], world.inside.events(person)[0]
    assert shown.private["items"]["income.taxable_band"] == "source_unavailable"
    assert released.private["items"]["income.taxable_band"] == "source_unavailable"


def test_it_works_again_while_the_person_decides(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    with world.register.failing("down"):
        page = person.comes_from(agency.asks())
        assert "not answering" in row(page, "income.taxable_band")
    again = person.open(page.links("/consent")[0])
    said = row(again, "income.taxable_band")
    assert "not answering" not in said, "Try again shows what the register says now"
    token = agency.token(person.shares(again, "contact.iban"))
    assert agency.items(token["access_token"])["income.taxable_band"]["status"] == "provided"


def test_it_fails_later_for_an_ongoing_permission(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks()), "contact.iban"))
    assert agency.items(token["access_token"])["income.taxable_band"]["status"] == "provided"
    with world.register.failing("malformed"):
        items = agency.items(token["access_token"])
        assert items["income.taxable_band"] == items["contact.iban"] == LATER
        assert items["address.registered"]["status"] == "provided"
        assert agency.data(token["access_token"]).json()["replaces_documents"] == []
    assert agency.items(token["access_token"])["contact.iban"]["status"] == "provided"


def test_a_slow_register_holds_nobody_else(world: World) -> None:
    """Somebody else is served from end to end while it is waited for; a busy machine may try three times."""
    assert any(served_meanwhile(world) for _ in range(3))


def served_meanwhile(world: World) -> bool:
    waits, other, agency, office = world.neighbour(), world.neighbour(), world.agency(), world.agency("norr-planning")
    address, before = agency.asks(), world.register.asked()
    with world.register.failing("slow"):
        slow = Thread(target=lambda: waits.comes_from(address))
        slow.start()
        machine_clock.wait_for(lambda: world.register.asked() > before)
        office.token(other.shares(other.comes_from(office.asks())))
        meanwhile = slow.is_alive()
        slow.join()
    return meanwhile


def test_a_record_with_a_hole_costs_only_itself(world: World) -> None:
    person, agency = world.citizen("garbled"), world.agency()
    page = person.comes_from(agency.asks())
    for item in ("identity.birth_date", "income.taxable_band"):
        said = row(page, item)
        assert "in a form that we cannot use" in said, "the register answered for the others"
    token = agency.token(person.shares(page))
    items = agency.items(token["access_token"])
    assert items["identity.birth_date"] == items["income.taxable_band"] == LATER
    assert items["address.registered"]["status"] == "provided"
