"""Which requests wait for a person: found with their own key, so that no row joins the agencies that ask one person (CIBA Core §8)."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select

from broker.database import Tx
from broker.tables import waiting_person as table
from keys import errors as keys_errors
from keys import opaque, sealing
from keys.vault import Vault

MOST = 50  # that are shown
MINUTE = 60_000_000  # microseconds


def put(tx: Tx, vault: Vault, person_id: str | None, tx_id: str, expires: int) -> None:
    """Lay a request before a person until `expires` (microseconds); for nobody a row that opens for no one, at the same cost."""
    keys = None if person_id is None else vault.person(tx, person_id)
    data = sealing.new_key() if keys is None else keys.data
    made = opaque.token()
    tx.execute(
        insert(table).values(
            id=made,
            owner=_owner(data),
            box=sealing.encrypt(data, tx_id.encode(), made.encode()),
            expires=expires + secrets.randbelow(MINUTE),  # no time that the request's own row has
        )
    )


def read(tx: Tx, vault: Vault, person_id: str, now: int) -> list[str]:
    """Return the public ids of the requests that were laid before a person, the newest end first."""
    keys = vault.person(tx, person_id)
    rows = tx.execute(
        select(table)
        .where(table.c.owner == _owner(keys.data), table.c.expires > now)
        .order_by(table.c.expires.desc())
        .limit(MOST)
    )
    found = []
    for row in rows:
        try:
            found.append(sealing.decrypt(keys.data, row.box, row.id.encode()).decode())
        except keys_errors.SealBroken:
            continue
    return found


def _owner(data_key: bytes) -> bytes:
    """Where a person's rows are found: a digest that only their own key gives."""
    return opaque.digest(b"semel/inbox/v1\x00" + data_key)
