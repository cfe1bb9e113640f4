"""Pushing a request: the answer, what is stored, and what the endpoint itself refuses (RFC 9126 §2)."""

import base64
from typing import Any

import pytest

from broker.authorization import pushed
from broker.authorization.pushed import PushedRequest
from broker.clients import secret
from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.endpoints import par
from broker.tables import pushed_request
from consent import intended_use
from tests.broker.provider import Answered, Provider
from tests.broker.relying import CALLBACK, CHALLENGE, Key, client, use

ASKED = {
    "client_id": "rp",
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid use:town.permit",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "s",
}


def push(provider: Provider, given: dict[str, Any] | None = None, proofs: tuple[str, ...] = ()) -> Answered:
    members = {name: value for name, value in {**ASKED, **provider.credentials(), **(given or {})}.items() if value}
    return provider.call(par, provider.form("/par", members, [("dpop", proof) for proof in proofs]))


def stored(provider: Provider) -> int:
    with provider.database.read() as tx:
        return len(tx.execute(pushed_request.select()).all())


def test_pushed(provider: Provider) -> None:
    answer = push(provider)
    assert (answer.status, answer.body["expires_in"]) == (201, 60)
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.body) == {"request_uri", "expires_in"}
    with provider.database.write() as tx:
        claimed = pushed.claim(tx, answer.body["request_uri"], "rp", b"b" * 32, provider.now)
    assert isinstance(claimed, PushedRequest)
    assert claimed.request.state == "s"
    assert claimed.request.dpop_jkt is None


def test_a_proof_binds_the_code(provider: Provider) -> None:
    """RFC 9449 §10.1."""
    answer = push(provider, proofs=(provider.proof("/par"),))
    assert answer.status == 201
    assert "DPoP-Nonce" in answer.headers
    with provider.database.write() as tx:
        claimed = pushed.claim(tx, answer.body["request_uri"], "rp", b"b" * 32, provider.now)
    assert isinstance(claimed, PushedRequest)
    assert claimed.request.dpop_jkt == provider.dpop_key.jkt


def test_a_proof_without_nonce(provider: Provider) -> None:
    """RFC 9449 §8: 400, exactly one nonce, nothing stored, and the second try works with the same assertion's client."""
    answer = push(provider, proofs=(provider.proof("/par", nonce=None),))
    assert (answer.status, answer.body["error"]) == (400, "use_dpop_nonce")
    assert stored(provider) == 0
    assert push(provider, proofs=(provider.proof("/par", nonce=answer.headers["DPoP-Nonce"]),)).status == 201


def test_an_assertion_counts_once(provider: Provider) -> None:
    """RFC 7523 §3: the second use is 401 and stores nothing."""
    given = provider.credentials()
    assert push(provider, given).status == 201
    again = push(provider, given)
    assert (again.status, again.body["error"]) == (401, "invalid_client")
    assert stored(provider) == 1


