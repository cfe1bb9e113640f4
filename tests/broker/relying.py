"""What a relying party signs, made with PyJWT: the code under test did not make it."""

import base64
import hashlib
import json
import uuid
from dataclasses import replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from broker.clients.metadata import ClientMetadata
from broker.parameters import Parameters
from consent import intended_use
from consent.intended_use import IntendedUse, Uses
from keys import algorithms
from keys.keyring import Keyring, SigningKey

ISSUER = "https://broker.example"
CALLBACK = "https://rp.example/callback"
VERIFIER = "v" * 43
WORDS = {"en": "Words", "ar": "كلمات"}
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Key:
    """A P-256 key of a client or of a proof."""

    def __init__(self, kid: str = "k1") -> None:
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())
        made: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.public = {name: made[name] for name in ("kty", "crv", "x", "y")}
        self.jwk = {**self.public, "kid": kid, "alg": "ES256", "use": "sig"}

    @property
    def jwk_private(self) -> dict[str, Any]:
        """The whole key, for a program of the same client."""
        return {**self.jwk, **jwt.algorithms.ECAlgorithm.to_jwk(self.private, as_dict=True)}

    @property
    def jkt(self) -> str:
        required = json.dumps(self.public, sort_keys=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(required).digest()).rstrip(b"=").decode()

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        return jwt.encode(claims, self.private, algorithm="ES256", headers=header)


KEYED = {"private_key_jwt", "attest_jwt_client_auth"}  # methods that prove a registered key


def client(key: Key, client_id: str = "rp", **members: Any) -> ClientMetadata:
    declared: dict[str, Any] = {"client_id": client_id, "client_name": "Relying Party", "redirect_uris": [CALLBACK]}
    if "jwks_uri" not in members and members.get("token_endpoint_auth_method", "private_key_jwt") in KEYED:
        declared["jwks"] = {"keys": [key.jwk]}
    return ClientMetadata.model_validate({**declared, **members})


def assertion(key: Key, now: int, client_id: str = "rp", header: dict[str, Any] | None = None, **changed: Any) -> str:
    seconds = now // 1_000_000
    claims = {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": uuid.uuid4().hex, "exp": seconds + 60}
    return key.sign(merge(claims, changed), {"kid": key.kid, **(header or {})})


def credentials(key: Key, now: int, client_id: str = "rp", **changed: Any) -> dict[str, str]:
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(key, now, client_id, **changed),
    }


def proof(
    key: Key,
    now: int,
    *,
    method: str,
    url: str,
    nonce: str | None,
    header: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    claims: dict[str, Any] = {
        "jti": uuid.uuid4().hex,
        "htm": method,
        "htu": url,
        "iat": now // 1_000_000,
        "nonce": nonce,
    }
    return key.sign(merge(claims, changed), merge({"typ": "dpop+jwt", "jwk": key.public}, header or {}))


def ath(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def merge(members: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Members with changes; a change to None leaves the member out."""
    return {name: value for name, value in {**members, **changed}.items() if value is not None}


def parameters(**given: str) -> Parameters:
    return Parameters(list(given.items()))


def keyring() -> Keyring:
    return Keyring((SigningKey.of(algorithms.generate("ES256"), purpose="token", stage="signing"),))


def uses() -> Uses:
    """The uses `town.permit` (once) and `town.benefit` (ongoing) of the client `rp`, and one of another client."""
    benefit = use("town.benefit", "rp", kind="ongoing", ceiling_days=365, durations=[90, 365])
    made = intended_use.collect([use("town.permit", "rp"), benefit, use("other.permit", "other")])
    return replace(
        made,
        words={"profile": ("identity.full_name",), "email": ("contact.email",)},
        claims={"given_name": "identity.given_name", "email": "contact.email", "birthdate": "identity.birth_date"},
        bundles={item: item.split(".")[0] for item in ("identity.given_name", "contact.email", "identity.birth_date")},
    )


def use(use_id: str, client_id: str, **changed: Any) -> IntendedUse:
    controller = {"id": "1", "scheme": "x", "name": WORDS, "domain": "rp.example", "country": "XX", "address": WORDS}
    controller |= {"contact": "a@rp.example", "data_protection_contact": "b@rp.example"}
    controller |= {"erasure_contact": "c@rp.example", "supervisory_authority": WORDS}
    item = {"reason": WORDS, "retention_days": 30}
    return IntendedUse.model_validate(
        {
            "id": use_id,
            "version": 1,
            "client_id": client_id,
            "mode": "consent",
            "kind": "once",
            "minimum_acr": "http://eidas.europa.eu/LoA/substantial",
            "purpose_code": "x",
            "title": WORDS,
            "purpose": WORDS,
            "legal_basis": {"code": "x", "article": "1", "text": WORDS},
            "controller": controller,
            "items": [
                {"id": "identity.given_name", "required": True, **item},
                {"id": "contact.email", "required": False, **item},
            ],
            "consequence": WORDS,
            "alternative": {"text": WORDS, "url": "https://rp.example/paper"},
            **changed,
        }
    )
