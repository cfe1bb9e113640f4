"""Sessions: rows, found by the hash of a cookie; replaced on sign-in, ended by time, by leaving, with the person.

`password` means half signed in: such a session may only show the page for the code, and authorises nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import bindparam, delete, insert, select, update

from broker.database import Tx
from broker.tables import person, session
from keys import opaque

State = Literal["password", "full"]
SECOND = 1_000_000  # microseconds
HALF = 600  # seconds for the one-time code

_FIND = (
    select(session)
    .join(person, person.c.person_id == session.c.person_id)
    .where(
        session.c.id_hash == bindparam("cookie"),
        session.c.closed == 0,
        session.c.idle_until > bindparam("now"),
        session.c.expires > bindparam("now"),
        person.c.disabled == 0,
    )
)


@dataclass(frozen=True)
class Session:
    """A live session; times in microseconds, `secret` (32 bytes) makes what agencies may see of it."""

    id_hash: bytes = field(repr=False)
    person_id: str
    state: State
    acr: str
    amr: tuple[str, ...]
    auth_time: int
    fresh_code_at: int | None
    secret: bytes = field(repr=False)
    idle_until: int
    expires: int
    relying_parties: bytes | None = field(default=None, repr=False)  # sealed: `relying_parties.py`


def start(
    tx: Tx,
    person_id: str,
    *,
    state: State,
    acr: str,
    amr: tuple[str, ...],
    now: int,
    idle: int,
    longest: int,
    before: Session | None = None,
    auth_time: int | None = None,
) -> tuple[str, Session]:
    """Begin a session after a proof of identity; return its cookie (43 characters, kept only as a hash) and itself.

    `idle` and `longest` in seconds: how long it may lie unused, and live at all. Half signed in it lives ten minutes.
    `before`: the same person's session that this one goes on, taken with `take`: to agencies it is the same one.
    `auth_time`: when the proof was given, where that is not now.
    """
    proven = now if auth_time is None else auth_time
    cookie = opaque.token()
    idle, longest = (idle, longest) if state == "full" else (min(idle, HALF), min(longest, HALF))
    begun = Session(
        id_hash=opaque.digest(cookie),
        person_id=person_id,
        state=state,
        acr=acr,
        amr=amr,
        auth_time=proven,
        fresh_code_at=proven if "otp" in amr else None,
        secret=secrets.token_bytes(32) if before is None else before.secret,
        idle_until=now + idle * SECOND,
        expires=now + longest * SECOND,
        relying_parties=None if before is None else before.relying_parties,
    )
    row = {name: getattr(begun, name) for name in Session.__dataclass_fields__}
    tx.execute(insert(session).values(row | {"amr": " ".join(amr), "created": now, "closed": 0}))
    return cookie, begun


def passing(person_id: str, *, acr: str, now: int) -> Session:
    """Return a session that is kept nowhere and serves one act: nobody can come back to it."""
    return Session(
        id_hash=opaque.digest(opaque.token()),
        person_id=person_id,
        state="full",
        acr=acr,
        amr=(),
        auth_time=now,
        fresh_code_at=None,
        secret=secrets.token_bytes(32),
        idle_until=now,
        expires=now,
    )


def complete(
    tx: Tx, half: Session, *, acr: str, amr: tuple[str, ...], now: int, idle: int, longest: int
) -> tuple[str, Session] | None:
    """Turn a half session into a full one with another cookie, once; None when it was completed or ended meanwhile."""
    taken = take(tx, half) if half.state == "password" else None
    if taken is None:
        return None
    return start(tx, half.person_id, state="full", acr=acr, amr=amr, now=now, idle=idle, longest=longest, before=taken)


def find(tx: Tx, cookie: str, now: int) -> Session | None:
    """Return the live session of a cookie; None for an unknown, ended, idle or expired one, or a disabled person."""
    row = tx.execute(_FIND, {"cookie": opaque.digest(cookie), "now": now}).first()
    return None if row is None else _session(row)


def of_person(tx: Tx, person_id: str, now: int) -> list[Session]:
    """Return a person's live sessions, halves included, the newest sign-in first. `now` in microseconds."""
    row = session.c
    live = select(session).where(row.person_id == person_id, row.closed == 0, row.idle_until > now, row.expires > now)
    return [_session(found) for found in tx.execute(live.order_by(row.auth_time.desc()))]


def used(live: Session, now: int, idle: int) -> Session:
    """Return a session as it is once used now: the same one when that is not worth a write (once a minute is enough).

    `idle` in seconds, `now` in microseconds. Half a session is not kept alive.
    """
    until = now + idle * SECOND
    worth = live.state == "full" and until - live.idle_until >= 60 * SECOND
    return replace(live, idle_until=until) if worth else live


def touch(tx: Tx, live: Session, now: int, idle: int) -> Session:
    """Note in the row that a session is used; an ended one stays ended."""
    touched = used(live, now, idle)
    if touched is not live:
        chosen = update(session).where(session.c.id_hash == live.id_hash, session.c.closed == 0)
        tx.execute(chosen.values(idle_until=touched.idle_until))
    return touched


def freshen(tx: Tx, live: Session, now: int) -> Session:
    """Note that the person has just entered a one-time code again."""
    tx.execute(
        update(session).where(session.c.id_hash == live.id_hash, session.c.closed == 0).values(fresh_code_at=now)
    )
    return replace(live, fresh_code_at=now)


def end(tx: Tx, live: Session) -> bool:
    """End a session; false when it had ended before."""
    return take(tx, live) is not None


def take(tx: Tx, live: Session) -> Session | None:
    """End a session and return it with all its row says at that moment; None when it had ended before."""
    row = session.c
    closed = update(session).where(row.id_hash == live.id_hash, row.closed == 0, row.state == live.state)
    ended = tx.execute(closed.values(closed=1).returning(row.relying_parties)).first()
    return None if ended is None else replace(live, relying_parties=ended.relying_parties)


def sweep(tx: Tx, now: int) -> None:
    """Delete what has ended or expired. `now` in microseconds."""
    tx.execute(delete(session).where((session.c.closed == 1) | (session.c.expires <= now)))


def _session(row: Any) -> Session:
    fields = {name: getattr(row, name) for name in Session.__dataclass_fields__ if name != "amr"}
    return Session(amr=tuple(row.amr.split()), **fields)
