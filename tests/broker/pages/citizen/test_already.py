"""The cause that a page states is the cause: what is over, what is somebody else's, and every way on from there."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from broker.sign_in import session as sessions
from broker.tables import journey as journeys
from examples.browse import Page
from tests.actors import Citizen
from tests.broker.whole import Whole, journey_of

PLANNING = "norr-planning"


def outcome(page: Page) -> tuple[int, str]:
    return page.status, page.get("already")["data-outcome"]


def words(page: Page) -> str:
    return page.get("already").text


def direct(whole: Whole) -> None:
    """Let the services take people back without a receipt, as agencies may register."""
    uses = whole.parts.uses
    versions = {name: use.model_copy(update={"direct_return": True}) for name, use in uses.versions.items()}
    whole.give(uses=replace(uses, versions=versions))


def password(whole: Whole, person: Citizen, page: Page) -> Page:
    return person.press(
        page, "sign-in", "sign-in", username=person.person["username"], password=person.person["password"]
    )


# --- two sign-in tabs for two services


def test_a_tab_that_still_shows_the_form_goes_on_once_another_tab_signed_in(whole: Whole) -> None:
    maria, one, two = whole.citizen(), whole.agency(), whole.agency(PLANNING)
    first, second = maria.open(one.asks()), maria.open(two.asks())
    assert first.has("sign-in")
    assert second.has("sign-in")
    assert maria.sign_in(second).has("consent")
    spent = maria.codes.used
    assert maria.open(first.url).has("consent"), "a session that suffices needs no form"
    assert password(whole, maria, first).has("consent"), "nor does the form that is shown already"
    assert maria.codes.used == spent


def test_a_new_sign_in_of_the_same_person_keeps_the_other_interaction_alive(whole: Whole) -> None:
    maria, one, two = whole.citizen(), whole.agency(), whole.agency(PLANNING)
    first = maria.comes_from(one.asks())
    assert first.has("consent")
    whole.clock.later(31)
    second = maria.open(two.asks(prompt="login"))
    half = password(whole, maria, second)
    assert half.has("one-time-code")
    between = maria.open(first.url)
    assert between.has("one-time-code"), "half signed in, the first tab asks for the same code"
    assert maria.press(half, "one-time-code", "continue", code=maria.codes.code()).has("consent")
    assert one.token(maria.shares(maria.open(first.url)))["subject"]


def test_the_form_of_a_page_from_before_the_new_sign_in_still_counts(whole: Whole) -> None:
    maria, one, two = whole.citizen(), whole.agency(), whole.agency(PLANNING)
    consent = maria.comes_from(one.asks())
    whole.clock.later(31)
    maria.sign_in(maria.open(two.asks(prompt="login")))
    assert one.token(maria.shares(consent))["subject"]


def test_another_person_in_between_is_told_as_such(whole: Whole) -> None:
    """Neither another browser nor too long a wait: somebody signed in anew."""
    maria, agency = whole.citizen(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    nora = whole.citizen("nora")
    nora.walker = maria.walker
    whole.clock.later(31)
    nora.sign_in(maria.open(whole.agency(PLANNING).asks(prompt="login")))
    found = maria.open(url)
    assert outcome(found) == (403, "other_session")
    assert "open for too long" not in found.content.text


# --- cookies, time


@pytest.mark.parametrize("page", ["sign-in", "code", "phone", "consent", "done", "not-possible"])
def test_a_browser_that_refuses_cookies_is_told_that_they_are_needed(whole: Whole, page: str) -> None:
    maria, agency = whole.citizen(), whole.agency()
    url = maria.open(agency.asks()).url
    if page in {"consent", "done"}:
        url = maria.sign_in(maria.open(url)).url
    stranger = whole.citizen()
    found = stranger.open(f"{stranger.issuer}/i/{journey_of(url)}/{page}")
    assert (found.status, found.get("problem")["data-code"]) == (403, "no_cookies")
    assert "cookie" in found.heading


@pytest.mark.parametrize("form", ["/sign-in", "/sign-in/phone", "/device", "/x"])
def test_a_form_without_our_cookie_says_so_and_not_that_time_ran_out(whole: Whole, form: str) -> None:
    citizen = whole.citizen()
    page = citizen.open(f"{citizen.issuer}{form}")
    name = {"/sign-in": "sign-in", "/sign-in/phone": "phone", "/device": "device", "/x": "phone-code"}[form]
    filled = citizen.fields(page, name)
    citizen.walker.http.cookies.clear()
    answer = citizen.walker.post(page.url, **filled)
    assert (answer.status_code, 'data-code="no_cookies"' in answer.text) == (403, True)
    assert "too long" not in answer.text


def test_past_twice_its_time_it_is_over_and_not_another_browsers(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    for late in (1801, 3000):
        whole.clock.later(late)
        for name in list(maria.walker.http.cookies):
            if name.startswith("__Host-semel-") and len(name) == len("__Host-semel-") + 22:
                maria.walker.http.cookies.delete(name)  # as a browser does by itself
        assert outcome(maria.open(url)) == (410, "over")


def test_a_sign_in_that_takes_too_long_is_over(whole: Whole) -> None:
    """Until when is on the page, and that is when."""
    maria, agency = whole.citizen(), whole.agency()
    page = maria.open(agency.asks())
    assert "You can sign in here until" in page.content.text
    whole.clock.later(1799)
    assert maria.open(page.url).has("sign-in")
    whole.clock.later(2)
    assert outcome(maria.open(page.url)) == (410, "expired")


def test_a_code_page_that_ran_out_of_time_begins_again_with_a_word(whole: Whole) -> None:
    maria = whole.citizen()
    half = password(whole, maria, maria.open("/sign-in"))
    assert half.has("one-time-code")
    whole.clock.later(sessions.HALF + 1)
    for page in (maria.open(half.url), maria.press(half, "one-time-code", "continue", code="123456")):
        assert page.has("sign-in")
        assert "ran out of time" in page.content.text
    assert maria.codes.used == 0
    fresh = whole.citizen()
    assert "ran out of time" not in fresh.open("/sign-in/code").content.text


def test_a_receipt_continued_too_late_says_what_the_service_has_and_how_to_start_again(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    done = maria.press(maria.comes_from(agency.asks()), "consent", "share")
    whole.clock.later(601)
    found = maria.press(done, "done", "continue")
    assert outcome(found) == (410, "uncollected")
    assert "It has received nothing" in words(found)
    links = [link["href"] for link in found.content.find_all("a")]
    assert "https://norr-childcare.example/" in links
    assert any(href.startswith("/account/sharing/") and href.endswith("/stop") for href in links), "it still stands"
    assert maria.stops(next(href for href in links if href.endswith("/stop")).split("/")[3]).status == 200


# --- a second press on a slow network, and another one


@pytest.mark.parametrize("decision", ["share", "refuse"])
def test_the_same_press_again_gets_the_same_redirect(whole: Whole, decision: str) -> None:
    direct(whole)
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    first = maria.press(page, "consent", decision)
    entries = whole.size()
    for _ in range(2):
        assert maria.press(page, "consent", decision).url == first.url
    assert whole.size() == entries
    if decision == "share":
        agency.token(first)
        late = maria.press(page, "consent", decision)
        assert outcome(late) == (410, "returned")
        assert "Your answer is from" in words(late)


@pytest.mark.parametrize("decision", ["share", "refuse"])
def test_looking_again_offers_the_way_back(whole: Whole, decision: str) -> None:
    direct(whole)
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    first = maria.press(page, "consent", decision)
    again = maria.open(page.url)
    form, button = ("done", "continue") if decision == "share" else ("refused", "refuse")
    assert maria.press(again, form, button).url == first.url


def test_another_decision_is_told_what_happened(whole: Whole) -> None:
    """Don't share after Share: no green receipt, but what happened, when, and the way to stop."""
    direct(whole)
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    maria.press(page, "consent", "share")
    entries = whole.size()
    for other in (
        maria.press(page, "consent", "refuse"),
        maria.press(page, "consent", "share", item=["contact.iban"]),
    ):
        assert outcome(other) == (409, "shared")
        assert "Your answer is from" in words(other)
        assert other.links("/stop")
    assert whole.size() == entries


def test_share_after_a_no_in_another_tab(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    maria.press(page, "consent", "refuse")
    other = maria.press(page, "consent", "share")
    assert outcome(other) == (409, "refused")
    assert whole.types() == ["access.previewed"]


@pytest.mark.parametrize(
    ("state", "values", "said"),
    [
        ("returned", {"code_expires": 1}, "uncollected"),
        ("returned", {"code_expires": 2**62}, "returned"),
        ("refused", {}, "refused"),
    ],
)
def test_what_became_of_it(whole: Whole, state: str, values: dict[str, Any], said: str) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    with whole.parts.database.write() as tx:
        tx.execute(update(journeys).values(state=state, **values))
    assert outcome(maria.open(url))[1] == said
