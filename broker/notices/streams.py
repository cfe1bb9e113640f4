"""Event streams: what an agency wants to hear, and how it gets it (OpenID Shared Signals Framework 1.0 §8.1.1).

A client has one stream. Every person it has a subject for is in it, unless it took them out (`default_subjects` "ALL").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.clients import profile
from broker.database import Tx
from broker.notices import event_types
from broker.tables import event_stream as table
from broker.tables import removed_subject, security_event
from keys import canonical, opaque
from keys.algorithms import Alg
from keys.keyring import SealingRing

MANAGE, READ = SCOPES = profile.SIGNALS
PUSH, POLL = METHODS = ("urn:ietf:rfc:8935", "urn:ietf:rfc:8936")
STATUSES = ("enabled", "paused", "disabled")
VERIFY_SECONDS = 10  # between two verifications
MOST_REMOVED = 10_000  # subjects a stream may leave out
SECOND = 1_000_000  # microseconds

Status = Literal["enabled", "paused", "disabled"]


@dataclass(frozen=True)
class Wanted:
    """What a receiver says of its stream; `requested` None stands for every event there is.

    `endpoint` is where tokens are pushed to, `authorization` the header that goes with them, sealed (`seal`).
    """

    requested: tuple[str, ...] | None = None
    method: str = POLL
    endpoint: str | None = None
    authorization: bytes | None = field(default=None, repr=False)
    description: str | None = None


@dataclass(frozen=True)
class Stream:
    """One stream; `alg` signs its tokens, as its client registered when the stream was made or last changed."""

    stream_id: str
    client_id: str
    alg: Alg
    wanted: Wanted
    status: Status
    reason: str | None

    @property
    def way(self) -> tuple[object, ...]:
        """Everything that decides how and whether an event gets to its receiver."""
        wanted = self.wanted
        return self.alg, self.status, wanted.method, wanted.endpoint, wanted.authorization

    @property
    def pushed(self) -> bool:
        """Whether what is raised now is sent at once."""
        return self.wanted.method == PUSH and self.status == "enabled"

    def delivers(self, issuer: str) -> list[str]:
        """Name the events it carries, in the order in which they are supported."""
        asked = self.wanted.requested
        return [event for event in event_types.supported(issuer) if asked is None or event in asked]


def seal(ring: SealingRing, client_id: str, endpoint: str, header: str) -> bytes:
    """Seal the header that goes with what is pushed to an endpoint; it opens for no other client and no other endpoint."""
    return ring.seal(header.encode(), _belongs(client_id, endpoint))


def header(ring: SealingRing, stream: Stream) -> str | None:
    """Open the header that goes with what is pushed; raises `KeysError` when its root is gone."""
    wanted = stream.wanted
    if wanted.authorization is None:
        return None
    return ring.open(wanted.authorization, _belongs(stream.client_id, wanted.endpoint or "")).decode()


def create(tx: Tx, client_id: str, alg: Alg, wanted: Wanted, now: int) -> Stream | None:
    """Make a client's stream; None when it has one. `now` in microseconds."""
    stream_id = opaque.token()
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = {"stream_id": stream_id, "client_id": client_id, "status": "enabled", "created": now, **_columns(alg, wanted)}
    made = tx.execute(make(table).values(row).on_conflict_do_nothing().returning(table.c.stream_id))
    return None if made.first() is None else Stream(stream_id, client_id, alg, wanted, "enabled", None)


def of_client(tx: Tx, client_id: str) -> Stream | None:
    """Find the stream of a client."""
    row = tx.execute(select(table).where(table.c.client_id == client_id)).first()
    return None if row is None else _stream(row)


def find(tx: Tx, client_id: str, stream_id: str, *, change: bool = False) -> Stream | None:
    """Find a stream by its id if it is this client's; with `change` nobody else changes it before this transaction ends."""
    chosen = select(table).where(table.c.stream_id == stream_id, table.c.client_id == client_id)
    row = tx.execute(chosen.with_for_update() if change else chosen).first()
    return None if row is None else _stream(row)


def alter(tx: Tx, stream: Stream, alg: Alg, wanted: Wanted) -> Stream:
    """Store what a receiver now wants of its stream."""
    tx.execute(update(table).where(table.c.stream_id == stream.stream_id).values(_columns(alg, wanted)))
    return replace(stream, alg=alg, wanted=wanted)


