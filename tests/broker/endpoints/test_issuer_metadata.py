"""The documents wallets and verifiers read, as they are published (OpenID4VCI 1.0 §12.2; SD-JWT VC §4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.database import Database
from tests.broker import issuing
from tests.broker.issuing import ISSUER, ROOT, Issuer


@pytest.fixture
def issuer(database: Database, tmp_path: Path) -> Iterator[Issuer]:
    with issuing.running(database, tmp_path) as running:
        yield running


def test_the_issuers_metadata(issuer: Issuer) -> None:
    answer = issuer.wallet.get("/.well-known/openid-credential-issuer")
    golden = json.loads((ROOT / "tests/golden/openid-credential-issuer.json").read_text(encoding="utf-8"))
    assert answer.json() == golden
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["vary"] == "Accept, Accept-Language"


def test_the_authorization_server_agrees(issuer: Issuer) -> None:
    server = issuer.wallet.get("/.well-known/oauth-authorization-server").json()
    assert server["issuer"] == issuer.wallet.get("/.well-known/openid-credential-issuer").json()["credential_issuer"]
    assert "urn:ietf:params:oauth:grant-type:pre-authorized_code" in server["grant_types_supported"]
    assert server["pre-authorized_grant_anonymous_access_supported"] is True


def test_the_keys_that_sign_credentials_and_no_others(issuer: Issuer) -> None:
    document = issuer.wallet.get("/.well-known/jwt-vc-issuer").json()
    assert document["issuer"] == ISSUER
    (key,) = document["jwks"]["keys"]
    assert key["kid"] == issuer.parts.keyring.signer("credential", "ES256").kid
    assert "d" not in key
    tokens = issuer.wallet.get("/jwks").json()["keys"]
    assert key["kid"] not in {one["kid"] for one in tokens}


def test_a_nonce_for_anyone(issuer: Issuer) -> None:
    answers = [issuer.wallet.post("/nonce") for _ in range(2)]
    assert len({answer.json()["c_nonce"] for answer in answers}) == 2
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)
    assert all("dpop-nonce" in answer.headers for answer in answers)


@pytest.mark.parametrize("offer_id", ["x", "q" * 43, "q" * 4000])
def test_no_such_offer(issuer: Issuer, offer_id: str) -> None:
    answer = issuer.wallet.get(f"/offers/{offer_id}")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_an_address_with_a_nul_is_malformed(issuer: Issuer) -> None:
    """One of the two databases cannot even be asked for such a name."""
    answer = issuer.wallet.get("/offers/%00")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
