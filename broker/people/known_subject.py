"""Who is behind a subject identifier that comes back as a hint: known to whoever brings it, and to nobody else (CIBA Core §7.1).

The row is found by a hash of the identifier and opens with the identifier: a copy of the table joins nothing. Only for clients that
may ask behind the front.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from broker.database import Tx
from broker.tables import known_subject as table
from keys import opaque, sealing

DAY = 86_400_000_000  # microseconds
KEPT = 395 * DAY


def remember(tx: Tx, sub: str, person_id: str, now: int) -> None:
    """Remember whom a client knows by `sub` (43 characters), for thirteen months from now."""
    expires = (now + KEPT) // DAY * DAY  # a day, no moment
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    box = sealing.encrypt(_key(sub), person_id.encode())
    tx.execute(
        make(table)
        .values(sub_hash=opaque.digest(sub), box=box, expires=expires)
        .on_conflict_do_update(index_elements=[table.c.sub_hash], set_={"box": box, "expires": expires})
    )


def find(tx: Tx, sub: str) -> str | None:
    """Return the id of the person; None for an identifier nobody was told."""
    box = tx.execute(select(table.c.box).where(table.c.sub_hash == opaque.digest(sub))).scalar_one_or_none()
    return None if box is None else sealing.decrypt(_key(sub), box).decode()


def _key(sub: str) -> bytes:
    return sealing.derive(sub.encode(), "semel/known-subject/v1")