def set_status(tx: Tx, stream: Stream, status: Status, reason: str | None) -> Stream:
    """Store a status and return the stream as it is now."""
    chosen = update(table).where(table.c.stream_id == stream.stream_id)
    tx.execute(chosen.values(status=status, reason=reason))
    return replace(stream, status=status, reason=reason)


def remove(tx: Tx, stream: Stream) -> None:
    """Delete a stream and whom it leaves out."""
    for other in (removed_subject, table):
        tx.execute(delete(other).where(other.c.stream_id == stream.stream_id))


def pushed(tx: Tx) -> list[Stream]:
    """Return the streams whose events are sent at once though some still wait; this transaction alone deals with them."""
    row = table.c
    waiting = select(security_event.c.jti).where(security_event.c.stream_id == row.stream_id).exists()
    chosen = select(table).where(row.method == PUSH, row.status == "enabled", waiting)
    return [_stream(one) for one in tx.execute(chosen.with_for_update(skip_locked=True))]


def may_verify(tx: Tx, stream: Stream, now: int) -> bool:
    """Note that a verification was asked for; false when the last one is not long enough ago."""
    row = table.c
    rested = row.verified.is_(None) | (row.verified <= now - VERIFY_SECONDS * SECOND)
    noted = update(table).where(row.stream_id == stream.stream_id, rested).values(verified=now)
    return tx.execute(noted.returning(row.stream_id)).first() is not None


def leave_out(tx: Tx, ring: SealingRing, stream: Stream, subject: str) -> bool:
    """Send nothing more about a subject; false when the stream leaves out too many."""
    row = removed_subject.c
    count = tx.execute(select(func.count()).where(row.stream_id == stream.stream_id)).scalar_one()
    if count >= MOST_REMOVED:
        return False
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    named = {"stream_id": stream.stream_id, "subject": _codes(ring, stream, subject)[0]}
    tx.execute(make(removed_subject).values(named).on_conflict_do_nothing())
    return True


def take_in(tx: Tx, ring: SealingRing, stream: Stream, subject: str) -> None:
    """Send events about a subject again."""
    row = removed_subject.c
    left = row.stream_id == stream.stream_id, row.subject.in_(_codes(ring, stream, subject))
    tx.execute(delete(removed_subject).where(*left))


def leaves_out(tx: Tx, ring: SealingRing, stream: Stream, subject: str) -> bool:
    """Say whether the receiver took a subject out."""
    row = removed_subject.c
    left = row.stream_id == stream.stream_id, row.subject.in_(_codes(ring, stream, subject))
    return tx.execute(select(row.stream_id).where(*left)).first() is not None


def listed(tx: Tx) -> list[dict[str, Any]]:
    """Return every stream for an operator, with how many events wait in it."""
    row, held = table.c, security_event.c
    waiting = select(func.count()).where(held.stream_id == row.stream_id).scalar_subquery()
    columns = row.client_id, row.stream_id, row.method, row.status, row.reason, waiting.label("waiting")
    return [dict(one) for one in tx.execute(select(*columns).order_by(row.client_id)).mappings()]


def _codes(ring: SealingRing, stream: Stream, subject: str) -> tuple[bytes, ...]:
    """A keyed code of a subject in one stream, under every root: no table lists whom an agency knows."""
    return ring.macs(b"semel/removed-subject/v1\x00" + f"{stream.stream_id}\x00{subject}".encode())


def _columns(alg: Alg, wanted: Wanted) -> Mapping[str, Any]:
    asked = None if wanted.requested is None else canonical.dumps(list(wanted.requested)).decode()
    return {
        "alg": alg,
        "requested": asked,
        "method": wanted.method,
        "endpoint": wanted.endpoint,
        "authorization": wanted.authorization,
        "description": wanted.description,
    }


def _stream(row: Row[Any]) -> Stream:
    asked = None if row.requested is None else tuple(canonical.loads(row.requested))
    wanted = Wanted(asked, row.method, row.endpoint, row.authorization, row.description)
    return Stream(row.stream_id, row.client_id, row.alg, wanted, row.status, row.reason)


def _belongs(client_id: str, endpoint: str) -> bytes:
    return b"semel/push-header/v1\x00" + f"{client_id}\x00{endpoint}".encode()
