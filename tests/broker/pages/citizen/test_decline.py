"""A no before signing in: one press, the service is told, nothing is recorded about anybody."""

import pytest

from tests.broker.endpoints.test_authorize import Asking, arrive
from tests.broker.whole import Whole


def test_a_no_on_the_sign_in_page_ends_at_the_agency(whole: Whole) -> None:
    maria, agency = whole.citizen(), whole.agency()
    back = maria.press(maria.open(agency.asks()), "decline", "decline")
    assert agency.receives(back)["error"] == "access_denied"
    assert whole.events() == []


def test_on_the_code_page_too(whole: Whole) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.press(
        maria.open(agency.asks()), "sign-in", "sign-in", username="maria", password=maria.person["password"]
    )
    assert agency.receives(maria.press(page, "decline", "decline"))["error"] == "access_denied"


def test_pressed_twice_it_gives_the_same_answer_and_the_request_is_over(whole: Whole) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.open(agency.asks())
    first = maria.press(page, "decline", "decline")
    assert maria.press(page, "decline", "decline").url == first.url
    assert maria.open(page.url).get("problem")["data-code"] == "invalid_request_uri"


def test_without_the_forms_own_token_nothing_ends(whole: Whole) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.open(agency.asks())
    path = page.url.replace("sign-in", "decline")
    assert maria.walker.post(path, action="decline").status_code == 403
    stranger = whole.citizen()
    stranger.open("/sign-in")
    filled = stranger.fields(stranger.open("/sign-in"), "sign-in")
    assert stranger.walker.post(path, **filled).status_code == 400
    assert maria.open(page.url).has("sign-in")


def test_once_the_decision_was_reached_its_own_page_has_the_no(whole: Whole) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.open(agency.asks())
    maria.sign_in(page)
    assert maria.press(page, "decline", "decline").status in {200, 403}
    assert maria.open(page.url).has("consent")


def test_somebody_who_came_on_their_own_has_nothing_to_decline(whole: Whole) -> None:
    maria = whole.citizen()
    assert not maria.open("/sign-in").has("decline")


@pytest.fixture
def asking(whole: Whole) -> Asking:
    made = Asking(whole)
    made.registered(policy_uri="https://norr-planning.example/privacy", tos_uri="https://norr-planning.example/terms")
    return made


def test_a_request_that_the_browser_holds(asking: Asking) -> None:
    person = asking.whole.citizen()
    door = arrive(person, asking.address()).headers["location"]
    page = person.open(door)
    filled = person.fields(page, "decline")
    for _ in range(2):
        sent = person.walker.post(f"{person.issuer}{door.replace('sign-in', 'decline')}", **filled, action="decline")
        if sent.status_code == 303:
            assert "error=access_denied" in sent.headers["location"]
            break
    assert person.open(door).get("problem")["data-code"] == "invalid_request_uri"


def test_the_services_own_pages_are_linked_where_people_sign_in(asking: Asking) -> None:
    person = asking.whole.citizen()
    page = person.open(arrive(person, asking.address()).headers["location"])
    links = page.get("terms").find_all("a")
    assert [link["href"] for link in links] == [
        "https://norr-planning.example/privacy",
        "https://norr-planning.example/terms",
    ]
    assert all("noreferrer" in link["rel"] for link in links)
    assert "on its own pages" in page.get("terms").text
