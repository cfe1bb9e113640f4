"""A plain authorization request until its person has signed in: no row, sealed into a cookie of its own (OpenID Connect Core §3.1.2.1).

What anybody can send us a browser with writes nothing. The cookie opens only beside the browser's own cookie and under the id of
its journey, for as long as a sign-in may take; a browser holds five, and no more than a proxy lets through in one header.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest, from_json
from keys import base64url, canonical, opaque
from keys import errors as keys_errors
from keys.keyring import SealingRing

COOKIE = "semel-r-"  # and the id of the journey
MAX = 3072  # characters of one
MOST = 5
TOGETHER = 6144  # characters; proxies refuse a header line of 8 KB
MAX_TEXT = 64 * 1024  # bytes of what is sealed
ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def new_id() -> str:
    """Return a public id for a journey: 132 random bits."""
    return opaque.token()[:22]


def seal(ring: SealingRing, kept: PushedRequest, browser_hash: bytes) -> str:
    """Return the cookie's text; `ValueError` for a request that is too long to be kept this way."""
    text = canonical.dumps({"at": kept.pushed_at, "request": kept.request.to_json()})
    sealed = base64url.encode(ring.seal(zlib.compress(text), _belongs(kept.tx, browser_hash)))
    if len(sealed) > MAX or len(text) > MAX_TEXT:
        raise ValueError("the request is too long for an address; push it")
    return sealed


def open_(
    ring: SealingRing, sealed: str, public_id: str, browser_hash: bytes, *, now: int, lifetime: int
) -> PushedRequest | None:
    """Return the request of a cookie; None when it is another browser's or journey's, or older than `lifetime` (microseconds)."""
    if not 0 < len(sealed) <= MAX:
        return None
    try:
        box = ring.open(base64url.decode(sealed), _belongs(public_id, browser_hash))
        kept = canonical.loads(zlib.decompressobj().decompress(box, MAX_TEXT))
    except keys_errors.KeysError:
        return None
    if kept["at"] + lifetime <= now:
        return None
    request: AuthorizationRequest = from_json(kept["request"])
    return PushedRequest(public_id, request, kept["at"])


def surplus(held: Mapping[str, tuple[int, int]], coming: int) -> tuple[str, ...]:
    """Name the journeys whose cookies must go before one of `coming` characters comes; `held`: when each came, its length.

    The oldest go first.
    """
    kept: list[str] = []
    total = coming
    for public_id in sorted(held, key=lambda one: held[one][0], reverse=True):
        total += held[public_id][1]
        if len(kept) + 1 >= MOST or total > TOGETHER:
            break
        kept.append(public_id)
    return tuple(public_id for public_id in held if public_id not in kept)


def _belongs(public_id: str, browser_hash: bytes) -> bytes:
    return b"semel/plain/v1\x00" + opaque.digest(browser_hash + public_id.encode())
