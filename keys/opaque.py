"""Opaque secrets: how they are made, what of them is stored, how they are compared (RFC 6749 §10.10)."""

import hashlib
import hmac
import secrets

from keys.errors import Mismatch


def token() -> str:
    """Return a new secret: 32 random bytes as base64url text of 43 characters."""
    return secrets.token_urlsafe(32)


def digest(secret: str | bytes) -> bytes:
    """Return the SHA-256 (32 bytes) of a high-entropy secret: the only form in which it is stored."""
    return hashlib.sha256(_octets(secret)).digest()


def equal(left: str | bytes, right: str | bytes) -> None:
    """Return when both are the same, compared in constant time; raise `Mismatch` otherwise."""
    if not hmac.compare_digest(_octets(left), _octets(right)):
        raise Mismatch("not equal")


def _octets(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
