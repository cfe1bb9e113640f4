"""A token of one kind is nothing anywhere else: every kind at every place that takes one (RFC 8725 §3.11, §3.12; protocol §5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest

from keys import jws
from tests.actors import ASSERTION, Agency, b64
from tests.broker.allowed import change
from tests.broker.untouched import untouched
from tests.broker.whole import ISSUER, Whole

SECONDS = 1_795_302_000
#: The kinds there are; by whom they are signed, ours and the client's.
KINDS = (
    "access token", "own access token", "ID token", "authorization response", "signed data answer",
    "introspection response", "logout token", "security event", "client assertion", "request object", "proof",
    "refresh-like text", "unsigned",
)  # fmt: skip


@pytest.fixture(scope="module")
def tokens(broker: Whole, agency: Agency) -> dict[str, str]:
    """One good token of each kind, for this very agency."""
    change(broker, agency.client_id, authorization_signed_response_alg="ES256")
    maria = broker.present()
    given = agency.token(maria.shares(maria.comes_from(agency.asks())))
    answer = agency.data(given["access_token"], accept="application/jwt")
    back = maria.open(agency.asks(response_mode="query.jwt"))
    own = {"iss": agency.client_id, "aud": ISSUER, "nbf": SECONDS, "exp": SECONDS + 60, "client_id": agency.client_id}
    key, kid = agency.key()
    asked = agency.call("POST", "/introspection", form={"client_id": agency.client_id, "token": "x"}, headers={"accept": "application/token-introspection+jwt"})  # fmt: skip
    about = {"iss": ISSUER, "sub": given["subject"], "aud": agency.client_id, "iat": SECONDS, "exp": SECONDS + 120}
    about |= {"jti": secrets.token_urlsafe(32)}
    signer = broker.parts.keyring.signer()
    return {
        "access token": given["access_token"],
        "own access token": agency.own_token(),
        "ID token": given["id_token"],
        "authorization response": parse_qs(urlsplit(back.url).query)["response"][0],
        "signed data answer": answer.text,
        "introspection response": asked.text,
        "logout token": jws.sign(signer, {**about, "events": {}}, typ="logout+jwt"),
        "security event": jws.sign(signer, {**about, "events": {}}, typ="secevent+jwt"),
        "client assertion": agency.assertion(),
        "request object": jwt.encode({**agency.request(), **own}, key, "ES256", headers={"kid": kid, "typ": "oauth-authz-req+jwt"}),
        "proof": agency.proof("GET", f"{ISSUER}/userinfo", None),
        "refresh-like text": secrets.token_urlsafe(32),
        "unsigned": jwt.encode({**about, "client_id": agency.client_id, "scope": "openid"}, "", "none", headers={"typ": "at+jwt"}),
    }  # fmt: skip


def test_they_are_of_the_kinds_they_say(tokens: dict[str, str]) -> None:
    named = {kind: jwt.get_unverified_header(text).get("typ") for kind, text in tokens.items() if text.count(".") == 2}
    assert named == {
        "access token": "at+jwt",
        "own access token": "at+jwt",
        "ID token": "JWT",
        "authorization response": "JWT",
        "signed data answer": "prefill+jwt",
        "introspection response": "token-introspection+jwt",
        "logout token": "logout+jwt",
        "security event": "secevent+jwt",
        "client assertion": "JWT",
        "request object": "oauth-authz-req+jwt",
        "proof": "dpop+jwt",
        "unsigned": "at+jwt",
    }
    assert tokens.keys() == set(KINDS)


def at_resource(path: str, method: str = "GET") -> Callable[[Agency, str], httpx2.Response]:
    return lambda agency, token: agency.call(method, path, token=token, json={} if method == "POST" else None)


def as_assertion(agency: Agency, token: str) -> httpx2.Response:
    given = {"grant_type": "client_credentials", "client_id": agency.client_id, "client_assertion_type": ASSERTION}
    return agency.http.post(f"{ISSUER}/token", data={**given, "client_assertion": token})


def as_request(agency: Agency, token: str) -> httpx2.Response:
    return agency.post("/par", {"client_id": agency.client_id, "request": token})


def as_hint(agency: Agency, token: str) -> httpx2.Response:
    return agency.push(id_token_hint=token)


def as_proof(agency: Agency, token: str) -> httpx2.Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": agency.assertion(),
    }
    return agency.http.post(f"{ISSUER}/token", data=form, headers={"DPoP": token})


def as_grant(**given: str) -> Callable[[Agency, str], httpx2.Response]:
    return lambda agency, token: agency.post("/token", {name: value.format(token) for name, value in given.items()})


def as_offer(agency: Agency, token: str) -> httpx2.Response:
    """A wallet is nobody's client."""
    given = {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": token,
        "tx_code": "123456",
    }
    return agency.http.post(
        f"{ISSUER}/token", data=given, headers={"DPoP": agency.proof("POST", f"{ISSUER}/token", None)}
    )


