"""Agencies whose people decide elsewhere: on a device with a code, or asked behind the front (RFC 8628, CIBA Core)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

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
