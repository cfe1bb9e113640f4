"""Requests whose client waits while a person decides elsewhere, and asks again and again (RFC 8628 §3.4, CIBA Core §10.1).

What the client holds (`device_code`, `auth_req_id`) is the holder of the sealed values: its public half is kept from the start, so
that whoever decides in another browser can hand over to it. Only its hash is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.authorization import plain
from broker.authorization.request import AuthorizationRequest, from_json
from broker.database import Tx
from broker.tables import waiting_request as table
from keys import canonical, opaque, sealing
from keys.keyring import SealingRing

State = Literal["pending", "approved", "refused"]
INTERVAL = 5  # seconds between two questions (RFC 8628 §3.2)
SLOWER = 5  # seconds more after each question that came too early (RFC 8628 §3.5)
LEEWAY = 1_000_000  # microseconds a question may be early: clocks and networks differ
SECOND = 1_000_000


@dataclass(frozen=True)
class Waiting:
    """A stored request; times in microseconds. `about` is what was sealed with it: who is asked, whence, whom to tell."""

    tx: str
    id_hash: bytes
    public: bytes
    request: AuthorizationRequest
    state: State
    browser: bytes | None
    asked: int
    expires: int
    box: bytes = field(repr=False)

    def about(self, ring: SealingRing) -> Mapping[str, Any]:
        """Open what was sealed with the request."""
        told: dict[str, Any] = canonical.loads(ring.open(self.box, _belongs(self.tx)))
        return told

    def open_at(self, now: int) -> bool:
        """Whether it can still be decided."""
        return self.state == "pending" and self.expires > now


def new_id() -> str:
    """Return a public id under which a request's pages will live; it opens nothing by itself."""
    return plain.new_id()


def seal(ring: SealingRing, tx_id: str, about: Mapping[str, Any]) -> bytes:
    """Seal what is kept with a request for this server alone."""
    return ring.seal(canonical.dumps(dict(about)), _belongs(tx_id))


def store(
    tx: Tx,
    request: AuthorizationRequest,
    secret: str,
    *,
    tx_id: str,
    box: bytes,
    now: int,
    lifetime: int,
    user_code: bytes | None = None,
) -> bool:
    """Store a checked request under the secret its client will ask with, for `lifetime` seconds.

    False, and nothing is written, when another request has the same user code at the moment.
    """
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    stored = tx.execute(
        make(table)
        .values(
            id_hash=opaque.digest(secret),
            tx=tx_id,
            public=sealing.public_of(secret.encode()),
            user_code=user_code,
            client_id=request.client_id,
            request=request.to_json(),
            box=box,
            state="pending",
            interval=INTERVAL,
            due=now,
            asked=now,
            expires=now + lifetime * SECOND,
        )
        .on_conflict_do_nothing()
        .returning(table.c.tx)
    )
    return stored.first() is not None


def find(tx: Tx, secret: str) -> Waiting | None:
    """Return the request a client asks about."""
    return _one(tx, table.c.id_hash == opaque.digest(secret))


def get(tx: Tx, tx_id: str) -> Waiting | None:
    """Return the request behind a public id."""
    return _one(tx, table.c.tx == tx_id)


def by_user_code(tx: Tx, macs: tuple[bytes, ...]) -> Waiting | None:
    """Return the request somebody typed the code of."""
    return _one(tx, table.c.user_code.in_(macs))


def claim(tx: Tx, tx_id: str, browser_hash: bytes, now: int) -> bool:
    """Give an undecided request to the first browser that opens it, in one statement; false when it is another's or over."""
    mine = bound(browser_hash, tx_id)
    claimed = tx.execute(
        update(table)
        .where(
            table.c.tx == tx_id,
            table.c.state == "pending",
            table.c.expires > now,
            or_(table.c.browser.is_(None), table.c.browser == mine),
        )
        .values(browser=mine)
        .returning(table.c.tx)
    )
    return claimed.first() is not None


def bound(browser_hash: bytes, tx_id: str) -> bytes:
    """Name a browser within one request, so that two requests of one browser have nothing equal."""
    return opaque.digest(b"semel/waiting/v1\x00" + browser_hash + tx_id.encode())


def decide(tx: Tx, tx_id: str, state: State, now: int) -> bool:
    """Record the one decision, in one statement; false when there was one before, or its time is over."""
    done = tx.execute(
        update(table)
        .where(table.c.tx == tx_id, table.c.state == "pending", table.c.expires > now)
        .values(state=state)
        .returning(table.c.tx)
    )
    return done.first() is not None


def question(tx: Tx, id_hash: bytes, now: int) -> bool:
    """Count a client's question about an undecided request; false when it came too early, which makes every wait longer."""
    row = table.c
    pending = and_(row.id_hash == id_hash, row.state == "pending")
    in_time = update(table).where(pending, row.due <= now + LEEWAY).values(due=now + row.interval * SECOND)
    if tx.execute(in_time.returning(row.tx)).first() is not None:
        return True
    slower = row.interval + SLOWER
    early = update(table).where(pending).values(interval=slower, due=now + slower * SECOND)
    return tx.execute(early.returning(row.tx)).first() is None  # decided meanwhile: that is no haste


def _one(tx: Tx, which: Any) -> Waiting | None:
    row = tx.execute(select(table).where(which)).first()
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in Waiting.__dataclass_fields__ if name != "request"}
    return Waiting(request=from_json(row.request), **fields)


def _belongs(tx_id: str) -> bytes:
    return b"semel/waiting/v1\x00" + tx_id.encode()
