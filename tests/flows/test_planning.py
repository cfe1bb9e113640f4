"""The planning office asks once: no second identification, a new decision, no paper; and every time anew."""

from tests.actors import row
from tests.world import World


def test_no_second_identification_and_no_proof_of_address(world: World) -> None:
    parent, childcare = world.neighbour(), world.agency()
    known = childcare.token(parent.shares(parent.comes_from(childcare.asks())))
    office = world.agencies["norr-planning"]
    empty = parent.open(f"{office}/form")
    assert empty.content.find("input", name="proof-of-address")
    page = parent.press(empty, "prefill", "fill")
    assert page.has("consent"), page.heading
    said = row(page, "address.registered")
    assert world.inside.declared(parent)["population"]["street_address"] in said
    page = parent.shares(page)
    assert not page.content.find("input", name="proof-of-address")
    visit = world.visit(parent, "norr-planning")
    assert visit["answer"]["replaces_documents"] == ["proof-of-address"]
    assert visit["subject"] != known["subject"], "two agencies know the person by one name"


def test_once_is_asked_every_time(world: World) -> None:
    person, office = world.neighbour(), world.agency("norr-planning")
    first = office.token(person.shares(person.comes_from(office.asks())))
    page = person.open(office.asks())
    assert page.has("consent")
    second = office.token(person.shares(page))
    assert first["grant_id"] != second["grant_id"]
    assert first["subject"] == second["subject"]
    assert len(person.sharing()) == 2


def test_once_hands_over_once_what_was_shown(world: World) -> None:
    person, office = world.neighbour(), world.agency("norr-planning")
    token = office.token(person.shares(person.comes_from(office.asks()), "contact.email"))
    assert "refresh_token" not in token
    assert office.call("GET", "/userinfo", token=token["access_token"]).json() == {"sub": token["subject"]}
    first = office.data(token["access_token"], Idempotency_Key="one").json()
    again = office.data(token["access_token"], Idempotency_Key="one").json()
    assert first["items"] == again["items"]
    assert first["ledger"]["seq"] < again["ledger"]["seq"]
    assert world.inside.permission(person, token["grant_id"]).state == "exhausted"
    late = office.data(token["access_token"])
    assert (late.status_code, late.json()["error_description"]) == (
        401,
        "this permission was good once, and has been used",
    )
    assert office.call("GET", "/userinfo", token=token["access_token"]).status_code == 401


def test_the_planning_office_offers_no_second_look(world: World) -> None:
    """Its form has what it got, and no button that would be refused."""
    person, office = world.neighbour(), world.agencies["norr-planning"]
    page = person.shares(person.sign_in(person.press(person.open(f"{office}/"), "prefill", "fill")))
    assert world.visit(person, "norr-planning")["answer"]["items"]
    assert not page.has("refresh")


def test_no_address_leaves_the_paper_to_be_asked_for(world: World) -> None:
    person, office = world.citizen("no-address"), world.agency("norr-planning")
    token = office.token(person.shares(person.comes_from(office.asks())))
    assert office.data(token["access_token"]).json()["replaces_documents"] == []
