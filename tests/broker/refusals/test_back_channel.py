"""What every endpoint of the back channel refuses alike: the exact answer, and nothing written (RFC 6749 §3.2, §5.2)."""

from __future__ import annotations

import gzip
import json
import secrets
from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.actors import ASSERTION, Agency
from tests.broker.untouched import untouched
from tests.broker.whole import ISSUER, Whole

FORM = {"content-type": "application/x-www-form-urlencoded"}
SECONDS = 1_795_302_000
#: What each endpoint takes besides the client's credentials.
ENDPOINTS: dict[str, dict[str, str]] = {
    "/par": {
        "response_type": "code",
        "redirect_uri": "https://norr-childcare.example/callback",
        "scope": "openid use:norr.childcare-allowance",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "state": "s",
        "nonce": "n",
    },
    "/token": {"grant_type": "client_credentials", "scope": "ssf.manage"},
    "/revocation": {"token": "x"},
    "/introspection": {"token": "x"},
    "/device_authorization": {"scope": "openid use:norr.childcare-allowance"},
    "/backchannel_authentication": {},  # all of it is in the signed request
}
each = pytest.mark.parametrize("path", ENDPOINTS)


def send(agency: Agency, path: str, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    """Send bytes as they are, with a good proof."""
    sent = {**FORM, "DPoP": agency.proof("POST", ISSUER + path, None), **(headers or {})}
    return agency.http.post(path, content=body, headers=sent)


def form(agency: Agency, path: str, **changed: str | None) -> dict[str, str]:
    """A good form for an endpoint, with something changed, added, or (None) left out."""
    own = {"client_id": agency.client_id, "client_assertion_type": ASSERTION, "client_assertion": agency.assertion()}
    behind = {"request": behind_the_front(agency)} if path == "/backchannel_authentication" else {}
    given: dict[str, str | None] = {**ENDPOINTS[path], **own, **behind, **changed}
    return {name: value for name, value in given.items() if value is not None}


def behind_the_front(agency: Agency) -> str:
    """A signed request about somebody (CIBA Core §7.1.1)."""
    key, kid = agency.key()
    claims = {"iss": agency.client_id, "aud": ISSUER, "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 60}
    claims |= {"jti": secrets.token_urlsafe(32), "login_hint": "maria", "scope": f"openid use:{agency.use}"}
    claims["binding_message"] = "W7"
    return jwt.encode(claims, key, "ES256", headers={"kid": kid})


def told(answer: httpx2.Response, status: int, code: str) -> None:
    """The protocol's form and nothing else (RFC 6749 §5.2)."""
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json().keys() <= {"error", "error_description", "correlation_id"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "date" in answer.headers
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers


@each
def test_what_is_right_is_no_refusal(broker: Whole, agency: Agency, path: str) -> None:
    """The tables below could refuse everything: the same form, unchanged, is not refused for itself."""
    answer = send(agency, path, urlencode(form(agency, path)).encode())
    assert answer.status_code in {200, 201}, answer.text


# fmt: off
ASSERTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # section and what is wrong                 claims                                              header
    ("rfc7523bis §4 aud in a list",             {"aud": [ISSUER]},                                  {}),
    ("rfc7523bis §4 aud and a stranger",        {"aud": [ISSUER, "https://other.example"]},         {}),
    ("rfc7523bis §4 another issuer",            {"aud": "https://other.example"},                   {}),
    ("RFC 7523 §3 no jti",                      {"jti": None},                                      {}),
    ("RFC 7523 §3 no exp",                      {"exp": None},                                      {}),
    ("RFC 7523 §3 expired",                     {"exp": SECONDS - 60},                              {}),
    ("RFC 7523 §3 an hour to live",             {"exp": SECONDS + 3600},                            {}),
    ("RFC 7523 §3 not yet",                     {"nbf": SECONDS + 120},                             {}),
    ("RFC 7523 §3 iss is not sub",              {"iss": "norr-planning"},                           {}),
    ("RFC 7523 §3 another's name",              {"iss": "norr-planning", "sub": "norr-planning"},   {}),
    ("RFC 7523 §3 nobody's name",               {"iss": "nobody", "sub": "nobody"},                 {}),
    ("RFC 7523 §3 sub is a number",             {"sub": 7},                                         {}),
    ("RFC 8725 §2.7 exp is infinite",           {"exp": 10**400},                                   {}),
    ("RFC 8725 §2.7 exp is text",               {"exp": str(SECONDS + 60)},                         {}),
    ("RFC 8725 §3.11 a proof",                  {},                                                 {"typ": "dpop+jwt"}),
    ("RFC 8725 §3.11 an access token",          {},                                                 {"typ": "at+jwt"}),
    ("RFC 8725 §3.11 a logout token",           {},                                                 {"typ": "logout+jwt"}),
    ("RFC 8725 §3.11 a request object",         {},                                                 {"typ": "oauth-authz-req+jwt"}),
    ("RFC 8725 §3.10 unknown kid",              {},                                                 {"kid": "x"}),
    ("RFC 7515 §4.1.11 crit",                   {},                                                 {"crit": ["exp"]}),
    ("RFC 7515 §4.1.2 jku is no key source",    {},                                                 {"kid": "x", "jku": "https://evil.example/jwks"}),
]
# fmt: on


def forged(agency: Agency, path: str, claims: dict[str, Any], header: dict[str, Any]) -> str:
    key, kid = agency.key()
    given = {"iss": agency.client_id, "sub": agency.client_id, "aud": ISSUER, "exp": SECONDS + 60}
    given |= {"jti": secrets.token_urlsafe(32), **claims}
    if given["aud"] == "endpoint":
        given["aud"] = ISSUER + path
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.api_jws.encode(json.dumps(kept).encode(), key, "ES256", headers={"kid": kid, "typ": "JWT", **header})


@each
@pytest.mark.parametrize(("claims", "header"), [row[1:] for row in ASSERTIONS], ids=[row[0] for row in ASSERTIONS])
def test_an_assertion(broker: Whole, agency: Agency, path: str, claims: dict[str, Any], header: dict[str, Any]) -> None:
    given = form(agency, path, client_assertion=forged(agency, path, claims, header))
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(given).encode()), 401, "invalid_client")


