"""Bearer tokens: for clients that are not held to a key, and for nobody else (RFC 6750, RFC 9449 §5, §7.2)."""

from typing import Any

import jwt
import pytest

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.endpoints import token as token_endpoint
from broker.endpoints import userinfo
from tests.broker.endpoints.test_token import ask
from tests.broker.provider import Answered, Provider
from tests.broker.relying import ath, client

NO_PROOF: tuple[str, ...] = ()


@pytest.fixture
def open_provider(provider: Provider) -> Provider:
    """`rp` need not send proofs."""
    free = client(
        provider.client_key,
        profile="baseline",
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint_auth_signing_alg="ES256",
        id_token_signed_response_alg="ES256",
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        scope="openid use:town.permit use:town.benefit files:read",
    )
    others = [one for one in provider.parts.registry.all() if one.client_id != "rp"]
    code = provider.code(provider.asked(scope="openid use:town.benefit"))
    provider.parts.registry = Registry([free, *others], KeySets(Egress()), mode="sandbox")
    provider.parts.code = code
    return provider


def shown(provider: Provider, authorization: str, *more: tuple[str, str]) -> Answered:
    return provider.call(
        userinfo, provider.request("GET", "/userinfo", [("authorization", authorization), *more]), "resource"
    )


def test_without_a_proof(open_provider: Provider) -> None:
    body = ask(open_provider, open_provider.parts.code, proofs=NO_PROOF).body
    assert body["token_type"] == "Bearer"
    assert "cnf" not in jwt.decode(body["access_token"], options={"verify_signature": False})
    assert shown(open_provider, f"Bearer {body['access_token']}").status == 200
    assert shown(open_provider, f"bearer {body['access_token']}").status == 200


def test_with_a_proof_it_is_bound(open_provider: Provider) -> None:
    """RFC 9449 §5: whoever sends a proof gets a bound token, which is then no bearer token."""
    body = ask(open_provider, open_provider.parts.code).body
    assert body["token_type"] == "DPoP"
    answer = shown(open_provider, f"Bearer {body['access_token']}")
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")


def test_an_unbound_token_is_not_sent_with_a_proof(open_provider: Provider) -> None:
    """RFC 9449 §7.1: a key that the token does not name proves nothing."""
    token = ask(open_provider, open_provider.parts.code, proofs=NO_PROOF).body["access_token"]
    proof = open_provider.proof("/userinfo", "GET", ath=ath(token))
    answer = shown(open_provider, f"DPoP {token}", ("dpop", proof))
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")


def test_refreshed_without_a_proof(open_provider: Provider) -> None:
    """A token that was bound to no key is bound to the client alone (RFC 9700 §2.2.2)."""
    first = ask(open_provider, open_provider.parts.code, proofs=NO_PROOF).body
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "rp"}
    answer = open_provider.call(token_endpoint, open_provider.form("/token", form | open_provider.credentials()))
    assert (answer.status, answer.body["token_type"]) == (200, "Bearer")
    assert shown(open_provider, f"Bearer {answer.body['access_token']}").status == 200


def test_for_itself(open_provider: Provider) -> None:
    form = {"grant_type": "client_credentials", "client_id": "rp", **open_provider.credentials()}
    answer = open_provider.call(token_endpoint, open_provider.form("/token", form))
    assert (answer.status, answer.body["token_type"]) == (200, "Bearer")


@pytest.mark.parametrize("proofs", [("x",), ("x", "y")])
def test_a_bad_proof_is_not_overlooked(open_provider: Provider, proofs: tuple[str, ...]) -> None:
    """RFC 9449 §5."""
    answer: Any = ask(open_provider, open_provider.parts.code, proofs=proofs)
    assert (answer.status, answer.body["error"]) == (400, "invalid_dpop_proof")


def test_held_to_a_key(provider: Provider) -> None:
    """FAPI 2.0 §5.3.2.1."""
    answer = ask(provider, provider.code(), proofs=NO_PROOF)
    assert (answer.status, answer.body["error"]) == (400, "invalid_dpop_proof")
