"""What a person did that is no entry of the ledger (a refusal, a denied call): kept 13 months, sealed with their own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import uuid6
from sqlalchemy import insert, select

from broker.database import Tx
from broker.tables import activity as table
from keys import canonical, opaque, sealing
from keys.vault import Vault, person_stream


def _owner(keys_data: bytes, person_id: str) -> bytes:
    """Where a person's rows are found: a digest that only their own key gives."""
    return opaque.digest(keys_data + person_stream(person_id).encode())


def record(tx: Tx, vault: Vault, person_id: str, what: Mapping[str, Any], now: int) -> None:
    """Keep one thing a person did; `what` holds ids and words, never a value. `now` in microseconds."""
    keys = vault.person(tx, person_id)
    made = str(uuid6.uuid7())
    sealed = sealing.encrypt(keys.data, canonical.dumps(dict(what)), made.encode())
    tx.execute(insert(table).values(id=made, stream_hash=_owner(keys.data, person_id), ts=now, sealed=sealed))


def read(tx: Tx, vault: Vault, person_id: str, *, limit: int = 50, before: str | None = None) -> list[dict[str, Any]]:
    """Give the newest rows of a person, newest first, each with its `id` and its time `ts` in microseconds.

    `before` is the id of a row, for the next page; what was deleted meanwhile begins at the newest again.
    """
    keys = vault.person(tx, person_id)
    owner = _owner(keys.data, person_id)
    chosen = select(table).where(table.c.stream_hash == owner).order_by(table.c.ts.desc(), table.c.id.desc())
    last = tx.execute(select(table.c.ts).where(table.c.id == before)).scalar_one_or_none() if before else None
    if last is not None:
        chosen = chosen.where((table.c.ts < last) | ((table.c.ts == last) & (table.c.id < before)))
    rows = tx.execute(chosen.limit(limit))
    return [
        canonical.loads(sealing.decrypt(keys.data, row.sealed, row.id.encode())) | {"id": row.id, "ts": row.ts}
        for row in rows
    ]