@each
@pytest.mark.parametrize("named", ["endpoint", f"{ISSUER}/token"])
def test_an_assertion_for_one_of_our_addresses(broker: Whole, agency: Agency, path: str, named: str) -> None:
    """FAPI 2.0 §5.3.2.1: the issuer alone; behind the front the addresses, too (CIBA Core §7.1)."""
    given = urlencode(form(agency, path, client_assertion=forged(agency, path, {"aud": named}, {}))).encode()
    if path == "/backchannel_authentication":
        assert send(agency, path, given).status_code != 401
        return
    with untouched(broker.parts.database):
        told(send(agency, path, given), 401, "invalid_client")


SIGNED_OTHERWISE = {
    "RFC 8725 §3.1 alg none": lambda a, c, kid: jwt.encode(c, "", "none", headers={"kid": kid}),
    "RFC 8725 §3.1 a shared secret": lambda a, c, kid: jwt.encode(c, "x" * 32, "HS256", headers={"kid": kid}),
    "RFC 8725 §3.2 another curve": lambda a, c, kid: jwt.encode(
        c, ec.generate_private_key(ec.SECP384R1()), "ES384", headers={"kid": kid}
    ),
    "RFC 8725 §3.5 another key": lambda a, c, kid: jwt.encode(
        c, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": kid}
    ),
    "RFC 7515 §5.2 a bit of the signature": lambda a, c, kid: jwt.encode(c, a.key()[0], "ES256", headers={"kid": kid})[:-6] + "AAAAAA",
    "RFC 7515 §7.1 four parts": lambda a, c, kid: jwt.encode(c, a.key()[0], "ES256", headers={"kid": kid}) + ".x",
    "RFC 7515 §7.1 nothing": lambda a, c, kid: "..",
    "bounded: huge": lambda a, c, kid: "e30." + "A" * 60_000 + ".AA",
}  # fmt: skip


