"""The discovery document: a golden file, so that a change to what we promise is seen in review (RFC 8414 §2)."""

import json
from pathlib import Path

from broker.authorization import pkce
from broker.endpoints import discovery, token
from consent import intended_use
from tests.broker.provider import Provider
from tests.broker.relying import ISSUER

GOLDEN = Path("tests/golden/openid-configuration.json")


def test_the_document(provider: Provider) -> None:
    answer = provider.call(discovery, provider.request("GET", "/.well-known/openid-configuration", []), "public")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.body == json.loads(GOLDEN.read_text())


def test_the_issuer_is_the_prefix_of_everything() -> None:
    """RFC 8414 §3.3; no address of another host, no path twice."""
    told = discovery.document(ISSUER, ["openid"])
    addresses = [value for name, value in told.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(addresses) == len(set(addresses)) >= 7
    assert all(address.startswith(f"{ISSUER}/") for address in addresses)


def test_only_what_works() -> None:
    told = discovery.document(ISSUER, ["openid"])
    assert told["grant_types_supported"] == list(token.GRANTS)
    assert told["code_challenge_methods_supported"] == [pkce.METHOD]
    assert "none" not in json.dumps(told["dpop_signing_alg_values_supported"])
    assert "RS256" not in json.dumps(told["dpop_signing_alg_values_supported"])
    assert "RS256" in told["id_token_signing_alg_values_supported"]  # OpenID Connect Discovery 1.0 §3 demands it


def test_wallet_uses_are_not_scopes() -> None:
    """An agency cannot ask under the use by which people add a document to their own wallet."""
    scopes = discovery.scopes_of(intended_use.load(Path("openid-config")))
    managing = ("grant_management_query", "grant_management_revoke")
    assert scopes == ("openid", "offline_access", *managing, "use:norr.building-permit", "use:norr.childcare-allowance")
