"""Ordinary OpenID Connect: Debian's `mod_auth_openidc` in a real Apache, and authlib's client (OpenID Connect Core §3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from tests.clients import apache
from tests.clients.service import CALLBACK, Service


@pytest.fixture(scope="module")
def site(service: Service) -> Iterator[str]:
    """A site whose pages under `/members/` are for people who signed in."""
    with ExitStack() as stack:
        client = service.clients["apache"]
        yield apache.run(stack, service, client, int(client.members["redirect_uris"][0].split(":")[2].split("/")[0]))


def test_a_site_behind_apache(service: Service, site: str) -> None:
    person = service.person()
    assert person.open(f"{site}/").status == 200
    page = person.shares(f"{site}/members/")
    assert (page.url, page.status, page.heading) == (f"{site}/members/", 200, "For members.")
    told: dict[str, Any] = person.http.get(f"{site}/members/callback?info=json").json()
    assert told["id_token"]["iss"] == service.issuer
    assert told["id_token"]["aud"] in ("apache", ["apache"])
    assert told["userinfo"]["sub"] == told["id_token"]["sub"]
    again = person.http.get(f"{site}/members/")
    assert (again.status_code, again.headers["x-remote-user"].split("@")[0]) == (200, told["id_token"]["sub"])


def test_refused_by_the_person(service: Service, site: str) -> None:
    """RFC 6749 §4.1.2.1: the site says so, and serves nothing."""
    person = service.person()
    page = person.sign_in(person.open(f"{site}/members/"))
    page = person.submit(page, "consent", "refuse")
    page = person.submit(page, "done", "continue") if page.has("done") else page
    assert page.url.startswith(f"{site}/members/callback?")
    assert "For members." not in page.content.text


def test_a_stranger_at_the_callback(service: Service, site: str) -> None:
    person = service.person()
    answer = person.http.get(f"{site}/members/callback?code=x&state=y&iss={service.issuer}")
    assert answer.status_code >= 400 or answer.is_redirect
    assert "For members." not in answer.text


@pytest.fixture
def authlib(service: Service) -> Iterator[OAuth2Client]:
    """authlib's client, configured as its documentation does it."""
    client = service.clients["authlib"]
    with OAuth2Client(
        client.client_id,
        client.secret,
        scope=f"openid use:{client.use}",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        verify=service.tls(),
        trust_env=False,
    ) as made:
        yield made


def verified(service: Service, authlib: OAuth2Client, token: dict[str, Any], nonce: str) -> CodeIDToken:
    """An ID token as authlib checks it (OpenID Connect Core §3.1.3.7)."""
    keys = KeySet.import_key_set(authlib.get(service.metadata["jwks_uri"], auth=None).json())
    signed = jose.decode(token["id_token"], keys, algorithms=["RS256"])
    options = {"iss": {"value": service.issuer}, "aud": {"value": "authlib"}}
    about = {"nonce": nonce, "client_id": "authlib", "access_token": token["access_token"]}
    claims = CodeIDToken(signed.claims, signed.header, options, about)
    claims.validate(leeway=5)
    return claims


def test_authlib(service: Service, authlib: OAuth2Client) -> None:
    told, verifier, nonce = service.metadata, generate_token(48), generate_token(20)
    url, state = authlib.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    page = service.person().shares(url)
    token = authlib.fetch_token(
        told["token_endpoint"], authorization_response=page.url, state=state, code_verifier=verifier
    )
    assert token["token_type"] == "Bearer"
    claims = verified(service, authlib, token, nonce)
    assert authlib.get(told["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    items = authlib.get(told["prefill_endpoint"]).json()["items"]
    assert items["identity.given_name"]["status"] == "provided"
    again = authlib.refresh_token(told["token_endpoint"])
    assert again["access_token"] != token["access_token"]
    assert authlib.get(told["prefill_endpoint"]).status_code == 200
    assert authlib.introspect_token(told["introspection_endpoint"], again["access_token"]).json() == {"active": False}
    assert authlib.revoke_token(told["revocation_endpoint"], token["refresh_token"]).status_code == 200
    assert authlib.get(told["prefill_endpoint"]).status_code == 401
    with pytest.raises(OAuthError) as refused:
        authlib.refresh_token(told["token_endpoint"], token["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_authlib_is_refused(service: Service, authlib: OAuth2Client) -> None:
    """RFC 6749 §5.2: its own secret, and a code that was used."""
    told, verifier = service.metadata, generate_token(48)
    url, state = authlib.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier)
    page = service.person().shares(url)
    about = {"authorization_response": page.url, "state": state, "code_verifier": verifier}
    secret, authlib.client_secret = authlib.client_secret, "another"
    with pytest.raises(OAuthError) as refused:
        authlib.fetch_token(told["token_endpoint"], **about)
    assert refused.value.error == "invalid_client"
    authlib.client_secret = secret
    authlib.fetch_token(told["token_endpoint"], **about)
    with pytest.raises(OAuthError) as refused:
        authlib.fetch_token(told["token_endpoint"], **about)
    assert refused.value.error == "invalid_grant"
    assert authlib.get(told["userinfo_endpoint"]).status_code == 401
