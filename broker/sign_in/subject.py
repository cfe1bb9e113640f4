"""Pairwise names: of a person at every sector, of a session at every client (OpenID Connect Core §8.1, Back-Channel Logout §2.1)."""

import hashlib
import hmac

from keys import base64url


def pairwise(pairwise_key: bytes, sector: str) -> str:
    """Return `sub` for one sector: 43 characters, from the person's own pairwise key (32 bytes), gone when it is."""
    return base64url.encode(hmac.digest(pairwise_key, sector.encode(), hashlib.sha256))


def session_id(pairwise_key: bytes, secret: bytes, client_id: str) -> str:
    """Return `sid` of a session for one client: 43 characters; no two clients get the same, and no row gives it away.

    `secret` is the session's; the key is the person's own, so that a copy of the database does not lead from a `sid` to anyone.
    """
    return base64url.encode(
        hmac.digest(pairwise_key, b"semel/sid/v1\x00" + secret + client_id.encode(), hashlib.sha256)
    )


def acting(pairwise_key: bytes, client_id: str, actor_id: str) -> str:
    """Return `sub` for a client that acts for another one (RFC 8693 §4.1): its own name for the person in this work alone.

    Neither agency knows it otherwise, and whoever works for two of them finds two different people. No sector has a blank.
    """
    return pairwise(pairwise_key, f"{actor_id} for {client_id}")
