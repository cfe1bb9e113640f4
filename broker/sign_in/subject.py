"""Pairwise subjects: another name for the same person at every sector (OpenID Connect Core §8.1)."""

import hashlib
import hmac

from keys import base64url


def pairwise(pairwise_key: bytes, sector: str) -> str:
    """Return `sub` for one sector: 43 characters, from the person's own pairwise key (32 bytes), gone when it is."""
    return base64url.encode(hmac.digest(pairwise_key, sector.encode(), hashlib.sha256))
