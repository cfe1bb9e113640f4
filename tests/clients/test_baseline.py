"""Ordinary OpenID Connect: Debian's `mod_auth_openidc` in a real Apache, and authlib's client (OpenID Connect Core §3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt as jose
from joserfc.jwk import ECKey, KeySet

from examples.browse import Page
from tests import machine_clock
from tests.clients import apache
from tests.clients.service import CALLBACK, Person, Service

FORM = ("OIDCResponseMode form_post", "OIDCProviderTokenEndpointAuth client_secret_post")


@pytest.fixture(scope="module")
def site(service: Service) -> Iterator[str]:
    """A site whose pages under `/members/` are for people who signed in."""
    with ExitStack() as stack:
        yield apache.run(stack, service, service.clients["apache"])


def test_a_site_behind_apache(service: Service, site: str) -> None:
    person = service.person()
    assert person.open(f"{site}/").status == 200
    is_for_members(service, site, person, person.shares(f"{site}/members/"), "apache")


def test_signing_in_and_nothing_else(service: Service) -> None:
    """OpenID Connect Core §5.4; the answer by a form pressed by hand (Form Post §2), the secret in the body (RFC 6749 §2.3.1)."""
    with ExitStack() as stack:
        site = apache.run(stack, service, service.clients["apache-form"], *FORM)
        person = service.person()
        page = person.shares(f"{site}/members/")
        fields = {field["name"]: field["value"] for field in page.get("form-post").find_all("input")}
        assert {"code", "state", "iss"} <= fields.keys()
        answer = person.http.post(page.get("form-post")["action"], data=fields)
        assert answer.next_request is not None, (service.folder / "apache-apache-form.log").read_text()[-3000:]
        told = is_for_members(service, site, person, person.open(str(answer.next_request.url)), "apache-form")
        assert {"sub", "name", "email"} <= told["userinfo"].keys()


def test_signing_out_at_the_broker(service: Service, site: str) -> None:
    """OpenID Connect Back-Channel Logout 1.0 §2.6: the site takes our logout token, and forgets the person."""
    person = service.person()
    is_for_members(service, site, person, person.shares(f"{site}/members/"), "apache")
    person.submit(person.open(f"{service.issuer}/sign-out"), "sign-out", "sign-out")
    machine_clock.wait_for(
        lambda: person.http.get(f"{site}/members/").status_code != 200, lambda: "the site still knows the person"
    )
    assert person.open(f"{site}/members/").has("sign-in")


def test_signing_out_at_the_site(service: Service, site: str) -> None:
    """OpenID Connect RP-Initiated Logout 1.0 §2: the site asks, the person decides, the browser goes back."""
    person = service.person()
    is_for_members(service, site, person, person.shares(f"{site}/members/"), "apache")
    asked = person.open(f"{site}/members/callback?logout={quote(f'{site}/', safe='')}")
    page = person.submit(asked, "logout", "sign-out")
    assert (page.url.partition("?")[0], page.status) == (f"{site}/", 200)
    assert person.open(f"{site}/members/").has("sign-in")


def is_for_members(service: Service, site: str, person: Person, page: Page, client_id: str) -> dict[str, Any]:
    assert (page.url, page.status, page.heading) == (f"{site}/members/", 200, "For members.")
    told: dict[str, Any] = person.http.get(f"{site}/members/callback?info=json").json()
    assert told["id_token"]["iss"] == service.issuer
    assert told["id_token"]["aud"] in (client_id, [client_id])
    assert told["userinfo"]["sub"] == told["id_token"]["sub"]
    again = person.http.get(f"{site}/members/")
    assert (again.status_code, again.headers["x-remote-user"].split("@")[0]) == (200, told["id_token"]["sub"])
    return told


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


class Assertion(PrivateKeyJWT):
    """authlib's assertions, told what they must say here: by themselves they are for the token endpoint, and for an hour."""

    seconds = 60

    def sign(self, auth: Any, token_endpoint: str) -> str:
        self.claims = {"exp": int(machine_clock.seconds()) + self.seconds}  # a new one each time: it is given its `jti`
        return str(super().sign(auth, token_endpoint))


@contextmanager
def session(service: Service, client_id: str) -> Iterator[OAuth2Client]:
    """authlib's client, configured as its documentation does it."""
    client = service.clients[client_id]
    method = client.members.get("token_endpoint_auth_method", "client_secret_basic")
    with OAuth2Client(
        client_id,
        client.secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope=f"openid use:{client.use}",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        verify=service.tls(),
        trust_env=False,
    ) as made:
        if method == "private_key_jwt":
            made.client_secret = ECKey.import_key(client.key.jwk_private)
            made.register_client_auth_method(Assertion(service.issuer, alg="ES256"))
        yield made


