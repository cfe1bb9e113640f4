"""Signed requests at PAR: what the object says is the request, and what is wrong with one is told (RFC 9101, FAPI 2.0 Message Signing §5.3)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from broker.authorization import pushed
from broker.endpoints import par
from broker.tables import pushed_request, replay
from tests.broker.provider import Answered, Provider
from tests.broker.relying import CALLBACK, CHALLENGE, ISSUER, Key, merge

ASKED: dict[str, Any] = {
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid use:town.permit",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "inside",
}


def claims(provider: Provider, **changed: Any) -> dict[str, Any]:
    seconds = provider.now // 1_000_000
    own = {"iss": "rp", "client_id": "rp", "aud": ISSUER, "nbf": seconds - 5, "exp": seconds + 60}
    return merge({**ASKED, **own}, changed)


def signed(provider: Provider, header: dict[str, Any] | None = None, key: Key | None = None, **changed: Any) -> str:
    key = key or provider.client_key
    named = {"kid": key.kid, "typ": "oauth-authz-req+jwt"}
    return key.sign(claims(provider, **changed), merge(named, header or {}))


def push(provider: Provider, request: str, **beside: str) -> Answered:
    given = {**provider.credentials(), "client_id": "rp", "request": request, **beside}
    return provider.call(par, provider.form("/par", given))


def rows(provider: Provider) -> int:
    with provider.database.read() as tx:
        return len(tx.execute(pushed_request.select()).all()) + len(tx.execute(replay.select()).all())


def test_what_stands_beside_does_not_count(provider: Provider) -> None:
    """RFC 9101 §6.3."""
    outside = {"state": "outside", "scope": "openid", "redirect_uri": "https://evil.example", "prompt": "none"}
    answer = push(provider, signed(provider, max_age=60, claims={"userinfo": {"given_name": None}}), **outside)
    assert answer.status == 201
    with provider.database.write() as tx:
        claimed = pushed.claim(tx, answer.body["request_uri"], "rp", b"b" * 32, provider.now)
    assert isinstance(claimed, pushed.PushedRequest)
    asked = claimed.request
    assert (asked.state, asked.prompt, asked.max_age, asked.redirect_uri) == ("inside", (), 60, CALLBACK)
    assert asked.data.item_ids == ("identity.given_name",)


@pytest.mark.parametrize(
    ("header", "changed"),
    [
        ({"typ": None}, {}),
        ({"typ": "JWT"}, {}),
        ({}, {"aud": [ISSUER, "https://other.example"]}),
        ({}, {"resource": [ISSUER], "sub": "rp", "jti": "1"}),
    ],
)
def test_accepted(provider: Provider, header: dict[str, Any], changed: dict[str, Any]) -> None:
    assert push(provider, signed(provider, header, **changed)).status == 201


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(provider: Provider) -> str:
    return f"{b64({'alg': 'none'})}.{b64(claims(provider))}."


def with_secret(provider: Provider) -> str:
    return jwt.encode(claims(provider), "s" * 64, algorithm="HS256")


def with_public_key(provider: Provider) -> str:
    """The published key as if it were a shared secret; written by hand, since no library signs so."""
    key = json.dumps(provider.client_key.public).encode()
    head = f"{b64({'alg': 'HS256', 'kid': provider.client_key.kid})}.{b64(claims(provider))}"
    return f"{head}.{b64(hmac.digest(key, head.encode(), hashlib.sha256))}"


def with_rs256(provider: Provider) -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims(provider), private, algorithm="RS256", headers={"kid": provider.client_key.kid})


def said(**changed: Any) -> Callable[[Provider], str]:
    return lambda provider: signed(provider, **changed)


def headed(**header: Any) -> Callable[[Provider], str]:
    return lambda provider: signed(provider, header)


def timed(**offsets: int) -> Callable[[Provider], str]:
    return lambda provider: signed(provider, **{name: provider.now // 1_000_000 + by for name, by in offsets.items()})


# fmt: off
REFUSED: list[tuple[str, Callable[[Provider], str]]] = [
    ("RFC 9101 §10.1 not a JWT",                 lambda _: "x"),
    ("RFC 9101 §10.1 none",                      unsigned),
    ("RFC 8725 §2.1 HS256",                      with_secret),
    ("RFC 8725 §2.1 public key as secret",       with_public_key),
    ("FAPI 2.0 §5.4.1 RS256",                    with_rs256),
    ("RFC 9101 §10.8 typ of another purpose",    headed(typ="client-authentication+jwt")),
    ("RFC 7515 §4.1.11 crit",                    headed(crit=["b64"], b64=False)),
    ("RFC 8725 §3.10 unknown kid",               headed(kid="k2")),
    ("RFC 8725 §3.10 another's key",             lambda provider: signed(provider, key=Key())),
    ("Message Signing §5.3.1 no aud",            said(aud=None)),
    ("Message Signing §5.3.1 other aud",         said(aud="https://other.example")),
    ("Message Signing §5.3.1 aud endpoint",      said(aud=ISSUER + "/par")),
    ("Message Signing §5.3.1 aud list",          said(aud=["https://other.example"])),
    ("Message Signing §5.3.1 aud not text",      said(aud=[ISSUER, 7])),
    ("Message Signing §5.3.1 no exp",            said(exp=None)),
    ("Message Signing §5.3.1 no nbf",            said(nbf=None)),
    ("Message Signing §5.3.1 expired",           timed(exp=-1)),
    ("Message Signing §5.3.1 exp too far",       timed(nbf=-5, exp=3600)),
    ("Message Signing §5.3.1 nbf too old",       timed(nbf=-3601, exp=-3601 + 3600)),
    ("Message Signing §5.3.1 nbf too old, live", timed(nbf=-3605, exp=30)),
    ("Message Signing §5.3.1 nbf to come",       timed(nbf=60, exp=120)),
    ("RFC 8725 §2.7 exp as text",                said(exp="9999999999")),
    ("RFC 9101 §4 no iss",                       said(iss=None)),
    ("RFC 9101 §4 other iss",                    said(iss="other")),
    ("RFC 9101 §5 no client_id",                 said(client_id=None)),
    ("RFC 9101 §5 other client_id",              said(client_id="other")),
    ("RFC 9101 §4 nested request",               said(request="x")),
    ("RFC 9101 §4 nested request_uri",           said(request_uri="urn:x")),
    ("RFC 9101 §4 wrong type",                   said(state=["a"])),
    ("RFC 9101 §4 true is no text",              said(prompt=True)),
    ("RFC 9101 §4 NUL",                          said(state="a\x00b")),
]
# fmt: on


@pytest.mark.parametrize("made", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, made: Callable[[Provider], str]) -> None:
    answer = push(provider, made(provider), **{name: str(value) for name, value in ASKED.items()})
    assert (answer.status, answer.body["error"]) == (400, "invalid_request_object")
    assert rows(provider) == 0


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "openid use:other.permit"}, "invalid_scope"),
        ({"authorization_details": [{"type": "x"}]}, "invalid_authorization_details"),
        ({"claims": {"userinfo": 7}}, "invalid_request"),
        ({"resource": ["https://other.example"]}, "invalid_target"),
    ],
)
def test_what_is_inside_is_checked_like_any_request(provider: Provider, changed: dict[str, Any], code: str) -> None:
    answer = push(provider, signed(provider, **changed))
    assert (answer.status, answer.body["error"]) == (400, code)
    assert rows(provider) == 0


def test_an_address_beside_an_object(provider: Provider) -> None:
    """RFC 9126 §2.1."""
    answer = push(provider, signed(provider), request_uri="urn:x")
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


def test_a_request_object_authenticates_nobody(provider: Provider) -> None:
    """RFC 9101 §10.2, RFC 8725 §3.11: an object is no client assertion."""
    given = {**provider.credentials(), "client_assertion": signed(provider, sub="rp", jti="1", aud=ISSUER)}
    answer = provider.call(par, provider.form("/par", {**ASKED, "client_id": "rp", **given}))
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
