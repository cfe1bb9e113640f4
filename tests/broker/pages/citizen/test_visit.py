"""Whose journey it is, and what is said to everyone else, and when it is over (`pages`: never a 500, never a second answer)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from broker.tables import journey as journeys
from broker.tables import session as sessions
from examples.browse import Page
from tests.broker.whole import Whole, journey_of

PAGES = ("consent", "done")


def outcome(page: Page) -> tuple[int, str]:
    return page.status, page.get("already")["data-outcome"]


def change(whole: Whole, **values: Any) -> None:
    with whole.parts.database.write() as tx:
        tx.execute(update(journeys).values(**values))


def test_its_own_browser_in_its_own_session_sees_it(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    assert page.has("consent")
    assert maria.open(page.url).has("consent")


@pytest.mark.parametrize("page", PAGES)
def test_an_address_nobody_gave_out(whole: Whole, page: str) -> None:
    for journey_id in ("x", "x" * 22, "é", "%00", "a%2Fb"):
        found = whole.client(accept="text/html").get(f"/i/{journey_id}/{page}")
        assert found.status_code in {400, 404, 410}


# fmt: off
COOKIES = [
    # what the browser holds instead of the handle
    ("nothing",         lambda _held: ""),
    ("another handle",  lambda _held: "00" * 32),
    ("half of it",      lambda held: held[:32]),
    ("more than it",    lambda held: held + "00"),
    ("no hex",          lambda _held: "zz" * 32),
    ("other letters",   lambda held: held[:-1] + ("0" if held[-1] != "0" else "1")),
]
# fmt: on


@pytest.mark.parametrize(("name", "other"), COOKIES, ids=[row[0] for row in COOKIES])
@pytest.mark.parametrize("page", PAGES)
def test_without_its_handle_nothing_is_told(whole: Whole, page: str, name: str, other: Callable[[str], str]) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    cookies = maria.walker.http.cookies
    named = f"__Host-semel-{journey_of(url)}"
    held = cookies[named]
    cookies.delete(named)
    if other(held):
        cookies.set(named, other(held))
    found = maria.open(url.replace("consent", page))
    assert outcome(found) == (403, "other_browser")
    assert "childcare" not in found.content.text.lower(), "not even which service it was"


@pytest.mark.parametrize("page", PAGES)
def test_another_person_in_the_same_browser_sees_nothing_of_it(whole: Whole, page: str) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    cookie = whole.present("nora").walker.http.cookies["__Host-semel"]
    maria.walker.http.cookies.delete("__Host-semel")
    maria.walker.http.cookies.set("__Host-semel", cookie, domain="id.norr.example", path="/")
    found = maria.open(url.replace("consent", page))
    assert outcome(found) == (403, "other_session")
    assert "childcare" not in found.content.text.lower(), "not even which service it was"


def test_signed_out_is_told(whole: Whole) -> None:
    """A new sign-in could not go on with it: it says so before anybody tries."""
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    with whole.parts.database.write() as tx:
        tx.execute(update(sessions).values(closed=1))
    found = maria.open(url)
    assert outcome(found) == (403, "signed_out")
    assert "https://norr-childcare.example/" in [link["href"] for link in found.content.find_all("a")]


# fmt: off
ENDS = [
    # state         later by    said                    (`records`: two clocks, told apart by what was decided)
    ("open",        900,        (410, "expired")),
    ("previewed",   900,        (410, "expired")),
    ("refused",     900,        (410, "refused")),
    ("shared",      900,        (410, "uncollected")),
    ("returned",    900,        (410, "uncollected")),
    ("refused",     0,          (200, "refused")),
]
# fmt: on


@pytest.mark.parametrize(("state", "later", "said"), ENDS)
@pytest.mark.parametrize("page", PAGES)
def test_what_is_over_says_what_became_of_it(
    whole: Whole, page: str, state: str, later: int, said: tuple[int, str]
) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    change(whole, state=state)
    whole.clock.later(later)
    found = maria.open(url.replace("consent", page))
    assert outcome(found) == said
    assert "Childcare allowance" in found.content.text
    if said[1] == "uncollected":
        assert "Nothing was shared" not in found.content.text


@pytest.mark.parametrize("page", PAGES)
def test_a_spent_code_ends_it(whole: Whole, page: str) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    agency.token(maria.shares(maria.open(url)))
    assert outcome(maria.open(url.replace("consent", page))) == (410, "returned")


def test_the_last_moment_counts(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    whole.clock.later(899.999999)
    assert maria.open(url).has("consent")


def ends(answer: Any) -> str:
    """The sources of a page's `form-action`."""
    policy = answer.headers["content-security-policy"]
    return str(next(part for part in policy.split("; ") if part.startswith("form-action ")))


BACK = "form-action 'self' https://norr-childcare.example"


@pytest.mark.parametrize("page", ["sign-in", "code", "phone", "consent", "done"])
def test_every_page_of_an_interaction_lets_its_forms_end_at_its_client(whole: Whole, page: str) -> None:
    """Before signing in, half signed in, deciding, after Share, after the answer was fetched: whatever form is shown then."""
    citizen, agency, seen = whole.citizen(), whole.agency(), 0
    http = citizen.walker.http

    def look(url: str) -> int:
        answer = http.get(f"/i/{journey_of(url)}/{page}")
        has_form = "<form" in answer.text
        if has_form:
            assert ends(answer) == BACK, answer.text
        return int(has_form)

    entrance = citizen.open(agency.asks())
    seen += look(entrance.url)
    person = citizen.person
    half = citizen.press(entrance, "sign-in", "sign-in", username=person["username"], password=person["password"])
    seen += look(entrance.url)
    consent = citizen.press(half, "one-time-code", "continue", code=citizen.codes.code())
    seen += look(entrance.url)
    receipt = citizen.press(consent, "consent", "share")
    seen += look(entrance.url)
    agency.token(citizen.press(receipt, "done", "continue"))
    seen += look(entrance.url)
    assert seen, "no form at any time"


def test_a_page_of_ours_outside_any_interaction_lets_its_forms_end_here_alone(whole: Whole) -> None:
    http = whole.client()
    for page in ("/sign-in", "/sign-in/phone", "/device", "/x"):
        answer = http.get(page)
        assert "<form" in answer.text
        assert ends(answer) == "form-action 'self'", page


def test_the_second_visit_ends_at_the_agency_from_the_code_page(whole: Whole) -> None:
    """A live permission and no session: sign-in leads through three redirects to the agency; the walker obeys `form-action`."""
    agency = whole.agency()
    first = whole.citizen()
    agency.token(first.shares(first.comes_from(agency.asks())))
    whole.clock.later(60)
    again = whole.citizen()
    assert agency.token(again.comes_from(agency.asks()))["subject"]


def test_another_browser_is_not_told_whose_client_it_is(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    url = maria.comes_from(agency.asks()).url
    assert "norr-childcare" not in str(whole.present("nora").walker.http.get(url).headers)


def test_periods_begin_with_the_shortest_and_it_is_chosen(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.comes_from(agency.asks())
    radios = page.get("consent").find_all("input", name="duration")
    assert [(radio["value"], "checked" in radio) for radio in radios] == [("90", True), ("365", False)]
    assert "19 February 2027" in page.get("consent").text
    assert "21 November 2027" in page.get("consent").text


def test_the_language_of_the_browser_is_the_language_of_the_page(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    maria.walker.http.headers["accept-language"] = "ar"
    page = maria.comes_from(agency.asks())
    assert page.content.find("html", lang="ar", dir="rtl") is not None
    assert "إعانة رعاية الأطفال" in page.content.text