@each
@pytest.mark.parametrize("how", SIGNED_OTHERWISE)
def test_an_assertion_signed_otherwise(broker: Whole, agency: Agency, path: str, how: str) -> None:
    claims = {"iss": agency.client_id, "sub": agency.client_id, "aud": ISSUER, "exp": SECONDS + 60, "jti": secrets.token_hex(16)}  # fmt: skip
    made = SIGNED_OTHERWISE[how](agency, claims, agency.key()[1])
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(form(agency, path, client_assertion=made)).encode()), 401, "invalid_client")


#: Written twice in one object: readers differ in which of the two counts (RFC 8725 §2.6).
@each
def test_an_assertion_that_says_a_claim_twice(broker: Whole, agency: Agency, path: str) -> None:
    key, kid = agency.key()
    body = f'{{"iss":"{agency.client_id}","sub":"norr-planning","sub":"{agency.client_id}","aud":"{ISSUER}","exp":{SECONDS + 60},"jti":"{secrets.token_hex(16)}"}}'
    made = jwt.api_jws.encode(body.encode(), key, "ES256", headers={"kid": kid})
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(form(agency, path, client_assertion=made)).encode()), 401, "invalid_client")


@each
def test_an_assertion_that_was_used(broker: Whole, agency: Agency, path: str) -> None:
    """RFC 7523 §3: also at another endpoint than the first time."""
    used = agency.assertion()
    answer = send(agency, "/introspection", urlencode(form(agency, "/introspection", client_assertion=used)).encode())
    assert answer.status_code == 200
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(form(agency, path, client_assertion=used)).encode()), 401, "invalid_client")


# fmt: off
WHO: list[tuple[str, dict[str, str | None]]] = [
    ("RFC 6749 §2.3 nobody",              {"client_id": None, "client_assertion": None, "client_assertion_type": None}),
    ("RFC 6749 §2.3 a name alone",        {"client_assertion": None, "client_assertion_type": None}),
    ("RFC 6749 §2.3 a secret it has not", {"client_assertion": None, "client_assertion_type": None, "client_secret": "x"}),
    ("RFC 6749 §2.3 two methods",         {"client_secret": "x"}),
    ("RFC 7521 §4.2 no type",             {"client_assertion_type": None}),
    ("RFC 7521 §4.2 another type",        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}),
    ("RFC 7521 §4.2 another's client_id", {"client_id": "norr-planning"}),
    ("RFC 7521 §4.2 nobody's client_id",  {"client_id": "nobody"}),
]
# fmt: on


@each
@pytest.mark.parametrize("changed", [row[1] for row in WHO], ids=[row[0] for row in WHO])
def test_who_asks(broker: Whole, agency: Agency, path: str, changed: dict[str, str | None]) -> None:
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(form(agency, path, **changed)).encode()), 401, "invalid_client")


@each
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic bm9yci1jaGlsZGNhcmU6eA=="},
        {"authorization": "Basic !"},
        {"authorization": "Bearer x"},
        {"authorization": "Negotiate x"},
    ],
    ids=lambda headers: str(headers["authorization"]),
)
def test_an_authorization_header_beside_an_assertion(
    broker: Whole, agency: Agency, path: str, headers: dict[str, str]
) -> None:
    """RFC 6749 §2.3: one method a request."""
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode(form(agency, path)).encode(), headers), 401, "invalid_client")


def _twice() -> list[tuple[str, str]]:
    own = ("client_id", "client_assertion", "client_assertion_type")
    named = [(path, name) for path, given in ENDPOINTS.items() for name in (*given, *own)]
    return [*named, ("/backchannel_authentication", "request")]