def as_registration(agency: Agency, token: str) -> httpx2.Response:
    return agency.http.post(f"{ISSUER}/register", json={}, headers={"Authorization": f"Bearer {token}"})


# fmt: off
PLACES: list[tuple[str, Callable[[Agency, str], httpx2.Response], int, str, set[str]]] = [
    # place                  how it is sent                                                              refused  error                     good there
    ("userinfo",             at_resource("/userinfo"),                                                     401, "invalid_token",            {"access token"}),
    ("prefill",              at_resource("/prefill"),                                                      401, "invalid_token",            {"access token"}),
    ("credential",           at_resource("/credential", "POST"),                                           401, "invalid_token",            {"access token"}),
    ("grants",               at_resource("/grants/x"),                                                     401, "invalid_token",            {"access token", "own access token"}),
    ("streams",              at_resource("/ssf/streams"),                                                  401, "invalid_token",            {"own access token"}),
    ("client assertion",     as_assertion,                                                                 401, "invalid_client",           {"client assertion"}),
    ("request object",       as_request,                                                                   400, "invalid_request_object",   {"request object"}),
    ("ID token hint",        as_hint,                                                                      400, "invalid_request",          {"ID token"}),
    ("proof",                as_proof,                                                                     400, "invalid_dpop_proof",       set()),
    ("code",                 as_grant(grant_type="authorization_code", code="{}", redirect_uri="https://norr-childcare.example/callback", code_verifier="v" * 43), 400, "invalid_grant", set()),
    ("refresh token",        as_grant(grant_type="refresh_token", refresh_token="{}"),                     400, "invalid_grant",            set()),
    ("device code",          as_grant(grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code="{}"), 400, "invalid_grant",   set()),
    ("auth_req_id",          as_grant(grant_type="urn:openid:params:grant-type:ciba", auth_req_id="{}"),    400, "invalid_grant",            set()),
    ("pre-authorized code",  as_offer, 400, "invalid_grant", set()),
    ("registration",         as_registration,                                                              401, "invalid_token",            set()),
]
# fmt: on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("place", "use", "status", "code", "good"), PLACES, ids=[f"as {place[0].replace(' ', '_')}" for place in PLACES]
)
def test_a_token_of_another_kind(
    broker: Whole,
    agency: Agency,
    tokens: dict[str, str],
    kind: str,
    place: str,
    use: Callable[[Agency, str], httpx2.Response],
    status: int,
    code: str,
    good: set[str],
) -> None:
    if kind in good:
        answer = use(agency, tokens[kind])
        assert answer.status_code != status or code not in answer.text, answer.text
        return
    with untouched(broker.parts.database):
        answer = use(agency, tokens[kind])
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_asked_about(broker: Whole, agency: Agency, tokens: dict[str, str], kind: str) -> None:
    """RFC 7662 §2.2: not active, whatever it is, for who is not its audience; only the assertion's marker is written."""
    with untouched(broker.parts.database, "replay"):
        answer = agency.call("POST", "/introspection", form={"client_id": agency.client_id, "token": tokens[kind]})
    assert answer.json() == {"active": False}


@pytest.mark.parametrize("kind", ["access token", "own access token"])
@pytest.mark.parametrize(
    ("where", "send"),
    [
        ("in the query", lambda agency, token: agency.http.get("/userinfo", params={"access_token": token})),
        ("in the form", lambda agency, token: agency.http.post("/userinfo", data={"access_token": token})),
        ("as bearer", lambda agency, token: agency.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})),
        ("twice", lambda agency, token: agency.http.get("/userinfo", headers=[("Authorization", f"DPoP {token}")] * 2)),
        ("without proof", lambda agency, token: agency.http.get("/userinfo", headers={"Authorization": f"DPoP {token}"})),
        ("basic", lambda agency, token: agency.http.get("/userinfo", headers={"Authorization": f"Basic {b64(token.encode())}"})),
    ],
)  # fmt: skip
def test_a_token_sent_another_way(
    broker: Whole, agency: Agency, tokens: dict[str, str], kind: str, where: str, send: Any
) -> None:
    """RFC 9700 §4.3.2, RFC 9449 §7.2: not in an address, not without its key."""
    with untouched(broker.parts.database):
        answer = send(agency, tokens[kind])
    assert answer.status_code == 401
    assert "DPoP" in answer.headers["www-authenticate"]
    assert tokens[kind] not in answer.text
