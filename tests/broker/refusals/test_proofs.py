"""Proofs of possession, everywhere one is taken: the exact answer, one nonce where one is due, nothing written (RFC 9449 §4.3, §5, §7, §8)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from examples import holder
from tests.actors import ASSERTION, Agency, b64
from tests.broker import signals
from tests.broker.untouched import untouched
from tests.broker.whole import ISSUER, Whole

SECONDS = 1_795_302_000
STRANGER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def held(broker: Whole, agency: Agency) -> dict[str, Any]:
    """Tokens bound to the agency's key: one about a person, one of its own."""
    receiver = signals.Receiver(agency)
    receiver.create()
    maria = broker.present()
    given = agency.token(maria.shares(maria.comes_from(agency.asks())))
    return {"person": given["access_token"], "own": receiver.token, "stream": receiver.stream_id}


#: Where a proof is taken: method, path, and what else is sent; the token, where one is needed.
PLACES: dict[str, tuple[str, str, dict[str, str], str]] = {
    "token": ("POST", "/token", {"grant_type": "client_credentials", "scope": "ssf.manage"}, ""),
    "push": ("POST", "/par", {"response_type": "code", "scope": "openid use:norr.childcare-allowance", "code_challenge_method": "S256", "redirect_uri": "https://norr-childcare.example/callback", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, ""),
    "device": ("POST", "/device_authorization", {"scope": "openid use:norr.childcare-allowance"}, ""),
    "userinfo": ("GET", "/userinfo", {}, "person"),
    "prefill": ("GET", "/prefill", {}, "person"),
    "credential": ("POST", "/credential", {}, "person"),
    "stream": ("GET", "/ssf/streams", {}, "own"),
    "status": ("GET", "/ssf/status", {}, "own"),
}  # fmt: skip
each = pytest.mark.parametrize("place", PLACES)


def send(agency: Agency, held: dict[str, Any], place: str, *proofs: str) -> httpx2.Response:
    method, path, form, kind = PLACES[place]
    headers = [("DPoP", proof) for proof in proofs]
    if kind:
        headers.append(("Authorization", f"DPoP {held[kind]}"))
        return agency.http.request(method, path, headers=headers)
    own = {"client_id": agency.client_id, "client_assertion_type": ASSERTION, "client_assertion": agency.assertion()}
    return agency.http.request(method, path, data={**form, **own}, headers=headers)


def proof(
    agency: Agency,
    held: dict[str, Any],
    place: str,
    *,
    header: dict[str, Any] | None = None,
    key: Any = None,
    alg: str = "ES256",
    **changed: Any,
) -> str:
    method, path, _, kind = PLACES[place]
    claims: dict[str, Any] = {
        "jti": secrets.token_urlsafe(24),
        "htm": method,
        "htu": ISSUER + path,
        "iat": SECONDS,
        "nonce": agency.nonce,
        "ath": b64(hashlib.sha256(held[kind].encode()).digest()) if kind else None,
    }
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    head = {"typ": "dpop+jwt", "jwk": holder.public_jwk(agency.dpop), **(header or {})}
    return jwt.encode(
        kept, agency.dpop if key is None else key, alg, headers={n: v for n, v in head.items() if v is not None}
    )


def told(answer: httpx2.Response, place: str, code: str = "") -> None:
    if PLACES[place][3]:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].count("DPoP") >= 1
        assert (
            answer.json()["error"] == code
            if code
            else answer.json()["error"] in {"invalid_dpop_proof", "invalid_token"}
        )
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, code or "invalid_dpop_proof")


@each
def test_a_good_proof(broker: Whole, agency: Agency, held: dict[str, Any], place: str) -> None:
    answer = send(agency, held, place, proof(agency, held, place))
    assert "dpop" not in str(answer.json().get("error", "") if isinstance(answer.json(), dict) else "")
    assert answer.status_code != 401


