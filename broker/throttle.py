"""Throttling: one row per kind and subject, decided in one statement (generic cell rate algorithm, ITU-T I.371).

A row holds the time at which the next attempt would be due; keeping to the rate never meets it, and whoever waits long
enough always gets through again: nothing locks out for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.database import Tx
from broker.tables import throttle
from keys import opaque

SECOND = 1_000_000  # microseconds
WIDER = (1, 4, 16)  # times what one network may, for those around it: of IPv6 64, 56 and 48 bits


@dataclass(frozen=True)
class Limit:
    """So many attempts an hour in the long run, so many at once."""

    hourly: int
    burst: int


def allow(tx: Tx, kind: str, subject_mac: bytes, limit: Limit, now: int) -> int | None:
    """Count one attempt of a kind by a subject; None when it may go on, else the seconds to wait (at least 1).

    A refused attempt costs nothing. `subject_mac` is a keyed code of whom it concerns, never their name or address;
    `now` in microseconds.
    """
    key = opaque.digest(kind.encode() + b"\x00" + subject_mac)
    every = 3600 * SECOND // limit.hourly
    latest = now + every * (limit.burst - 1)
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    due = case((throttle.c.tat > now, throttle.c.tat), else_=now)
    counted = (
        make(throttle)
        .values(key=key, tat=now + every)
        .on_conflict_do_update(
            index_elements=[throttle.c.key], set_={"tat": due + every}, where=throttle.c.tat <= latest
        )
        .returning(throttle.c.tat)
    )
    if tx.execute(counted).first() is not None:
        return None
    tat = tx.execute(select(throttle.c.tat).where(throttle.c.key == key)).scalar_one_or_none()
    return max(1, -((latest - (tat or latest)) // SECOND))


def waits(tx: Tx, kind: str, subject_mac: bytes, limit: Limit, now: int) -> int:
    """Return how many seconds a subject must wait before the next attempt would count; 0 when it may go on."""
    key = opaque.digest(kind.encode() + b"\x00" + subject_mac)
    tat = tx.execute(select(throttle.c.tat).where(throttle.c.key == key)).scalar_one_or_none() or 0
    latest = now + 3600 * SECOND // limit.hourly * (limit.burst - 1)
    return max(0, -((latest - tat) // SECOND))


def allow_network(tx: Tx, kind: str, networks: Sequence[bytes], limit: Limit, now: int) -> int | None:
    """Count one attempt from a network and from each wider one around it, which may as many times more; as `allow`.

    `networks` are their codes, the narrowest first (`broker.sender.codes`).
    """
    for number, (code, times) in enumerate(zip(networks, WIDER, strict=False)):
        name = f"{kind}/{number}" if number else kind
        wait = allow(tx, name, code, Limit(limit.hourly * times, limit.burst * times), now)
        if wait is not None:
            return wait
    return None


def give_back(tx: Tx, kind: str, networks: Sequence[bytes], limit: Limit) -> None:
    """Take back one attempt that `allow_network` counted: it was none."""
    for number, (code, times) in enumerate(zip(networks, WIDER, strict=False)):
        key = opaque.digest((f"{kind}/{number}" if number else kind).encode() + b"\x00" + code)
        every = 3600 * SECOND // (limit.hourly * times)
        tx.execute(update(throttle).where(throttle.c.key == key).values(tat=throttle.c.tat - every))


def is_held(tx: Tx, kind: str, subject_mac: bytes, now: int) -> bool:
    """Say whether an attempt of a kind by a subject is still remembered."""
    key = opaque.digest(kind.encode() + b"\x00" + subject_mac)
    return tx.execute(select(throttle.c.key).where(throttle.c.key == key, throttle.c.tat > now)).first() is not None


def clear(tx: Tx, kind: str, subject_mac: bytes) -> None:
    """Forget the attempts of a kind by a subject: they have just proven who they are."""
    tx.execute(delete(throttle).where(throttle.c.key == opaque.digest(kind.encode() + b"\x00" + subject_mac)))


def sweep(tx: Tx, now: int) -> None:
    """Delete the rows that no longer hold anyone back. `now` in microseconds."""
    tx.execute(delete(throttle).where(throttle.c.tat < now))
