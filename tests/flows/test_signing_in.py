"""Signing in and out: what opens the account, what does not, and who cannot be asked at all."""

import pytest

from tests.world import World

UNMET = {"error": "unmet_authentication_requirements"}


def test_signing_out_closes_the_account_and_the_journey(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    form = person.open("/sign-out")
    stays = person.press(form, "sign-out", "stay")
    assert stays.has("sign-out") is False
    assert person.open("/account").status == 200
    person.press(person.open("/sign-out"), "sign-out", "sign-out")
    assert person.open("/account").has("sign-in")
    after = person.press(page, "consent", "share")
    assert not after.has("done")
    person.sign_in()
    assert person.sharing() == {}


def test_a_session_that_ended_cannot_be_brought_back(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    held = person.walker.http.cookies.get("semel")
    assert held
    person.press(person.open("/sign-out"), "sign-out", "sign-out")
    thief = person.elsewhere()
    thief.walker.http.cookies.set("semel", held, domain="localhost.local")
    assert thief.open("/account").has("sign-in")


def test_the_session_changes_when_the_code_is_right(world: World) -> None:
    person = world.neighbour()
    form = person.open("/sign-in")
    known = {"username": person.person["username"], "password": person.person["password"]}
    page = person.press(form, "sign-in", "sign-in", **known)
    half = person.walker.http.cookies.get("semel")
    assert person.open("/account").has("sign-in"), "half a sign-in opens nothing"
    assert person.open("/account/sharing").has("sign-in")
    person.press(page, "one-time-code", "continue", code=person.codes.code())
    assert person.walker.http.cookies.get("semel") != half
    assert person.open("/account").status == 200


def test_a_code_counts_once(world: World) -> None:
    person = world.neighbour()
    known = {"username": person.person["username"], "password": person.person["password"]}
    code = person.codes.code()
    for browser, opens in ((person, True), (person.elsewhere(), False)):
        page = browser.press(browser.open("/sign-in"), "sign-in", "sign-in", **known)
        page = browser.press(page, "one-time-code", "continue", code=code)
        assert page.has("one-time-code") is not opens
        assert browser.open("/account").has("sign-in") is not opens


@pytest.mark.parametrize("changed", [{"password": "wrong-wrong-wrong"}, {"username": "nobody"}])
def test_wrong_ones_are_told_alike(world: World, changed: dict[str, str]) -> None:
    person = world.neighbour()
    known = {"username": person.person["username"], "password": person.person["password"]}
    page = person.press(person.open("/sign-in"), "sign-in", "sign-in", **known | changed)
    assert page.status == 403
    assert page.has("sign-in")
    assert person.person["password"] not in str([e.attributes for e in page.content])
    assert person.open("/account").has("sign-in")


@pytest.mark.parametrize("persona", ["plain", "unproven"])
def test_identity_was_never_proven(world: World, persona: str) -> None:
    person, agency = world.citizen(persona), world.agency()
    before = world.inside.events(person)
    assert agency.receives(person.goes_back(person.comes_from(agency.asks()))) == UNMET
    assert person.open("/account").status == 200
    assert world.inside.events(person) == before


def test_who_was_never_proven_may_still_sign_in(world: World) -> None:
    """Without a use an agency learns a subject of its own and nothing else; the person finds it, and stops it, in the account."""
    person, agency = world.citizen("plain"), world.agency("norr-planning")
    page = person.comes_from(agency.asks(scope="openid", acr_values=None))
    assert page.heading == "Sign in to City of Norr · Planning office"
    body = agency.token(person.press(page, "consent", "share"))
    assert body["acr"] == "http://eidas.europa.eu/LoA/low"
    told = agency.call("GET", "/userinfo", token=body["access_token"])
    assert told.json() == {"sub": body["subject"]}
    assert agency.data(body["access_token"]).status_code == 403
    ((permission, text),) = person.sharing().items()
    assert "City of Norr · Planning office" in text
    assert "Planning office" in person.activity().content.text
    person.stops(permission)
    assert agency.call("GET", "/userinfo", token=body["access_token"]).status_code == 401


def test_prompt_none_answers_without_a_page(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    assert agency.receives(person.open(agency.asks(prompt="none"))) == {"error": "login_required"}
    person.sign_in()
    assert agency.receives(person.open(agency.asks(prompt="none"))) == {"error": "consent_required"}
    agency.token(person.shares(person.open(agency.asks())))
    assert agency.receives(person.open(agency.asks(prompt="none"))).keys() == {"code"}


def test_prompt_login_asks_for_a_new_sign_in(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    person.sign_in()
    page = person.open(agency.asks(prompt="login"))
    assert page.has("sign-in")
    page = person.sign_in(page)
    assert page.has("consent")
    agency.token(person.shares(page))