@pytest.mark.parametrize(("path", "name"), _twice())
@pytest.mark.parametrize("other", ["the same", "another", "empty"])
def test_a_parameter_twice(broker: Whole, agency: Agency, path: str, name: str, other: str) -> None:
    """RFC 6749 §3.1, §3.2: whichever of the two a reader would take."""
    given = form(agency, path)
    again = {"the same": given[name], "another": "x", "empty": ""}[other]
    with untouched(broker.parts.database):
        told(send(agency, path, urlencode([*given.items(), (name, again)]).encode()), 400, "invalid_request")


# fmt: off
BODIES: list[tuple[str, dict[str, str], bytes | None, int]] = [
    ("JSON",                         {"content-type": "application/json"},                        b"{}",                      415),
    ("multipart",                    {"content-type": "multipart/form-data; boundary=b"},         b"--b--",                   415),
    ("text",                         {"content-type": "text/plain"},                              None,                       415),
    ("no type",                      {"content-type": ""},                                        None,                       415),
    ("two types",                    {"content-type": "application/json, application/x-www-form-urlencoded"}, None,           415),
    ("another alphabet in the type", {"content-type": "application/x-www-form-urlencoded+json"},  None,                       415),
    ("more than 64 KiB",             {},                                                          b"a=" + b"x" * 65_536,      413),
    ("a hundred and one names",      {},                                                          b"&".join(b"n%d=1" % n for n in range(101)), 400),
    ("no UTF-8",                     {},                                                          b"a=\xff",                  400),
    ("no UTF-8, encoded",            {},                                                          b"a=%ff",                   400),
    ("UTF-16",                       {"content-type": "application/x-www-form-urlencoded; charset=utf-16"}, "a=1".encode("utf-16"), 400),
    ("a NUL",                        {},                                                          b"token=%00",               400),
    ("compressed",                   {"content-encoding": "gzip"},                                gzip.compress(b"token=x"),  400),
]
# fmt: on


@each
@pytest.mark.parametrize(("headers", "body", "status"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body(
    broker: Whole, agency: Agency, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    """protocol §5: content-type confusion, sizes, alphabets."""
    content = urlencode(form(agency, path)).encode() if body is None else body
    with untouched(broker.parts.database):
        told(send(agency, path, content, headers), status, "invalid_request")


@each
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_another_method(broker: Whole, agency: Agency, path: str, method: str) -> None:
    """RFC 6749 §3.2: POST and nothing else; what stands in the query means nothing."""
    with untouched(broker.parts.database):
        answer = agency.http.request(method, path, params=form(agency, path))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@each
def test_everything_in_the_query(broker: Whole, agency: Agency, path: str) -> None:
    """RFC 6749 §2.3.1: credentials in the address count for nothing."""
    with untouched(broker.parts.database):
        answer = agency.http.post(path, params=form(agency, path), headers=FORM)
        told(answer, *((400, "invalid_request") if path == "/token" else (401, "invalid_client")))


@each
def test_the_host_that_a_header_names(broker: Whole, agency: Agency, path: str) -> None:
    """protocol §5: `htu` is measured against the issuer whatever Host and its relatives say."""
    proof = agency.proof("POST", f"https://evil.example{path}", None)
    headers = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
        "DPoP": proof,
    }
    answer = send(agency, path, urlencode(form(agency, path)).encode(), headers)
    assert "evil.example" not in answer.text
    if path in {"/par", "/token", "/device_authorization"}:
        assert answer.json()["error"] == "invalid_dpop_proof"


@each
@pytest.mark.parametrize("value", ["\r\nSet-Cookie: a=b", "<script>", "\u202e", '"\\'], ids=ascii)
def test_what_was_sent_is_not_said_again(broker: Whole, agency: Agency, path: str, value: str) -> None:
    """RFC 6749 §5.2: `error_description` holds its characters and nothing of the request."""
    for name in (*ENDPOINTS[path], "unknown"):
        answer = send(agency, path, urlencode(form(agency, path, **{name: value, "client_assertion": value})).encode())
        said = answer.json().get("error_description", "")
        assert all(0x20 <= ord(one) <= 0x7E and one not in '"\\' for one in said)
        assert value.strip() not in answer.text
        assert "a=b" not in str(answer.headers)
