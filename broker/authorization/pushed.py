"""Pushed authorization requests: stored, claimed by the first browser, closed (RFC 9126 §2.2, §4)."""

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.answers import Refusal
from broker.authorization.request import AuthorizationRequest, from_json
from broker.database import Tx
from broker.tables import pushed_request
from keys import base64url, opaque

PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFETIME = 60  # seconds until it must have been opened

_row = pushed_request.c
_STORE = insert(pushed_request)
_CLAIM = (
    update(pushed_request)
    .where(
        _row.id_hash == bindparam("of"),
        _row.client_id == bindparam("whose"),
        _row.closed == 0,
        or_(and_(_row.browser.is_(None), _row.expires > bindparam("now")), _row.browser == bindparam("who")),
    )
    .values(browser=bindparam("who"))
    .returning(_row.tx, _row.request, _row.pushed)
)
_FIND = select(_row.tx, _row.request, _row.pushed).where(
    _row.tx == bindparam("name"), _row.browser == bindparam("who"), _row.closed == 0
)
_ENDED = select(_row.tx, _row.request, _row.pushed).where(
    _row.tx == bindparam("name"), _row.browser == bindparam("who"), _row.closed == 1
)
_CLOSE = update(pushed_request).where(_row.tx == bindparam("name")).values(closed=1)


@dataclass(frozen=True)
class PushedRequest:
    """A stored request; `tx` is the public id under which this browser's pages live, and opens nothing by itself.

    `pushed_at` in microseconds: `prompt=login` is met by a sign-in after it.
    """

    tx: str
    request: AuthorizationRequest
    pushed_at: int


def public_id(request_uri: str) -> str:
    """Return the id under which a request's pages live: made from its `request_uri`, which it does not give away."""
    return base64url.encode(opaque.digest("semel/pushed/v1\x00" + request_uri))[:22]


def _bound(browser_hash: bytes, public_id: str) -> bytes:
    """Name a browser within one request: two requests of one browser have nothing equal, so no agency's row joins another's."""
    return opaque.digest(browser_hash + public_id.encode())


def new_uri() -> str:
    """Return a new `request_uri`: 256 random bits."""
    return PREFIX + opaque.token()


def store(tx: Tx, request: AuthorizationRequest, request_uri: str, now: int, *, lifetime: int = LIFETIME) -> None:
    """Store a checked request under its `request_uri` for `lifetime` seconds; only the hash of the URI is kept."""
    row = {
        "id_hash": opaque.digest(request_uri),
        "tx": public_id(request_uri),
        "client_id": request.client_id,
        "request": request.to_json(),
        "pushed": now,
        "expires": now + lifetime * 1_000_000,
        "closed": 0,
    }
    tx.execute(_STORE, row)


def adopt(tx: Tx, request: AuthorizationRequest, name: str, browser_hash: bytes, *, pushed: int, expires: int) -> None:
    """Store a request that came another way, opened by this browser already; no `request_uri` leads to it.

    A second time changes nothing. Times in microseconds.
    """
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    tx.execute(
        make(pushed_request)
        .values(
            id_hash=opaque.digest(opaque.token()),
            tx=name,
            client_id=request.client_id,
            request=request.to_json(),
            browser=_bound(browser_hash, name),
            pushed=pushed,
            expires=expires,
            closed=0,
        )
        .on_conflict_do_nothing()
    )


def claim(tx: Tx, request_uri: str, client_id: str, browser_hash: bytes, now: int) -> PushedRequest | Refusal:
    """Give the request to the browser that opens it, in one statement.

    The first opening must come in time and claims it; the same browser may open it again until it is closed. Any other
    browser or client, a late first opening, and an unknown URI are refused alike.
    """
    browser = _bound(browser_hash, public_id(request_uri))
    claimed = tx.execute(
        _CLAIM, {"of": opaque.digest(request_uri), "whose": client_id, "now": now, "who": browser}
    ).one_or_none()
    if claimed is None:
        return Refusal("invalid_request_uri", "the request is unknown, used or too old")
    return PushedRequest(claimed.tx, from_json(claimed.request), claimed.pushed)


def find(tx: Tx, name: str, browser_hash: bytes, *, ended: bool = False) -> PushedRequest | None:
    """Return the open request (or the `ended` one) behind `/i/{tx}/…` when this browser claimed it."""
    found = tx.execute(_ENDED if ended else _FIND, {"name": name, "who": _bound(browser_hash, name)}).one_or_none()
    return None if found is None else PushedRequest(found.tx, from_json(found.request), found.pushed)


def close(tx: Tx, name: str) -> None:
    """End a request: a code was issued or the journey ended; it cannot be opened again."""
    tx.execute(_CLOSE, {"name": name})
