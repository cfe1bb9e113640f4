"""What a client signs: its assertions and its proofs of possession, made quickly (RFC 7523, RFC 9449)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_HASH = ec.ECDSA(hashes.SHA256())


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _json(value: Any) -> str:
    return b64(json.dumps(value, separators=(",", ":")).encode())


@dataclass
class Key:
    """A P-256 key."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @cached_property
    def jwk(self) -> dict[str, str]:
        """Its public half."""
        numbers = self.private.public_key().public_numbers()
        x, y = (b64(part.to_bytes(32, "big")) for part in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    @cached_property
    def kid(self) -> str:
        """Its thumbprint (RFC 7638)."""
        return b64(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":")).encode()).digest())

    def sign(self, head: str, claims: dict[str, Any]) -> str:
        """A signed token; `head` is the encoded header."""
        text = f"{head}.{_json(claims)}"
        r, s = decode_dss_signature(self.private.sign(text.encode(), _HASH))
        return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@dataclass
class Agency:
    """A client with its key, the key its tokens are bound to, and the last nonce it was given."""

    client_id: str
    issuer: str
    key: Key = field(default_factory=Key)
    bound: Key = field(default_factory=Key)
    nonce: str | None = None

    @property
    def callback(self) -> str:
        """Where browsers are sent back to."""
        return f"https://{self.client_id}.example/callback"

    @cached_property
    def _head(self) -> str:
        return _json({"alg": "ES256", "kid": self.key.kid, "typ": "JWT"})

    @cached_property
    def _bound_head(self) -> str:
        return _json({"alg": "ES256", "typ": "dpop+jwt", "jwk": self.bound.jwk})

    def credentials(self) -> dict[str, str]:
        """The form's members that say who calls, good for one call."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "iat": now, "exp": now + 120}
        signed = self.key.sign(self._head, claims | {"jti": b64(os.urandom(24))})
        return {"client_id": self.client_id, "client_assertion_type": ASSERTION, "client_assertion": signed}

    def proof(self, method: str, path: str, token: str | None = None) -> str:
        """A proof for one call; with the token at a resource."""
        claims: dict[str, Any] = {"jti": b64(os.urandom(24)), "htm": method, "htu": self.issuer + path}
        claims["iat"] = int(time.time())
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        return self.bound.sign(self._bound_head, claims)
