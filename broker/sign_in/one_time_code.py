"""One-time codes from an authenticator app, each good once (RFC 6238; RFC 6238 §5.2 on reuse)."""

from __future__ import annotations

from typing import Literal

import pyotp
from sqlalchemy import update

from broker.database import Tx
from broker.people.people import Person
from broker.sign_in import typed_code
from broker.tables import person as table
from keys import opaque
from keys.errors import Mismatch
from keys.keyring import RootKeyring

STEP = 30  # seconds
DRIFT = 1  # steps that a phone's clock may be off

Outcome = Literal["accepted", "wrong", "used"]


def new_secret() -> str:
    """Return a new shared secret in base32 (160 bits)."""
    return pyotp.random_base32()


def check(tx: Tx, roots: RootKeyring, person: Person, code: str, now: int) -> Outcome:
    """Accept the code of this 30 s step or a neighbour, once: a step at or before the last accepted one is `used`.

    Spent in one statement, so that of two simultaneous uses one is refused. `now` in microseconds.
    """
    step = _step(roots, person, code, now)
    if step is None:
        return "wrong"
    spent = tx.execute(
        update(table)
        .where(table.c.person_id == person.person_id, table.c.totp_step < step, table.c.disabled == 0)
        .values(totp_step=step)
        .returning(table.c.person_id)
    )
    return "accepted" if spent.first() is not None else "used"


def _step(roots: RootKeyring, person: Person, code: str, now: int) -> int | None:
    """Find the step a code belongs to."""
    if person.totp_sealed is None:
        return None
    return step_of(roots.ring("totp").open(person.totp_sealed, person.person_id.encode()).decode(), code, now)


def step_of(secret: str, code: str, now: int) -> int | None:
    """Find the step that a code of this secret (base32) belongs to; None for a wrong one. `now` in microseconds."""
    digits = typed_code.plain(code)
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    codes, current, found = pyotp.TOTP(secret), now // 1_000_000 // STEP, None
    for step in range(current - DRIFT, current + DRIFT + 1):
        try:
            opaque.equal(codes.generate_otp(step), digits)
        except Mismatch:
            continue
        found = step
    return found
