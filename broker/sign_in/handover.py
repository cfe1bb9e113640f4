"""A sign-in handed from a phone to another screen: who is signed in there lets the other screen in (BCP 247, pages §2.6).

The other screen holds a handle in a cookie. What it shows is made from the handle alone: a code of 132 bits in a picture, eight
letters to type instead, a number of two digits. The phone opens the code, and the person says which number the screen shows.
What the screen asked for is sealed, and gone as soon as a person is named in the row: no row leads from a person to an agency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update

from broker.database import Tx
from broker.sign_in import user_code
from broker.sign_in.session import Session
from broker.tables import handover as table
from keys import base64url, canonical, opaque
from keys.keyring import RootKeyring

State = Literal["shown", "approved", "declined"]
LIFETIME = 180  # seconds until the phone must have answered
AFTER = 120  # seconds in which the other screen then goes on
CHOICES = 3
CODE_BYTES = 16
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Handover:
    """A row that is not over; times in microseconds. `box` holds what the screen asked for, while it waits."""

    id_hash: bytes = field(repr=False)
    state: State
    expires: int
    box: bytes = field(repr=False)

    def about(self, roots: RootKeyring) -> Mapping[str, Any]:
        """Return what was sealed when it began, and its `handle`'s `code` and `number`."""
        told: dict[str, Any] = canonical.loads(roots.ring("cookie").open(self.box, self.id_hash))
        return told


def code(handle: str) -> str:
    """Return the code in the picture: 22 characters."""
    return base64url.encode(_made(handle, "code")[:CODE_BYTES])


def typed(handle: str) -> str:
    """Return the letters for people who cannot scan (`user_code.ALPHABET`)."""
    value, letters = int.from_bytes(_made(handle, "letters")), []
    for _ in range(user_code.LENGTH):
        value, at = divmod(value, len(user_code.ALPHABET))
        letters.append(user_code.ALPHABET[at])
    return "".join(letters)


def number(handle: str) -> int:
    """Return the number the other screen shows, from 10 to 99."""
    return 10 + int.from_bytes(_made(handle, "number")) % 90


def choices(handle_code: str, right: int) -> tuple[int, ...]:
    """Return the numbers to choose from, smallest first: the right one and two others, the same ones at every look."""
    found = [right]
    for byte in hashlib.sha256(b"semel/handover/choices/v1\x00" + handle_code.encode()).digest():
        if len(found) < CHOICES and 10 + byte % 90 not in found:
            found.append(10 + byte % 90)
    return tuple(sorted(found))


def begin(tx: Tx, roots: RootKeyring, about: Mapping[str, Any], now: int) -> str:
    """Begin one, and return the handle for the screen's cookie (43 characters, kept only as a hash).

    `about` is what the phone will be told: canonical JSON, sealed for this server. `now` in microseconds.
    """
    handle = opaque.token()
    id_hash = opaque.digest(handle)
    said = {**about, "code": code(handle), "number": number(handle)}
    tx.execute(
        insert(table).values(
            id_hash=id_hash,
            code_hash=opaque.digest(code(handle)),
            typed=user_code.macs(roots, typed(handle))[0],
            box=roots.ring("cookie").seal(canonical.dumps(said), id_hash),
            state="shown",
            expires=now + LIFETIME * SECOND,
        )
    )
    return handle


def by_handle(tx: Tx, handle: str, now: int) -> Handover | None:
    """Return what a screen began, unless it is over."""
    return _one(tx, table.c.id_hash == opaque.digest(handle), now)


def by_code(tx: Tx, given: str, now: int) -> Handover | None:
    """Return what a phone opened, unless it is over."""
    return _one(tx, table.c.code_hash == opaque.digest(given), now)


def by_typed(tx: Tx, roots: RootKeyring, letters: str, now: int) -> Handover | None:
    """Return what somebody typed the letters of, unless it is over; of two that are equal, neither."""
    rows = tx.execute(
        select(table).where(table.c.typed.in_(user_code.macs(roots, letters)), table.c.expires > now)
    ).all()
    return _found(rows[0]) if len(rows) == 1 else None


def approve(tx: Tx, found: Handover, live: Session, now: int) -> bool:
    """Let the other screen in as the person of this session, in one statement; false when it was answered or is over."""
    return _answer(
        tx,
        found,
        now,
        state="approved",
        person_id=live.person_id,
        acr=live.acr,
        amr=" ".join(live.amr),
        auth_time=live.auth_time,
        expires=now + AFTER * SECOND,
    )


def decline(tx: Tx, found: Handover, now: int) -> bool:
    """Refuse it, in one statement; false when it was answered or is over."""
    return _answer(tx, found, now, state="declined")


def redeem(tx: Tx, handle: str, now: int) -> Mapping[str, Any] | None:
    """Take what the phone allowed, once: `person_id`, `acr`, `amr`, `auth_time`; None when it did not (yet)."""
    row = table.c
    taken = delete(table).where(row.id_hash == opaque.digest(handle), row.state == "approved", row.expires > now)
    found = tx.execute(taken.returning(row.person_id, row.acr, row.amr, row.auth_time)).mappings().first()
    return None if found is None else {**found, "amr": tuple(found["amr"].split())}


def withdraw(tx: Tx, person_id: str) -> None:
    """Take back what a person allowed and no screen has redeemed yet."""
    tx.execute(delete(table).where(table.c.person_id == person_id))


def _answer(tx: Tx, found: Handover, now: int, **values: Any) -> bool:
    row = table.c
    open_ = update(table).where(row.id_hash == found.id_hash, row.state == "shown", row.expires > now)
    return tx.execute(open_.values(box=b"", **values).returning(row.id_hash)).first() is not None


def _one(tx: Tx, which: Any, now: int) -> Handover | None:
    row = tx.execute(select(table).where(which, table.c.expires > now)).first()
    return None if row is None else _found(row)


def _found(row: Any) -> Handover:
    return Handover(row.id_hash, row.state, row.expires, row.box)


def _made(handle: str, what: str) -> bytes:
    return hashlib.sha256(f"semel/handover/{what}/v1\x00{handle}".encode()).digest()
