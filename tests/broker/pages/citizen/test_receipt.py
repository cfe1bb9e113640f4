"""After Share: the receipt with what was decided, and the way back, with one code however often it is pressed."""

import pytest

from examples.browse import Page
from tests.actors import Agency, Citizen
from tests.broker.whole import Whole


def shared(whole: Whole, *items: str, client_id: str = "norr-childcare") -> tuple[Page, Citizen, Agency]:
    maria, agency = whole.present(), whole.agency(client_id)
    return maria.press(maria.open(agency.asks()), "consent", "share", item=list(items)), maria, agency


def test_what_was_shared_until_when_with_a_number(whole: Whole) -> None:
    page, _, _ = shared(whole, "contact.email")
    text = page.content.text
    (event,) = [event for event in whole.events() if event.type == "permission.given"]
    for said in ("Given names", "E-mail", "Until 19 February 2027", "21 November 2026", str(event.seq)):
        assert said in text
    assert "Bank account (IBAN) \u2013 you left it out" in text
    assert page.links(f"/account/sharing/{event.permission}")
    assert "Maria" not in text, "the receipt names items, no values"


# fmt: off
OUTCOMES = [
    # what the register said        what the receipt says of the address
    ("not_held",                    "Home address \u2013 the register holds nothing"),
    ("not_applicable",              "Home address \u2013 does not apply to you"),
    ("withheld",                    "Home address \u2013 protected"),
    ("source_unavailable",          "Home address \u2013 the register did not answer"),
]
# fmt: on


@pytest.mark.parametrize(("status", "says"), OUTCOMES)
def test_what_was_not_shared_and_why(whole: Whole, status: str, says: str) -> None:
    whole.registers["population"].statuses["address.registered"] = status
    assert says in shared(whole)[0].content.text


def test_once_says_once(whole: Whole) -> None:
    assert "Once" in shared(whole, client_id="norr-planning")[0].content.text


def test_it_can_be_read_again(whole: Whole) -> None:
    page, maria, _ = shared(whole)
    again = maria.open(page.url)
    assert again.content.text == page.content.text
    assert whole.types() == ["access.previewed", "permission.given"]


def test_continue_twice_is_one_code(whole: Whole) -> None:
    page, maria, agency = shared(whole)
    codes = set()
    for seconds in (0, 30, 29):
        whole.clock.later(seconds)
        codes.add(agency.receives(maria.press(page, "done", "continue"))["code"])
    assert len(codes) == 1


# fmt: off
LATE = [
    # read the receipt for    then wait     Continue leads
    (0,                       0,            "back"),
    (599,                     0,            "back"),
    (600,                     0,            "uncollected"),      # the receipt's clock is over
    (599,                     59,           "back"),        # the code's own minute begins at Continue
    (599,                     60,           "uncollected"),
]
# fmt: on


@pytest.mark.parametrize(("reads", "waits", "leads"), LATE)
def test_the_clocks_of_receipt_and_code(whole: Whole, reads: int, waits: int, leads: str) -> None:
    page, maria, agency = shared(whole)
    whole.clock.later(reads)
    if waits:
        maria.press(page, "done", "continue")
        whole.clock.later(waits)
    found = maria.press(page, "done", "continue")
    if leads == "back":
        assert agency.redeem(agency.receives(found)["code"]).status_code == 200
    else:
        assert (found.status, found.get("already")["data-outcome"]) == (410, leads)


def test_there_is_no_receipt_before_the_press(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    early = maria.open(page.url.replace("consent", "done"))
    assert not early.has("done")
    assert whole.types() == ["access.previewed"]


def test_continue_takes_the_pages_own_form(whole: Whole) -> None:
    page, maria, _ = shared(whole)
    answer = maria.walker.http.post(page.url, data={"action": "continue"})
    assert answer.status_code == 403


def test_a_receipt_of_a_permission_that_was_stopped(whole: Whole) -> None:
    page, maria, agency = shared(whole)
    maria.stops(next(iter(maria.sharing())))
    assert maria.open(page.url).has("done")
    code = agency.receives(maria.press(page, "done", "continue"))["code"]
    assert agency.redeem(code).json()["error"] == "invalid_grant"


def test_many_later_entries_do_not_hide_it(whole: Whole) -> None:
    page, maria, agency = shared(whole)
    office = whole.agency("norr-planning")
    token = office.token(maria.shares(maria.open(office.asks())))["access_token"]
    for _ in range(60):
        assert office.data(token, Idempotency_Key="lost").status_code == 200
    assert maria.open(page.url).has("done")
    assert agency.token(maria.press(page, "done", "continue"))["grant_id"]