# fmt: off
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("(3) no jti",                {"jti": None}),
    ("(3) no htm",                {"htm": None}),
    ("(3) no htu",                {"htu": None}),
    ("(3) no iat",                {"iat": None}),
    ("(3) jti is a number",       {"jti": 7}),
    ("(4) typ JWT",               {"header": {"typ": "JWT"}}),
    ("(4) typ at+jwt",            {"header": {"typ": "at+jwt"}}),
    ("(5) HS256",                 {"key": "x" * 32, "alg": "HS256"}),
    ("(5) RS256",                 {"key": RSA, "alg": "RS256"}),
    ("(5) none",                  {"key": "", "alg": "none"}),
    ("(6) no key",                {"header": {"jwk": None}}),
    ("(6) another key",           {"key": STRANGER}),
    ("(7) a private key",         {"header": {"jwk": {**holder.public_jwk(STRANGER), "d": "AA"}}}),
    ("(7) a shared secret",       {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}),
    ("(7) no point of the curve", {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}}),
    ("(8) another method",        {"htm": "DELETE"}),
    ("(8) method in small",       {"htm": "post"}),
    ("(9) another path",          {"htu": ISSUER + "/elsewhere"}),
    ("(9) a slash more",          {"htu": "slash"}),
    ("(9) another host",          {"htu": "https://evil.example/token"}),
    ("(9) a user name",           {"htu": "user"}),
    ("(9) a list",                {"htu": [ISSUER + "/token"]}),
    ("(11) an hour ago",          {"iat": SECONDS - 3600}),
    ("(11) an hour ahead",        {"iat": SECONDS + 3600}),
    ("(11) infinite",             {"iat": 10**400}),
    ("(11) text",                 {"iat": str(SECONDS)}),
    ("RFC 7515 §4.1.11 crit",     {"header": {"crit": ["jwk"]}}),
]
# fmt: on


@each
@pytest.mark.parametrize("changed", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_wrong_proof(
    broker: Whole, agency: Agency, held: dict[str, Any], place: str, changed: dict[str, Any]
) -> None:
    path = PLACES[place][1]
    spelled = {"slash": f"{ISSUER}{path}/", "user": f"https://x@{ISSUER[8:]}{path}"}
    given = {name: spelled.get(value, value) if isinstance(value, str) else value for name, value in changed.items()}
    with untouched(broker.parts.database):
        answer = send(agency, held, place, proof(agency, held, place, **given))
    told(answer, place)


HEADERS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "none": lambda good: (),
    "two": lambda good: (good, good),
    "two in one": lambda good: (f"{good}, {good}",),
    "empty": lambda good: ("",),
    "nonsense": lambda good: ("x",),
    "four parts": lambda good: (good + ".x",),
    "cut": lambda good: (good[:-4],),
    "huge": lambda good: ("A" * 20_000,),
}


@each
@pytest.mark.parametrize("how", HEADERS)
def test_a_wrong_header(broker: Whole, agency: Agency, held: dict[str, Any], place: str, how: str) -> None:
    if how == "none" and place in {"push", "device"}:
        return  # a proof is optional there (RFC 9449 §10)
    with untouched(broker.parts.database):
        answer = send(agency, held, place, *HEADERS[how](proof(agency, held, place)))
    told(answer, place)


@each
@pytest.mark.parametrize("nonce", [None, "x", "A" * 43, "old"])
def test_without_a_good_nonce(
    broker: Whole, agency: Agency, held: dict[str, Any], place: str, nonce: str | None
) -> None:
    """RFC 9449 §8, §9: refused with exactly one new nonce; a nonce of another server is none."""
    text = str(agency.nonce)[:-4] + "AAAA" if nonce == "old" else nonce
    with untouched(broker.parts.database):
        answer = send(agency, held, place, proof(agency, held, place, nonce=text))
    told(answer, place, "use_dpop_nonce")
    assert len(answer.headers.get_list("dpop-nonce")) == 1
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("place", [name for name, row in PLACES.items() if row[3]])
@pytest.mark.parametrize("ath", [None, "", "another", "padded", 7], ids=str)
def test_a_proof_for_another_token(broker: Whole, agency: Agency, held: dict[str, Any], place: str, ath: Any) -> None:
    """RFC 9449 §4.3 (12)."""
    good = b64(hashlib.sha256(held[PLACES[place][3]].encode()).digest())
    text = {"another": b64(hashlib.sha256(b"x").digest()), "padded": good + "="}.get(ath, ath)
    with untouched(broker.parts.database):
        answer = send(agency, held, place, proof(agency, held, place, ath=text))
    told(answer, place)


@pytest.mark.parametrize("place", [name for name, row in PLACES.items() if row[3]])
def test_a_token_with_somebody_elses_proof(broker: Whole, agency: Agency, held: dict[str, Any], place: str) -> None:
    """RFC 9449 §7.1: a good proof of another key."""
    other = proof(agency, held, place, key=STRANGER, header={"jwk": holder.public_jwk(STRANGER)})
    with untouched(broker.parts.database):
        answer = send(agency, held, place, other)
    told(answer, place)


@each
def test_a_proof_that_was_used(broker: Whole, agency: Agency, held: dict[str, Any], place: str) -> None:
    """RFC 9449 §11.1."""
    used = proof(agency, held, place)
    first = send(agency, held, place, used)
    if first.status_code not in {200, 201}:
        return  # what is refused before it counts is not used up
    before = broker.size()
    told(send(agency, held, place, used), place)
    assert broker.size() == before, "nothing was entered"
