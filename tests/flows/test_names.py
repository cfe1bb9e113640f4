"""Every name reaches the screen and the agency as it is written: one name, many, long, in any script, like markup."""

import pytest

from tests.actors import row
from tests.world import World

NAMES = [
    "single-name", "apostrophes", "four-names", "year-only", "year-month", "very-long", "arabic", "mixed-script", "joiner",
    "chinese", "vietnamese", "one-letter", "null", "markup", "many-children", "leap-day",
]  # fmt: skip


@pytest.mark.parametrize("persona", NAMES)
def test_it_arrives_as_it_is_written(world: World, persona: str) -> None:
    person, agency = world.citizen(persona), world.agency()
    known = world.inside.declared(person)["population"]
    page = person.comes_from(agency.asks())
    for item, said in [("identity.given_name", "given_name"), ("identity.family_name", "family_name")]:
        assert " ".join(known.get(said, "").split()) in row(page, item)
    token = agency.token(person.shares(page))
    items = agency.items(token["access_token"])
    assert items["identity.given_name"]["value"] == known["given_name"]
    assert items["identity.birth_date"]["value"] == known["birth_date"]
    assert items["address.registered"]["value"]["street_address"] == known["street_address"]
    if persona == "single-name":
        assert items["identity.family_name"] == {"status": "not_applicable"}
    else:
        assert items["identity.family_name"]["value"] == known["family_name"]
    children = world.inside.declared(person).get("children", [])
    if children:
        assert [c["given_name"] for c in items["family.custody"]["value"]] == [c["given_name"] for c in children]


def test_the_form_of_the_demo_takes_the_longest_and_the_strangest(world: World) -> None:
    for persona in ("very-long", "markup"):
        person, form = world.citizen(persona), world.agencies["norr-planning"]
        page = person.sign_in(person.press(person.open(f"{form}/"), "prefill", "fill"))
        page = person.shares(page)
        known = world.inside.declared(person)["population"]
        filled = {e["name"]: e for e in page.content if "data-source" in e}
        assert filled["identity.family_name"]["value"] == known["family_name"]
        assert not page.content.find("script")


def test_a_partial_date_is_told_as_it_is(world: World) -> None:
    person, agency = world.citizen("year-only"), world.agency()
    said = row(person.comes_from(agency.asks(prompt="consent")), "identity.birth_date")
    assert "1984" in said
    assert "January" not in said


def test_an_arabic_reader_reads_arabic(world: World) -> None:
    person, agency = world.citizen("arabic"), world.agency("norr-planning")
    person.walker.http.headers["accept-language"] = "ar"
    page = person.comes_from(agency.asks())
    html = page.content.find("html")
    assert html is not None
    assert (html["lang"], html["dir"]) == ("ar", "rtl")
    assert "ليلى عبد الرحمن" in page.get("consent").text
    token = agency.token(person.shares(page))
    assert agency.items(token["access_token"])["identity.given_name"]["value"] == "ليلى عبد الرحمن"
    assert token["grant_id"] in person.sharing()
    assert world.inside.events(person)[1].private["language"] == "ar"


def test_the_language_of_the_agencys_form_goes_on(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    form = person.open(agency.asks(ui_locales="ar en"))
    page = person.sign_in(form)
    for seen in (form, page):
        html = seen.content.find("html")
        assert html is not None
        assert (html["lang"], html["dir"]) == ("ar", "rtl")
    agency.token(person.shares(page))