@dataclass
class Back:
    """A browser that came back to the agency, and what the agency remembers of sending it away."""

    url: str
    state: str
    verifier: str
    nonce: str

    @property
    def about(self) -> dict[str, str]:
        return {"authorization_response": self.url, "state": self.state, "code_verifier": self.verifier}


def comes_back(service: Service, agency: OAuth2Client) -> Back:
    verifier, nonce = generate_token(48), generate_token(20)
    address = service.metadata["authorization_endpoint"]
    url, state = agency.create_authorization_url(address, code_verifier=verifier, nonce=nonce)
    return Back(service.person().shares(url).url, state, verifier, nonce)


def verified(service: Service, agency: OAuth2Client, token: dict[str, Any], nonce: str) -> CodeIDToken:
    """An ID token as authlib checks it (OpenID Connect Core §3.1.3.7)."""
    keys = KeySet.import_key_set(agency.get(service.metadata["jwks_uri"], auth=None).json())
    signed = jose.decode(token["id_token"], keys, algorithms=["RS256"])
    options = {"iss": {"value": service.issuer}, "aud": {"value": agency.client_id}}
    about = {"nonce": nonce, "client_id": agency.client_id, "access_token": token["access_token"]}
    claims = CodeIDToken(signed.claims, signed.header, options, about)
    claims.validate(leeway=5)
    return claims


@pytest.mark.parametrize("client_id", ["authlib", "authlib-post", "authlib-key", "authlib-public"])
def test_authlib(service: Service, client_id: str) -> None:
    told = service.metadata
    with session(service, client_id) as agency:
        back = comes_back(service, agency)
        token = agency.fetch_token(told["token_endpoint"], **back.about)
        assert token["token_type"] == "Bearer"
        claims = verified(service, agency, token, back.nonce)
        assert agency.get(told["userinfo_endpoint"]).json()["sub"] == claims["sub"]
        items = agency.get(told["prefill_endpoint"]).json()["items"]
        assert items["identity.given_name"]["status"] == "provided"
        again = agency.refresh_token(told["token_endpoint"])
        assert again["access_token"] != token["access_token"]
        assert (again["refresh_token"] != token["refresh_token"]) is (client_id == "authlib-public")
        assert agency.get(told["prefill_endpoint"]).status_code == 200
        asked = agency.introspect_token(told["introspection_endpoint"], again["access_token"])
        assert (asked.status_code, asked.json().get("active")) == (
            (401, None) if client_id == "authlib-public" else (200, False)
        )
        assert agency.revoke_token(told["revocation_endpoint"], again["refresh_token"]).status_code == 200
        assert agency.get(told["prefill_endpoint"]).status_code == 401
        with pytest.raises(OAuthError) as refused:
            agency.refresh_token(told["token_endpoint"], again["refresh_token"])
        assert refused.value.error == "invalid_grant"


def test_authlib_is_refused(service: Service) -> None:
    """RFC 6749 §5.2: its own secret, and a code that was used."""
    told = service.metadata
    with session(service, "authlib") as agency:
        back = comes_back(service, agency)
        secret, agency.client_secret = agency.client_secret, "another"
        with pytest.raises(OAuthError) as refused:
            agency.fetch_token(told["token_endpoint"], **back.about)
        assert refused.value.error == "invalid_client"
        agency.client_secret = secret
        agency.fetch_token(told["token_endpoint"], **back.about)
        with pytest.raises(OAuthError) as refused:
            agency.fetch_token(told["token_endpoint"], **back.about)
        assert refused.value.error == "invalid_grant"
        assert agency.get(told["userinfo_endpoint"]).status_code == 401


@pytest.mark.parametrize(
    ("for_issuer", "seconds", "error", "says"),
    [(False, 60, "invalid_grant", ""), (True, 3600, "invalid_client", "too_long")],
    ids=["Core §9", "protocol §2"],
)
def test_an_assertion_as_it_comes(service: Service, for_issuer: bool, seconds: int, error: str, says: str) -> None:
    """For the token endpoint it is good; for an hour: the answer says what is wrong with it."""
    with session(service, "authlib-key") as agency:
        made = Assertion(service.issuer if for_issuer else None, alg="ES256")
        made.seconds = seconds
        agency.register_client_auth_method(made)
        with pytest.raises(OAuthError) as refused:
            agency.fetch_token(service.metadata["token_endpoint"], code="x", code_verifier="y")
        assert refused.value.error == error
        assert refused.value.description.endswith(says)
