"""Forgetting on time: what has expired is deleted, a bounded number of rows at a time, by one process at a time.

Sealed values go at the end of their clock, preview keys two days after their day; nothing waits for a person to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import ColumnElement, Table, delete, select, text, tuple_

from broker import tables, telemetry, throttle
from broker.database import Database, Tx
from broker.notices import outbox, security_events
from broker.notices.security_events import Signals
from broker.sign_in import session
from consent import ledger
from keys.vault import Vault
from wallet import nonce, offer

LOCK_CLASS = 0x5E3E3
ROWS = 1000
SECOND = 1_000_000
HOUR = 3600 * SECOND
KEPT_ACTIVITY = 395 * 24 * HOUR  # 13 months
EVERY = 60.0  # seconds


def sweep(tx: Tx, now: int) -> None:
    """Delete what has expired at `now` (microseconds); at most a thousand rows of each of the larger tables."""
    if not _leads(tx):
        return
    row, box = tables.sealed_row.c, tables.sealed_for.c
    expired = select(row.row_id).where(row.expires <= now).limit(ROWS)
    gone = (
        tx.execute(expired.with_for_update(skip_locked=True)).scalars().all()
    )  # nobody extends them until they are gone
    tx.execute(delete(tables.sealed_for).where(box.row_id.in_(gone)))
    tx.execute(delete(tables.sealed_row).where(row.expires <= now, row.row_id.not_in(select(box.row_id))))
    _forget(tx, tables.replay, tables.replay.c.expires <= now)
    _forget(tx, tables.pushed_request, tables.pushed_request.c.expires <= now - HOUR)
    _forget(tx, tables.waiting_request, tables.waiting_request.c.expires <= now - HOUR)
    _forget(tx, tables.waiting_person, tables.waiting_person.c.expires <= now)
    _forget(tx, tables.known_subject, tables.known_subject.c.expires <= now)
    _forget(tx, tables.handover, tables.handover.c.expires <= now)
    _forget(tx, tables.activation, tables.activation.c.expires <= now - HOUR)
    _forget(tx, tables.journey, tables.journey.c.expires <= now - HOUR)
    _forget(tx, tables.token_family, tables.token_family.c.expires <= now)
    _forget(tx, tables.refresh_token, tables.refresh_token.c.expires <= now)
    _forget(tx, tables.revoked_jti, tables.revoked_jti.c.expires <= now)
    _forget(tx, tables.initial_access, tables.initial_access.c.expires <= now)
    _forget(tx, tables.activity, tables.activity.c.ts <= now - KEPT_ACTIVITY)
    throttle.sweep(tx, now)
    session.sweep(tx, now)
    outbox.sweep(tx, now)
    security_events.sweep(tx, now)
    nonce.sweep(tx, now=now)
    offer.sweep(tx, now=now)
    ledger.sweep(tx, now)


def _leads(tx: Tx) -> bool:
    """Whether this process sweeps now; on SQLite there is only one."""
    if tx.dialect.name != "postgresql":
        return True
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:class, 0)"), {"class": LOCK_CLASS}).scalar_one())


def _forget(tx: Tx, table: Table, expired: ColumnElement[bool]) -> None:
    """Delete expired rows, except those that somebody extends at this moment."""
    key = list(table.primary_key.columns)
    chosen = select(*key).where(expired).limit(ROWS).with_for_update(skip_locked=True)
    tx.execute(delete(table).where(tuple_(*key).in_(chosen)))


async def run(
    database: Database, vault: Vault, signals: Signals, clock: Callable[[], int], every: float = EVERY
) -> None:
    """Sweep every so many seconds until cancelled, and tell agencies what ended by itself; a failure is logged and tried again."""
    while True:
        await asyncio.sleep(every)
        try:
            with database.write() as tx:
                sweep(tx, clock())
                signals.expire(tx, clock())
                signals.forward(tx, clock())
            vault.sweep(clock())
        except Exception as problem:  # noqa: BLE001 - forgetting goes on; the log says what broke
            telemetry.failure("cleanup", problem)
