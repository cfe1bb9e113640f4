"""Signing keys that rest sealed in the database: every worker and machine sees the same stages (RFC 7517, key rotation)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from keys import algorithms, canonical
from keys.algorithms import Alg
from keys.errors import InvalidKey
from keys.keyring import Keyring, Purpose, SealingRing, SigningKey, Stage
from keys.tables import signing_key

SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class SealedKeys:
    """The `KeySource` over the table `signing_key`, opened by one ring."""

    ring: SealingRing

    def load(self, tx: Connection, purposes: Collection[Purpose]) -> Keyring:
        """Return every key of these purposes."""
        return load(tx, self.ring, purposes)


@dataclass(frozen=True)
class StoredKey:
    """What may be shown of a stored key: no private part."""

    kid: str
    alg: str
    purpose: str
    stage: str
    public_jwk: dict[str, Any]
    created: int
    staged: int


def generate(tx: Connection, ring: SealingRing, *, alg: Alg, purpose: Purpose, stage: Stage, now: int) -> str:
    """Make a key, store it sealed, return its id.

    `ring` is the one of use `ledger` for the ledger's keys and of use `signing` for all others, so that a worker that was
    not given the ledger's ring cannot load them; another ring raises `InvalidKey`. `now` in microseconds.
    """
    _fits(ring, [purpose])
    pair = algorithms.generate(alg)
    key = SigningKey.of(pair, purpose=purpose, stage=stage)
    tx.execute(
        insert(signing_key).values(
            kid=key.kid,
            alg=alg,
            purpose=purpose,
            stage=stage,
            public_jwk=canonical.dumps(dict(key.public_jwk)).decode(),
            sealed=ring.seal(pair.seed(), _context(key.kid, alg, purpose)),
            created=now,
            staged=now,
        )
    )
    return key.kid


def load(tx: Connection, ring: SealingRing, purposes: Collection[Purpose]) -> Keyring:
    """Return the keys of these purposes, the newest first; raises `SealBroken` when one does not open or was exchanged."""
    _fits(ring, purposes)
    chosen = select(signing_key).where(signing_key.c.purpose.in_(purposes))
    rows = tx.execute(chosen.order_by(signing_key.c.staged.desc(), signing_key.c.kid)).all()
    keys = []
    for row in rows:
        seed = ring.open(row.sealed, _context(row.kid, row.alg, row.purpose))
        keys.append(SigningKey.of(algorithms.from_seed(row.alg, seed), purpose=row.purpose, stage=row.stage))
    return Keyring(tuple(keys))


def listed(tx: Connection, purposes: Collection[Purpose] = ("token", "credential", "ledger")) -> tuple[StoredKey, ...]:
    """Return what may be shown of the stored keys, by purpose and age; needs no ring."""
    chosen = select(signing_key).where(signing_key.c.purpose.in_(purposes))
    rows = tx.execute(chosen.order_by(signing_key.c.purpose, signing_key.c.alg, signing_key.c.created))
    return tuple(
        StoredKey(row.kid, row.alg, row.purpose, row.stage, canonical.loads(row.public_jwk), row.created, row.staged)
        for row in rows
    )


def advance(tx: Connection, now: int, *, announce: int, retire: int) -> tuple[tuple[str, str], ...]:
    """Move keys on: upcoming → signing → retiring → gone. Returns (kid, new stage) of what moved; `gone` when deleted.

    `announce`: seconds a key is published before it signs (no shorter than the JWKS cache time); `retire`: seconds it
    stays published after (no shorter than the life of what it signed). `now` in microseconds. Ledger keys are changed by
    a record in the ledger, never by the clock.
    """
    moved: list[tuple[str, str]] = []
    table = signing_key.c
    clocked = select(table.kid, table.purpose, table.alg).where(table.purpose != "ledger").order_by(table.created)
    for row in tx.execute(clocked.where(table.stage == "upcoming", table.staged <= now - announce * SECOND)).all():
        before = clocked.where(table.stage == "signing", table.purpose == row.purpose, table.alg == row.alg)
        moved += [_move(tx, old.kid, "retiring", now) for old in tx.execute(before).all()]
        moved.append(_move(tx, row.kid, "signing", now))
    gone = table.purpose != "ledger", table.stage == "retiring", table.staged <= now - retire * SECOND
    moved += [(kid, "gone") for kid in tx.execute(delete(signing_key).where(*gone).returning(table.kid)).scalars()]
    return tuple(moved)


def _move(tx: Connection, kid: str, stage: Stage, now: int) -> tuple[str, str]:
    tx.execute(update(signing_key).where(signing_key.c.kid == kid).values(stage=stage, staged=now))
    return kid, stage


def _context(kid: str, alg: str, purpose: str) -> bytes:
    return canonical.dumps(["semel/signing-key/v1", kid, alg, purpose])


def _fits(ring: SealingRing, purposes: Collection[Purpose]) -> None:
    needed = {"ledger" if purpose == "ledger" else "signing" for purpose in purposes}
    if needed - {ring.use}:
        raise InvalidKey(f"the ring of use {ring.use} does not hold these keys")
