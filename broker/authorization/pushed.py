"""Pushed authorization requests: stored, claimed by the first browser, closed (RFC 9126 §2.2, §4)."""

from dataclasses import dataclass

from sqlalchemy import and_, insert, or_, select, update

from broker.answers import Refusal
from broker.authorization.request import AuthorizationRequest, from_json
from broker.database import Tx
from broker.tables import pushed_request
from keys import opaque

PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFETIME = 60  # seconds until it must have been opened


@dataclass(frozen=True)
class PushedRequest:
    """A stored request; `tx` is the public id under which this browser's pages live, and opens nothing by itself.

    `pushed_at` in microseconds: `prompt=login` is met by a sign-in after it.
    """

    tx: str
    request: AuthorizationRequest
    pushed_at: int


def new_uri() -> str:
    """Return a new `request_uri`: 256 random bits."""
    return PREFIX + opaque.token()


def store(tx: Tx, request: AuthorizationRequest, request_uri: str, now: int, *, lifetime: int = LIFETIME) -> None:
    """Store a checked request under its `request_uri` for `lifetime` seconds; only the hash of the URI is kept."""
    tx.execute(
        insert(pushed_request).values(
            id_hash=opaque.digest(request_uri),
            tx=opaque.token()[:22],
            client_id=request.client_id,
            request=request.to_json(),
            pushed=now,
            expires=now + lifetime * 1_000_000,
            closed=0,
        )
    )


def claim(tx: Tx, request_uri: str, client_id: str, browser_hash: bytes, now: int) -> PushedRequest | Refusal:
    """Give the request to the browser that opens it, in one statement.

    The first opening must come in time and claims it; the same browser may open it again until it is closed. Any other
    browser or client, a late first opening, and an unknown URI are refused alike.
    """
    row = pushed_request.c
    claimed = tx.execute(
        update(pushed_request)
        .where(
            row.id_hash == opaque.digest(request_uri),
            row.client_id == client_id,
            row.closed == 0,
            or_(and_(row.browser.is_(None), row.expires > now), row.browser == browser_hash),
        )
        .values(browser=browser_hash)
        .returning(row.tx, row.request, row.pushed)
    ).one_or_none()
    if claimed is None:
        return Refusal("invalid_request_uri", "the request is unknown, used or too old")
    return PushedRequest(claimed.tx, from_json(claimed.request), claimed.pushed)


def find(tx: Tx, public_id: str, browser_hash: bytes) -> PushedRequest | None:
    """Return the open request behind `/i/{tx}/…` when this browser claimed it."""
    row = pushed_request.c
    found = tx.execute(
        select(row.tx, row.request, row.pushed).where(row.tx == public_id, row.browser == browser_hash, row.closed == 0)
    ).one_or_none()
    return None if found is None else PushedRequest(found.tx, from_json(found.request), found.pushed)


def close(tx: Tx, public_id: str) -> None:
    """End a request: a code was issued or the journey ended; it cannot be opened again."""
    tx.execute(update(pushed_request).where(pushed_request.c.tx == public_id).values(closed=1))
