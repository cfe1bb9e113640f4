"""Agencies whose people decide elsewhere: on a device with a code, or asked behind the front (RFC 8628, CIBA Core)."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.egress import Egress
from examples.browse import Page
from tests.actors import Agency, Citizen
from tests.broker.whole import Whole

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CIBA = "urn:openid:params:grant-type:ciba"


def register(whole: Whole, **members: Any) -> None:
    """Change what the agencies registered."""
    parts = whole.parts
    clients = [type(client).model_validate({**client.model_dump(), **members}) for client in parts.registry.all()]
    whole.give(
        registry=Registry(clients, KeySets(Egress()), mode=parts.mode, database=parts.database),
    )


def device_asks(agency: Agency, **changed: str | None) -> httpx2.Response:
    """Ask for a user code."""
    said = {"client_id": agency.client_id, "scope": f"openid use:{agency.use}", **changed}
    return agency.post("/device_authorization", {name: value for name, value in said.items() if value is not None})


def poll(agency: Agency, device_code: str, **changed: str) -> httpx2.Response:
    """Ask what became of it."""
    return agency.post("/token", {"grant_type": DEVICE, "device_code": device_code, **changed})


def told(answer: httpx2.Response) -> tuple[int, str]:
    """Status and error code."""
    return answer.status_code, answer.json().get("error", "")


def enters(citizen: Citizen, code: str) -> Page:
    """Type a code into the page for codes."""
    return citizen.press(citizen.open("/device"), "device", "continue", user_code=code)


def comes_to_decide(citizen: Citizen, asked: dict[str, Any]) -> Page:
    """Enter a device's code, say that it is the same, sign in if asked to: the decision."""
    page = citizen.press(enters(citizen, asked["user_code"]), "request", "continue")
    return citizen.sign_in(page) if page.has("sign-in") else page


def linked_code(asked: dict[str, Any]) -> str:
    """The code in the complete link."""
    return parse_qs(urlsplit(asked["verification_uri_complete"]).query)["user_code"][0]


def signed(agency: Agency, said: dict[str, Any], **changed: Any) -> str:
    """A signed request for the back channel (CIBA Core §7.1.1); a change to None leaves a claim out."""
    key, kid = agency.key()
    now = int(agency.clock())
    claims: dict[str, Any] = {"iss": agency.client_id, "aud": agency.issuer, "jti": secrets.token_urlsafe(24)}
    claims |= {"iat": now, "nbf": now, "exp": now + 300, **said}
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(claims, key, "ES256", headers={"kid": kid})


def asking(agency: Agency, **changed: Any) -> dict[str, Any]:
    """What an ordinary request of the back channel says."""
    said = {"scope": f"openid use:{agency.use}", "login_hint": "maria", "binding_message": "Counter 7"}
    return said | changed


def ciba_asks(agency: Agency, **changed: Any) -> httpx2.Response:
    """Ask for a person behind the front, signed."""
    return agency.post("/backchannel_authentication", {"request": signed(agency, asking(agency, **changed))})


def ciba_polls(agency: Agency, auth_req_id: str, **changed: str) -> httpx2.Response:
    """Ask what became of it."""
    return agency.post("/token", {"grant_type": CIBA, "auth_req_id": auth_req_id, **changed})


def opens(citizen: Citizen) -> Page:
    """Open the one request that waits in the account."""
    page = citizen.open("/account/requests")
    return citizen.open(page.links("/account/requests/")[0])
