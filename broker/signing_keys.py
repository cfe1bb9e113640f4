"""The signing keys of this process, and their change by the clock: upcoming → signing → retiring (RFC 7517 §5, OpenID Connect Core §10.1.1).

Every process looks every few seconds whether the stages changed and then loads the whole set anew. A key is known to all
of them, and published, for the announce window before it signs, so it matters to nobody that they look at different times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import text

from broker import telemetry
from broker.database import Database, Tx
from keys import algorithms
from keys.keyring import Keyring, Purpose, SealingRing
from keys.sources import sealed
from keys.sources.sealed import Schedule

PURPOSES: tuple[Purpose, ...] = ("token", "credential", "encryption")
LOCK_CLASS = 0x5E3E4
LOOK_EVERY = 5.0  # seconds
TURN_EVERY = 60.0  # seconds


class SigningKeys:
    """The set in force: `current` never changes, it is replaced."""

    def __init__(self, current: Keyring, stages: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.current = current
        self._stages = stages

    @classmethod
    def load(cls, tx: Tx, ring: SealingRing) -> SigningKeys:
        """Load the keys for tokens and credentials; `ring` is the one of use `signing`."""
        return cls(sealed.load(tx, ring, PURPOSES), sealed.stages(tx, PURPOSES))

    def refresh(self, tx: Tx, ring: SealingRing) -> bool:
        """Load anew when a key or its stage changed; say whether it did."""
        stages = sealed.stages(tx, PURPOSES)
        if stages == self._stages:
            return False
        self.current, self._stages = sealed.load(tx, ring, PURPOSES), stages
        return True


async def watch(keys: SigningKeys, database: Database, ring: SealingRing, every: float = LOOK_EVERY) -> None:
    """Refresh every so many seconds until cancelled; when that fails the keys at hand go on."""
    while True:
        await asyncio.sleep(every)
        try:
            with database.read() as tx:
                keys.refresh(tx, ring)
        except Exception as problem:  # noqa: BLE001 - a database that is away for a while stops no signature
            telemetry.failure("signing_keys", problem)


async def turn(database: Database, ring: SealingRing, schedule: Schedule, now: int) -> tuple[tuple[str, str], ...]:
    """Make what is due and move keys on, by one process at a time; returns (kid, new stage) of what moved.

    New keys are made before the transaction, in a thread: an RSA key takes a while, and holds up nobody there.
    """
    with database.read() as tx:
        due = sealed.due(tx, now, schedule)
    made = [(purpose, await asyncio.to_thread(algorithms.generate, alg)) for purpose, alg in due]
    with database.write() as tx:
        if not _leads(tx):
            return ()
        moved = sealed.advance(tx, now, schedule)
        still = sealed.due(tx, now, schedule)
        for purpose, pair in made:
            if (purpose, pair.alg) in still:
                kid = sealed.store(tx, ring, pair, purpose=purpose, stage="upcoming", now=now)
                moved = (*moved, (kid, "upcoming"))
    return moved


async def keep(
    database: Database,
    ring: SealingRing,
    schedule: Schedule,
    clock: Callable[[], int],
    every: float = TURN_EVERY,
) -> None:
    """Turn the keys every so many seconds until cancelled; a failure is logged and tried again."""
    while True:
        await asyncio.sleep(every)
        try:
            moved = await turn(database, ring, schedule, clock())
            if moved:
                telemetry.log("signing_keys_moved", count=len(moved))
        except Exception as problem:  # noqa: BLE001 - the keys at hand go on; the log says what broke
            telemetry.failure("signing_keys", problem)


def _leads(tx: Tx) -> bool:
    """Whether this process turns the keys now; on SQLite there is only one."""
    if tx.dialect.name != "postgresql":
        return True
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:class, 0)"), {"class": LOCK_CLASS}).scalar_one())
