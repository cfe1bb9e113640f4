"""An unknown client or a wrong address is told on a page; nobody is ever sent anywhere (RFC 6749 §4.1.2.1)."""

from urllib.parse import urlencode

import httpx2
import pytest

from tests.world import World

NOWHERE = "urn:ietf:params:oauth:request_uri:" + "A" * 43


def look(world: World, **said: str) -> httpx2.Response:
    return world.http.get(f"{world.issuer}/authorize?{urlencode(said)}")


def is_page(answer: httpx2.Response) -> bool:
    return answer.status_code in {400, 403, 404} and "location" not in answer.headers and 'id="problem"' in answer.text


WRONG = [
    {},
    {"client_id": "norr-childcare"},
    {"client_id": "nobody", "request_uri": NOWHERE},
    {"client_id": "norr-childcare", "request_uri": NOWHERE},
    {"client_id": "norr-childcare", "request_uri": "https://agency.example/request.jwt"},
    {
        "client_id": "norr-childcare",
        "redirect_uri": "https://agency.example/",
        "response_type": "code",
        "scope": "openid",
    },
    {"client_id": "semel.wallet", "request_uri": NOWHERE},
]


@pytest.mark.parametrize("said", WRONG)
def test_nothing_to_go_by(world: World, said: dict[str, str]) -> None:
    answer = look(world, **said)
    assert is_page(answer), (answer.status_code, answer.text[:200])
    assert "correlation-id" in answer.text


def test_anothers_request_is_unknown(world: World) -> None:
    pushed = world.agency().push().json()["request_uri"]
    assert is_page(look(world, client_id="norr-planning", request_uri=pushed))
    assert is_page(look(world, client_id="nobody", request_uri=pushed))


def test_parameters_beside_the_request_change_nothing(world: World) -> None:
    agency, person = world.agency(), world.neighbour()
    address = (
        agency.asks() + "&" + urlencode({"redirect_uri": "https://evil.example/", "scope": "openid", "state": "x"})
    )
    page = person.comes_from(address)
    agency.receives(person.press(page, "consent", "refuse"))


def test_two_of_a_kind_are_refused(world: World) -> None:
    answer = world.http.get(world.agency().asks() + "&client_id=norr-planning")
    assert is_page(answer)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/callback",
        "{callback}/",
        "{callback}?a=b",
        "{callback}#x",
        "http://127.0.0.1:1/callback",
        "",
    ],
)
def test_a_wrong_redirect_uri_is_refused_when_it_is_pushed(world: World, address: str) -> None:
    agency = world.agency()
    answer = agency.push(redirect_uri=address.format(callback=agency.callback))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_unknown_client_pushes_nothing(world: World) -> None:
    agency = world.agency()
    agency.client_id = "nobody"
    answer = agency.push()
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_one_agency_cannot_push_as_another(world: World) -> None:
    agency = world.agency()
    answer = agency.push(client_id="norr-planning")
    assert answer.json()["error"] in {"invalid_client", "invalid_request"}
    agency.key_file = world.agency("norr-planning").key_file
    assert agency.push().json()["error"] == "invalid_client"
