"""Signing out at the broker: the agency's own session ends too, and what was permitted stays."""

from examples.browse import Page
from tests import machine_clock
from tests.world import World


def test_the_agency_forgets_the_visit(world: World) -> None:
    person, form = world.neighbour(), world.agencies["norr-planning"]
    page = person.sign_in(person.press(person.open(f"{form}/"), "prefill", "fill"))
    person.shares(page)
    held = person.walker.http.get(f"{form}/visit.json").json()
    assert held["answer"]
    person.press(person.open("/sign-out"), "sign-out", "sign-out")
    machine_clock.wait_for(lambda: person.walker.http.get(f"{form}/visit.json").json()["answer"] is None)
    elsewhere = person.elsewhere()
    elsewhere.sign_in()
    assert held["answer"]["grant_id"] in elsewhere.sharing()


def test_from_the_agency_and_back_to_it(world: World) -> None:
    person, form = world.neighbour(), world.agencies["norr-planning"]
    page = person.shares(person.sign_in(person.press(person.open(f"{form}/"), "prefill", "fill")))
    page = person.press(page, "application", "submit", **dict.fromkeys(missing(page), "x"))
    page = person.press(page, "sign-out", "sign-out")
    assert page.url.startswith(f"{world.issuer}/logout?")
    assert person.press(page, "logout", "sign-out").url == f"{form}/"
    assert person.open("/account").has("sign-in")


def missing(page: Page) -> list[str]:
    """The fields of the agency's form that nothing has filled in."""
    fields = [e for e in page.get("application") if e.tag in {"input", "textarea"} and e["name"]]
    return [e["name"] for e in fields if not (e["value"] or e.text)]


def test_an_agency_believes_no_stranger(world: World) -> None:
    form, http = world.agencies["norr-planning"], world.neighbour().walker.http
    for sent in ({}, {"logout_token": "x"}, {"logout_token": "e30.e30."}):
        assert http.post(f"{form}/backchannel-logout", data=sent).status_code == 400
