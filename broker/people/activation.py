"""Links with which a person sets what they sign in with: good once, for a limited time (NIST SP 800-63B-4 §4.2).

Of the link's secret only its hash is stored. A new link takes the place of every earlier one of that person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import delete, insert, select, update

from broker.database import Tx
from broker.tables import activation as table
from keys import opaque

Purpose = Literal["account", "password", "second_factor"]
State = Literal["open", "used", "expired"]
HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True)
class Activation:
    """A link's row: whose it is, what it lets them set (`account` is password and second factor), and its state."""

    token_hash: bytes = field(repr=False)
    person_id: str
    purpose: Purpose
    state: State


def issue(tx: Tx, person_id: str, purpose: Purpose, expires: int) -> str:
    """Make a link's secret (43 characters) that is good until `expires` (microseconds); earlier ones end."""
    withdraw(tx, person_id)
    token = opaque.token()
    row = {"token_hash": opaque.digest(token), "person_id": person_id, "purpose": purpose, "expires": expires}
    tx.execute(insert(table).values(row))
    return token


def withdraw(tx: Tx, person_id: str) -> None:
    """End every link of a person."""
    tx.execute(delete(table).where(table.c.person_id == person_id))


def find(tx: Tx, token: str, now: int) -> Activation | None:
    """Return what is known of a link; None for one that never was, or whose place a newer one took."""
    row = tx.execute(select(table).where(table.c.token_hash == opaque.digest(token))).first()
    if row is None:
        return None
    state: State = "used" if row.spent is not None else "open" if row.expires > now else "expired"
    return Activation(row.token_hash, row.person_id, row.purpose, state)


def pending(tx: Tx, person_id: str, now: int) -> int | None:
    """Return until when a person's open link is good (microseconds); None when they have none."""
    open_ = select(table.c.expires).where(
        table.c.person_id == person_id, table.c.spent.is_(None), table.c.expires > now
    )
    return tx.execute(open_).scalar_one_or_none()


def spend(tx: Tx, link: Activation, now: int) -> bool:
    """Use a link up, in one statement; False when it was used, replaced or too old."""
    row = table.c
    open_ = update(table).where(row.token_hash == link.token_hash, row.spent.is_(None), row.expires > now)
    return tx.execute(open_.values(spent=now).returning(row.person_id)).first() is not None
