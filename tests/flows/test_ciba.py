"""A person is asked in their account, over real HTTP: yes and no, by hand and by the stand-in, and all at once (CIBA Core)."""

import secrets
from collections import Counter
from typing import Any

import httpx2
import jwt
import pytest

from tests.actors import Agency, Citizen
from tests.flows import volley
from tests.flows.service import Service
from tests.world import World

CIBA = "urn:openid:params:grant-type:ciba"
MANY = 64


def asks(agency: Agency, citizen: Citizen) -> str:
    """A signed request about a person; its id."""
    key, kid = agency.key()
    now = int(agency.clock())
    claims: dict[str, Any] = {"iss": agency.client_id, "aud": agency.issuer, "jti": secrets.token_urlsafe(24)}
    claims |= {"iat": now, "nbf": now, "exp": now + 300, "scope": f"openid use:{agency.use}"}
    claims |= {"login_hint": citizen.person["username"], "binding_message": "Counter 7"}
    path = str(agency.metadata()["backchannel_authentication_endpoint"]).removeprefix(agency.issuer)
    answer = agency.post(path, {"request": jwt.encode(claims, key, "ES256", headers={"kid": kid})})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["auth_req_id"])


def polled(asked: str) -> dict[str, str]:
    return {"grant_type": CIBA, "auth_req_id": asked}


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("error", ""))


def kinds(world: World, citizen: Citizen) -> list[str]:
    return [event.type for event in reversed(world.inside.events(citizen))]


def test_a_person_says_yes(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asks(agency, person)
    person.sign_in()
    page = person.open("/account/requests")
    page = person.press(person.open(page.links("/account/requests/")[0]), "request", "continue")
    assert page.get("binding-message").text == "Counter 7"
    assert person.press(page, "consent", "share").get("answered")["data-outcome"] == "shared"
    token = agency.post("/token", polled(asked)).json()
    assert agency.items(token["access_token"])["identity.given_name"]["status"] == "provided"
    assert kinds(world, person) == ["access.previewed", "permission.given", "access.released"]


def test_a_person_says_no(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asks(agency, person)
    person.sign_in()
    page = person.open(person.open("/account/requests").links("/account/requests/")[0])
    person.press(page, "request", "refuse")
    assert error(agency.post("/token", polled(asked))) == (400, "access_denied")
    assert [one["type"] for one in world.inside.activity(person)] == ["permission.refused"]


@pytest.mark.parametrize("how", ["allow", "deny"])
def test_the_stand_in_leaves_what_a_person_would(world: World, how: str) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asks(agency, person)
    answer = world.http.post(f"{world.issuer}/sandbox/ciba", params={"token": asked, "type": how})
    world.visited.remove(str(answer.request.url))
    assert answer.status_code == 200
    told = agency.post("/token", polled(asked))
    if how == "allow":
        assert agency.items(told.json()["access_token"])["identity.given_name"]["status"] == "provided"
        assert kinds(world, person) == ["access.previewed", "permission.given", "access.released"]
    else:
        assert error(told) == (400, "access_denied")
        assert kinds(world, person) == []


def test_of_64_questions_at_once_one_is_answered_with_tokens(service: Service, world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asks(agency, person)
    answer = world.http.post(f"{world.issuer}/sandbox/ciba", params={"token": asked, "type": "allow"})
    world.visited.remove(str(answer.request.url))
    answers = service.volley([volley.signed(agency, "/token", polled(asked)) for _ in range(MANY)])
    assert Counter(error(answer) for answer in answers) == {(200, ""): 1, (400, "invalid_grant"): MANY - 1}


def test_16_decisions_at_once_are_one(service: Service, world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    asked = asks(agency, person)
    url = f"{world.issuer}/sandbox/ciba?token={asked}&type="
    presses = [httpx2.Request("POST", url + ("allow" if n % 2 else "deny")) for n in range(16)]
    answers = service.volley(presses)
    said = Counter(answer.status_code for answer in answers)
    assert said.keys() <= {200, 404, 410}
    final = error(agency.post("/token", polled(asked)))
    given = kinds(world, person).count("permission.given")
    assert (final, given) in {((200, ""), 1), ((400, "access_denied"), 0)}
