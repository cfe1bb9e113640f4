"""Web sites with software that nobody here wrote: oauth2-proxy, Auth.js, passport-openidconnect (OpenID Connect Core §3.1)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.clients import oauth2_proxy, programs
from tests.clients.service import Person, Service


def user(person: Person, url: str) -> dict[str, Any]:
    """What the site says about who is there."""
    answer = person.http.get(url)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@contextmanager
def site(service: Service, client_id: str) -> Iterator[str]:
    """A site on Express; its address."""
    client = service.clients[client_id]
    told = {"library": client_id, "port": client.port, "issuer": service.issuer, "metadata": service.metadata}
    told |= {"client_id": client_id, "secret": client.secret, "scope": client.scope}
    told |= {"session_secret": secrets.token_urlsafe(32)}
    with programs.running("sites", told, service.folder, service.ca_file) as program:
        yield str(program.says()["listening"])


def test_oauth2_proxy(service: Service) -> None:
    with ExitStack() as stack:
        origin = oauth2_proxy.run(stack, service, service.clients["oauth2-proxy"])
        person = service.person()
        page = person.shares(f"{origin}/")
        assert (page.url, page.status, page.heading) == (f"{origin}/", 200, "For members.")
        told = user(person, f"{origin}/oauth2/userinfo")
        assert (told["additionalClaims"]["name"], told["email"]) == (person.name, person.known["email"])
        assert service.person().http.get(f"{origin}/").is_redirect, "a stranger is sent to sign in"


def test_authjs(service: Service) -> None:
    with site(service, "authjs") as origin:
        person = service.person()
        token = person.http.get(f"{origin}/auth/csrf").json()["csrfToken"]
        begun = person.http.post(
            f"{origin}/auth/signin/semel", data={"csrfToken": token, "callbackUrl": f"{origin}/me"}
        )
        page = person.shares(begun.headers["location"])
        assert (page.url, page.status) == (f"{origin}/me", 200), page.content.text
        told = user(person, f"{origin}/me")
        assert (told["name"], told["email"]) == (person.name, person.known["email"])
        assert service.person().http.get(f"{origin}/me").status_code == 401


def test_passport(service: Service) -> None:
    with site(service, "passport") as origin:
        person = service.person()
        page = person.shares(f"{origin}/sign-in")
        assert (page.url, page.status) == (f"{origin}/me", 200), page.content.text
        told = user(person, f"{origin}/me")
        assert (told["issuer"], told["displayName"]) == (service.issuer, person.name)
        assert [one["value"] for one in told["emails"]] == [person.known["email"]]
        assert service.person().http.get(f"{origin}/me").status_code == 401


def test_a_no_signs_nobody_in(service: Service) -> None:
    """RFC 6749 §4.1.2.1: each of them takes the refusal for one."""
    with site(service, "passport") as origin:
        person = service.person()
        page = person.submit(person.sign_in(person.open(f"{origin}/sign-in")), "consent", "refuse")
        page = person.submit(page, "done", "continue") if page.has("done") else page
        assert page.url == f"{origin}/me"
        assert page.status == 401


def test_a_secret_of_another(service: Service) -> None:
    """RFC 6749 §5.2: with a wrong secret nobody is signed in."""
    client = service.clients["passport"]
    secret, client.secret = client.secret, "another"
    try:
        with site(service, "passport") as origin:
            person = service.person()
            assert person.shares(f"{origin}/sign-in").status >= 400
            assert person.http.get(f"{origin}/me").status_code == 401
    finally:
        client.secret = secret
