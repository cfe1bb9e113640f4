"""A device is let in over real HTTP, by real processes: the code there, the decision here, the data once (RFC 8628)."""

from collections import Counter
from typing import Any

import httpx2

from examples.browse import Page
from tests.actors import Agency, Citizen
from tests.flows import volley
from tests.flows.service import Service
from tests.world import World

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
MANY = 64


def asked_by(agency: Agency) -> dict[str, Any]:
    said = {"client_id": agency.client_id, "scope": f"openid use:{agency.use}"}
    answer = agency.post(path_of(agency, "device_authorization_endpoint"), said)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def path_of(agency: Agency, name: str) -> str:
    return str(agency.metadata()[name]).removeprefix(agency.issuer)


def polled(asked: dict[str, Any]) -> dict[str, str]:
    return {"grant_type": DEVICE, "device_code": asked["device_code"]}


def comes_to_decide(citizen: Citizen, asked: dict[str, Any]) -> Page:
    """From the link on the device's screen to the decision."""
    page = citizen.press(citizen.open(asked["verification_uri_complete"]), "device", "continue")
    assert page.get("user-code").text == asked["user_code"]
    page = citizen.press(page, "request", "continue")
    return citizen.sign_in(page) if page.has("sign-in") else page


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("error", ""))


def test_a_device_is_let_in(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asked_by(agency)
    assert error(agency.post("/token", polled(asked))) == (400, "authorization_pending")
    assert error(agency.post("/token", polled(asked))) == (400, "slow_down")
    end = person.press(comes_to_decide(person, asked), "consent", "share", item=["contact.iban"])
    assert end.get("answered")["data-outcome"] == "shared"
    token = agency.post("/token", polled(asked)).json()
    items = agency.items(token["access_token"])
    assert items["identity.given_name"]["status"] == "provided"
    permission = token["grant_id"]
    assert permission in person.sharing()
    person.stops(permission)
    assert agency.data(token["access_token"]).status_code == 401


def test_a_device_is_told_no(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asked_by(agency)
    person.press(comes_to_decide(person, asked), "consent", "refuse")
    assert error(agency.post("/token", polled(asked))) == (400, "access_denied")
    assert [one["type"] for one in world.inside.activity(person)] == ["permission.refused"]
    assert not person.sharing()


def test_of_64_questions_at_once_one_is_answered_with_tokens(service: Service, world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asked_by(agency)
    person.press(comes_to_decide(person, asked), "consent", "share")
    answers = service.volley([volley.signed(agency, "/token", polled(asked)) for _ in range(MANY)])
    assert Counter(error(answer) for answer in answers) == {(200, ""): 1, (400, "invalid_grant"): MANY - 1}
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    agency.items(token)


def test_of_64_early_questions_one_is_in_time(service: Service, world: World) -> None:
    agency = world.agency()
    asked = asked_by(agency)
    answers = service.volley([volley.signed(agency, "/token", polled(asked)) for _ in range(MANY)])
    pending, slow = (400, "authorization_pending"), (400, "slow_down")
    assert Counter(error(answer) for answer in answers) == {pending: 1, slow: MANY - 1}


def test_of_16_browsers_with_one_code_one_goes_on(service: Service, world: World) -> None:
    agency = world.agency()
    asked = asked_by(agency)
    presses = []
    for _ in range(16):
        browser = world.browser()
        page = browser.open(f"{world.issuer}/device")
        sent = {field["name"]: field["value"] for field in page.get("device").find_all("input", type="hidden")}
        presses.append(browser.http.build_request("POST", page.url, data=sent | {"user_code": asked["user_code"]}))
    answers = service.volley(presses)
    assert Counter(answer.status_code for answer in answers) == {303: 1, 403: 15}


def test_16_presses_of_share_are_one_permission(service: Service, world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asked_by(agency)
    page = comes_to_decide(person, asked)
    found = page.get("consent").find("button", value="share")
    assert found is not None
    press = person.fields(page, "consent") | {found["name"]: "share"}
    http = person.walker.http
    service.volley([http.build_request("POST", page.url, data=press) for _ in range(16)])
    given = [one for one in world.inside.events(person) if one.type == "permission.given"]
    assert len(given) == 1
    assert agency.post("/token", polled(asked)).json()["grant_id"] == given[0].permission