def test_a_proof_counts_once(provider: Provider) -> None:
    """RFC 9449 §11.1."""
    proof = provider.proof("/par")
    assert push(provider, proofs=(proof,)).status == 201
    again = push(provider, proofs=(proof,))
    assert (again.status, again.body["error"]) == (400, "invalid_dpop_proof")
    assert stored(provider) == 1


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("RFC 9126 §2.1 request_uri",          {"request_uri": "urn:x"},                         400, "invalid_request"),
    ("RFC 9126 §2.1 another's client_id",  {"client_id": "other"},                           401, "invalid_client"),
    ("RFC 9126 §2.3 redirect_uri",         {"redirect_uri": "https://evil.example/cb"},      400, "invalid_request"),
    ("RFC 9126 §2.3 no authentication",    {"client_assertion": None},                       401, "invalid_client"),
    ("RFC 7636 §4.4.1 no PKCE",            {"code_challenge": None},                         400, "invalid_request"),
    ("RFC 9396 §5 over-asking",            {"scope": "openid use:town.permit income.taxable"}, 400, "invalid_authorization_details"),
    ("OIDC Core §5.4 a word for more",     {"scope": "openid use:town.permit profile"},      400, "invalid_authorization_details"),
    ("RFC 6749 §4.1.2.1 unknown use",      {"scope": "openid use:town.none"},                400, "invalid_scope"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, given: dict[str, Any], status: int, code: str) -> None:
    answer = push(provider, given)
    assert (answer.status, answer.body["error"]) == (status, code)
    assert answer.headers["Cache-Control"] == "no-store"
    assert stored(provider) == 0


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "code_challenge"])
def test_a_parameter_twice(provider: Provider, name: str) -> None:
    """RFC 6749 §3.1."""
    from urllib.parse import urlencode

    body = urlencode([*ASKED.items(), *provider.credentials().items(), (name, ASKED[name])]).encode()
    kind = ("content-type", "application/x-www-form-urlencoded")
    answer = provider.call(par, provider.request("POST", "/par", [kind], body))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_other_content_types(provider: Provider, kind: str) -> None:
    """RFC 9126 §2.1."""
    answer = provider.call(par, provider.request("POST", "/par", [("content-type", kind)], b"{}"))
    assert (answer.status, answer.body["error"]) == (415, "invalid_request")


def test_a_body_too_large(provider: Provider) -> None:
    answer = push(provider, {"state": "s" * 70_000})
    assert (answer.status, answer.body["error"]) == (413, "invalid_request")


def test_the_host_header_means_nothing(provider: Provider) -> None:
    """RFC 9449 §4.3 (9): `htu` is measured against the issuer, whatever the request says its host is."""
    kind = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")]
    forged = provider.proof("/par", key=Key(), htu="https://evil.example/par")
    request = provider.form("/par", {**ASKED, **provider.credentials()}, [*kind, ("dpop", forged)])
    assert provider.call(par, request).body["error"] == "invalid_dpop_proof"


def registered(provider: Provider, client_id: str, **members: Any) -> dict[str, str]:
    """Another client beside `rp`, with the use of `rp`; returns what it sends of itself."""
    kept = provider.parts.registry
    who = client(provider.client_key, client_id, **members)
    provider.parts.registry = Registry([*kept.all(), who], KeySets(Egress()), mode="sandbox")
    provider.parts.uses = intended_use.collect([use("town.permit", client_id)])
    return {**ASKED, "client_id": client_id}


def test_a_client_with_a_secret_and_a_public_one_push(provider: Provider) -> None:
    """RFC 9126 §2: as at the token endpoint, whatever the method; nothing to spend for either."""
    given = registered(provider, "plain", profile="baseline", client_secret_hash=secret.kept("s3cret"))
    basic = ("authorization", "Basic " + base64.b64encode(b"plain:s3cret").decode())
    assert provider.call(par, provider.form("/par", given, [basic])).status == 201
    assert provider.call(par, provider.form("/par", given, [basic])).status == 201
    wrong = ("authorization", "Basic " + base64.b64encode(b"plain:wrong").decode())
    refused = provider.call(par, provider.form("/par", given, [wrong]))
    assert (refused.status, refused.body["error"]) == (401, "invalid_client")
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    given = registered(provider, "app", profile="baseline", token_endpoint_auth_method="none")
    assert provider.call(par, provider.form("/par", given)).status == 201
    bare = {**given, "code_challenge": ""}
    assert provider.call(par, provider.form("/par", bare)).status == 400
    assert stored(provider) == 3


def test_in_production_data_is_for_fapi_clients(provider: Provider) -> None:
    """House: the request is refused whatever the client registered, and nothing is stored."""
    given = registered(provider, "app", profile="baseline", token_endpoint_auth_method="none")
    provider.parts.mode = "production"
    answer = provider.call(par, provider.form("/par", given))
    assert (answer.status, answer.body["error"]) == (400, "unauthorized_client")
    assert stored(provider) == 0
