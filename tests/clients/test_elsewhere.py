"""A decision in another place, with npm's `openid-client` and `oauth4webapi`: a device's code (RFC 8628), a question in the account (CIBA)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from examples.browse import Page
from tests.clients import programs
from tests.clients.programs import Program
from tests.clients.service import Client, Person, Service

LIBRARIES = ["openid-client", "oauth4webapi"]


@contextmanager
def asking(service: Service, client: Client, library: str, **about: str) -> Iterator[Program]:
    told = {"issuer": service.issuer, "client_id": client.client_id, "jwk": client.key.jwk_private, "library": library}
    told |= {"scope": client.scope, **about}
    with programs.running("elsewhere", told, service.folder, service.ca_file) as program:
        yield program


def device_page(person: Person, asked: dict[str, Any]) -> Page:
    """From the link on the device's screen to the decision."""
    page = person.submit(person.open(asked["verification_uri_complete"]), "device", "continue")
    assert page.get("user-code").text == asked["user_code"]
    return person.sign_in(person.submit(page, "request", "continue"))


def is_let_in(service: Service, client: Client, got: dict[str, Any]) -> None:
    assert "refused" not in got, got
    assert (got["type"], got["claims"]["iss"], got["claims"]["aud"]) == ("dpop", service.issuer, client.client_id)
    assert got["prefill"]["status"] == 200, got["prefill"]
    assert got["prefill"]["body"]["items"]["identity.given_name"]["status"] == "provided"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_device(service: Service, library: str) -> None:
    client = service.clients["device"]
    with asking(service, client, library, kind="device") as program:
        person = service.person()
        page = person.submit(device_page(person, program.says()), "consent", "share")
        assert page.get("answered")["data-outcome"] == "shared"
        program.hears("decided")
        is_let_in(service, client, program.says())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_device_is_told_no(service: Service, library: str) -> None:
    client = service.clients["device"]
    with asking(service, client, library, kind="device") as program:
        person = service.person()
        person.submit(device_page(person, program.says()), "consent", "refuse")
        program.hears("decided")
        assert program.says()["refused"]["error"] == "access_denied"


@pytest.mark.parametrize("library", LIBRARIES)
def test_asked_in_the_account(service: Service, library: str) -> None:
    """CIBA Core §7, §10.1, FAPI-CIBA §5.2.2: a signed request with a message; the client polls."""
    client, person = service.clients["behind"], service.person()
    said = {"login_hint": person.known["username"], "message": "Counter 7"}
    with asking(service, client, library, kind="ciba", **said) as program:
        assert {"auth_req_id", "expires_in"} <= program.says().keys()
        page = asked_page(service, person)
        assert page.get("binding-message").text == "Counter 7"
        page = person.submit(person.submit(page, "request", "continue"), "consent", "share")
        assert page.get("answered")["data-outcome"] == "shared"
        program.hears("decided")
        is_let_in(service, client, program.says())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_no_in_the_account(service: Service, library: str) -> None:
    client, person = service.clients["behind"], service.person()
    said = {"login_hint": person.known["username"], "message": "Counter 7"}
    with asking(service, client, library, kind="ciba", **said) as program:
        program.says()
        person.submit(asked_page(service, person), "request", "refuse")
        program.hears("decided")
        assert program.says()["refused"]["error"] == "access_denied"


def asked_page(service: Service, person: Person) -> Page:
    """From the account to the one question that waits."""
    person.sign_in(person.open(f"{service.issuer}/sign-in"))
    (link,) = person.open(f"{service.issuer}/account/requests").links("/account/requests/")
    return person.open(link)
