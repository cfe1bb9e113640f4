"""What the wallet's tests share: the declared type, an issuer's key, a wallet that can prove."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keys import algorithms
from keys.keyring import RootKeyring, SealingRing, SigningKey
from wallet import credential_type
from wallet.credential_type import CredentialType
from wallet.issuance import Value

ISSUER = "https://id.example.gov"
ROOT = Path(__file__).resolve().parents[2]


class Wallet:
    """An independent prover: PyJWT and cryptography, nothing of the product."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwk: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))

    def proof(self, nonce_: object, *, now: int, header: dict[str, Any] | None = None, **claims: Any) -> str:
        body = {"aud": ISSUER, "iat": now // 1_000_000, "nonce": nonce_, **claims}
        body = {name: value for name, value in body.items() if value is not Ellipsis}
        head = {"typ": "openid4vci-proof+jwt", "jwk": self.jwk, **(header or {})}
        return jwt.encode(body, self.key, algorithm="ES256", headers=head)


@pytest.fixture(scope="session")
def kind() -> CredentialType:
    return credential_type.load(ROOT / "openid-config")["residence"]


@pytest.fixture(scope="session")
def signer() -> SigningKey:
    return SigningKey.of(algorithms.generate("ES256"), purpose="credential", stage="signing")


@pytest.fixture(scope="session")
def ring() -> SealingRing:
    return RootKeyring.generate().ring("c-nonce")


@pytest.fixture
def wallet() -> Wallet:
    return Wallet()


@pytest.fixture
def values() -> dict[str, Value]:
    address = {
        "street_address": "Fjordgata",
        "house_number": "7B",
        "postal_code": "0150",
        "locality": "Norr",
        "country": "XN",
    }
    return {
        "identity.family_name": Value("Møller", "2026-11-20"),
        "identity.given_name": Value("Maria", "2026-11-20"),
        "address.registered": Value(address, "2026-03-12"),
        "address.since": Value("2019-05-01", "2026-03-12"),
        "address.municipality": Value("0301", "2026-03-12"),
    }


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
