"""A plain authorization request until its person has signed in: no row, sealed into a cookie of its own (OpenID Connect Core §3.1.2.1).

What anybody can send us a browser with writes nothing; only a request that no cookie can hold is stored as if it had been pushed,
so many an hour from one address. The cookie opens only beside the browser's own cookie and under the id of
its journey, for as long as a sign-in may take; a browser holds five, and no more than a proxy lets through in one header.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from broker import throttle
from broker.authorization import pushed
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest, from_json
from broker.database import Tx
from broker.throttle import Limit
from keys import base64url, canonical, opaque
from keys import errors as keys_errors
from keys.keyring import SealingRing

COOKIE = "semel-r-"  # and the id of the journey
MAX = 3072  # characters of one
MOST = 5
TOGETHER = 6144  # characters; proxies refuse a header line of 8 KB
MAX_TEXT = 64 * 1024  # bytes of what is sealed
STORED = Limit(hourly=600, burst=100)  # requests too long for a cookie, and those that other sites post, by address
ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def new_id() -> str:
    """Return a public id for a journey: 132 random bits."""
    return opaque.token()[:22]


def seal(ring: SealingRing, kept: PushedRequest, browser_hash: bytes) -> str | None:
    """Return the cookie's text; None for a request that is too long to be kept this way."""
    text = canonical.dumps({"at": kept.pushed_at, "request": kept.request.to_json()})
    sealed = base64url.encode(ring.seal(zlib.compress(text), _belongs(kept.tx, browser_hash)))
    if len(sealed) > MAX or len(text) > MAX_TEXT:
        return None
    return sealed


def store(
    tx: Tx, kept: PushedRequest, browser_hash: bytes, sender: tuple[bytes, ...], now: int, *, lifetime: int
) -> int | None:
    """Store a request that no cookie holds, for this browser alone; the seconds to wait when the address stores too many.

    `sender` are the codes of the networks it came from; `now` and `lifetime` in microseconds.
    """
    wait = throttle.allow_network(tx, "authorize-form", sender, STORED, now)
    if wait is None:
        pushed.adopt(tx, kept.request, kept.tx, browser_hash, pushed=kept.pushed_at, expires=now + lifetime)
    return wait


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
