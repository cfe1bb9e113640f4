"""A consent form that is not the one that was shown: refused, and nothing is recorded."""

import httpx2
import pytest

from examples.browse import Page
from tests.actors import Citizen
from tests.world import World


def send(person: Citizen, page: Page, **changed: str | list[str] | None) -> httpx2.Response:
    """The form of the consent page with Share pressed, changed."""
    said = person.fields(page, "consent") | {"decision": "share"} | changed
    return person.walker.post(page.url, **{name: value for name, value in said.items() if value is not None})


def nothing_happened(world: World, person: Citizen) -> bool:
    return [event.type for event in world.inside.events(person)] == ["access.previewed"] and person.sharing() == {}


CHANGED: list[tuple[dict[str, str | list[str] | None], int]] = [
    ({"item": ["identity.person_number"]}, 400),
    ({"item": ["identity.given_name"]}, 400),
    ({"item": ["contact.phone", "contact.iban"]}, 400),
    ({"item": ["contact.iban", "no.such"]}, 400),
    ({"decision": "yes"}, 400),
    ({"decision": ["share", "refuse"]}, 400),
    ({"duration": "3650"}, 400),
    ({"duration": "-1"}, 400),
    ({"form_token": None}, 403),
    ({"form_token": "00" * 32}, 403),
    ({"form_token": "not hexadecimal"}, 403),
    ({"shown": "x" * 2_000_000}, 413),
]


@pytest.mark.parametrize(("changed", "status"), CHANGED)
def test_a_form_nobody_was_shown(world: World, changed: dict[str, str | list[str] | None], status: int) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    answer = send(person, page, **changed)
    assert answer.status_code == status, answer.text[:300]
    assert 'id="correlation-id"' in answer.text
    assert nothing_happened(world, person)
    agency.token(person.shares(page, "contact.iban"))


def test_a_form_without_an_answer_asks_again(world: World) -> None:
    """Enter in a box sends the form without either button's name."""
    person, agency = world.neighbour(), world.agency()
    answer = send(person, person.comes_from(agency.asks()), decision=None, item=["contact.iban"])
    assert answer.status_code == 422
    assert "Choose one of the two buttons" in answer.text
    assert answer.text.count(" checked>") == 2, "what was ticked stays ticked, and one period is chosen"
    assert nothing_happened(world, person)


@pytest.mark.parametrize("shown", [None, "", "0" * 64, "ö"])
def test_another_screen_than_the_one_shown(world: World, shown: str | None) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    answer = send(person, page, shown=shown)
    assert answer.status_code == 200
    assert "Nothing has been shared" in answer.text
    assert 'id="consent"' in answer.text
    assert nothing_happened(world, person)


def test_the_screen_in_another_language_is_another_screen(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    arabic = person.open(f"{page.url}?lang=ar")
    assert person.press(page, "consent", "share").has("consent"), "what was read in English was not shown last"
    assert nothing_happened(world, person)
    agency.token(person.shares(arabic))


def test_another_sessions_form_token(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    thief = world.neighbour()
    taken = thief.fields(thief.comes_from(world.agency("norr-planning").asks()), "consent")["form_token"]
    answer = send(person, page, form_token=taken)
    assert answer.status_code == 403
    assert nothing_happened(world, person)
    assert thief.sharing() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_form_from_another_site(world: World, headers: dict[str, str]) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    said = person.fields(page, "consent") | {"decision": "share"}
    answer = person.walker.http.post(page.url, data=said, headers=headers)
    assert answer.status_code == 403
    assert nothing_happened(world, person)


def test_without_a_session_there_is_nothing(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    said = person.fields(page, "consent") | {"decision": "share"}
    person.walker.http.cookies.delete("semel")
    answer = person.walker.http.post(page.url, data=said)
    assert answer.status_code in {303, 403}
    person.sign_in()
    assert person.sharing() == {}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"decision=share&decision=refuse", "application/x-www-form-urlencoded", 400),
        (b'{"decision": "share"}', "application/json", 415),
        (b"decision=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)
def test_no_form_at_all(world: World, content: bytes, kind: str, status: int) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    answer = person.walker.http.post(page.url, content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text[:200]
    assert nothing_happened(world, person)
