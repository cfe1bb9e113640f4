"""Signing keys that rest sealed in the database: every worker and machine sees the same stages (RFC 7517, key rotation)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from keys import algorithms, canonical
from keys.algorithms import Alg, KeyPair
from keys.errors import InvalidKey
from keys.keyring import Keyring, Purpose, SealingRing, SigningKey, Stage
from keys.tables import signing_key

SECOND = 1_000_000  # microseconds
#: What signs for whom: access tokens and receipts ES256, ID tokens as each client registered, credentials ES256; and what clients
#: encrypt to.
WANTED: tuple[tuple[Purpose, Alg], ...] = (
    ("token", "ES256"),
    ("token", "PS256"),
    ("token", "EdDSA"),
    ("token", "RS256"),
    ("credential", "ES256"),
    ("encryption", "ECDH-ES"),
    ("encryption", "RSA-OAEP-256"),
)


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


@dataclass(frozen=True)
class Schedule:
    """When keys change, in seconds.

    `every`: how long one signs. `announce`: how long the next is published before it does, no shorter than the JWKS cache
    time. `retire`: by purpose, how long one stays published after, no shorter than the life of what it signed.
    """

    every: int
    announce: int
    retire: Mapping[Purpose, int]


def store(tx: Connection, ring: SealingRing, pair: KeyPair, *, purpose: Purpose, stage: Stage, now: int) -> str:
    """Store a key pair sealed, return its id. The pair is made before the transaction: an RSA key takes a while.

    `ring` is the one of use `ledger` for the ledger's keys and of use `signing` for all others, so that a worker that was
    not given the ledger's ring cannot load them; another ring raises `InvalidKey`. `now` in microseconds.
    """
    _fits(ring, [purpose])
    key = SigningKey.of(pair, purpose=purpose, stage=stage)
    tx.execute(
        insert(signing_key).values(
            kid=key.kid,
            alg=pair.alg,
            purpose=purpose,
            stage=stage,
            public_jwk=canonical.dumps(dict(key.public_jwk)).decode(),
            sealed=ring.seal(pair.seed(), _context(key.kid, pair.alg, purpose)),
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


def listed(
    tx: Connection, purposes: Collection[Purpose] = ("token", "credential", "encryption", "ledger")
) -> tuple[StoredKey, ...]:
    """Return what may be shown of the stored keys, by purpose and age; needs no ring."""
    chosen = select(signing_key).where(signing_key.c.purpose.in_(purposes))
    rows = tx.execute(chosen.order_by(signing_key.c.purpose, signing_key.c.alg, signing_key.c.created))
    return tuple(
        StoredKey(row.kid, row.alg, row.purpose, row.stage, canonical.loads(row.public_jwk), row.created, row.staged)
        for row in rows
    )


def stages(tx: Connection, purposes: Collection[Purpose]) -> frozenset[tuple[str, str]]:
    """Return (kid, stage) of the stored keys: what a process compares to see whether it must load again."""
    chosen = select(signing_key.c.kid, signing_key.c.stage).where(signing_key.c.purpose.in_(purposes))
    return frozenset((row.kid, row.stage) for row in tx.execute(chosen))


def due(tx: Connection, now: int, schedule: Schedule) -> tuple[tuple[Purpose, Alg], ...]:
    """Return what needs a new key announced now: no key on its way, and the one that signs old, or none at all."""
    table = signing_key.c
    rows = tx.execute(
        select(table.purpose, table.alg, table.stage, table.staged).where(table.purpose != "ledger")
    ).all()
    old = now - (schedule.every - schedule.announce) * SECOND
    fresh = {(row.purpose, row.alg) for row in rows if row.stage == "upcoming" or _young(row.stage, row.staged, old)}
    return tuple(wanted for wanted in WANTED if wanted not in fresh)


def advance(tx: Connection, now: int, schedule: Schedule) -> tuple[tuple[str, str], ...]:
    """Move keys on: upcoming → signing → retiring → gone. Returns (kid, new stage) of what moved; `gone` when deleted.

    `now` in microseconds. Ledger keys are changed by a record in the ledger, never by the clock.
    """
    moved: list[tuple[str, str]] = []
    table = signing_key.c
    clocked = select(table.kid, table.purpose, table.alg).where(table.purpose != "ledger").order_by(table.created)
    announced = table.staged <= now - schedule.announce * SECOND
    for row in tx.execute(clocked.where(table.stage == "upcoming", announced)).all():
        before = clocked.where(table.stage == "signing", table.purpose == row.purpose, table.alg == row.alg)
        moved += [_move(tx, old.kid, "retiring", now) for old in tx.execute(before).all()]
        moved.append(_move(tx, row.kid, "signing", now))
    for purpose, seconds in schedule.retire.items():
        gone = table.purpose == purpose, table.stage == "retiring", table.staged <= now - seconds * SECOND
        moved += [(kid, "gone") for kid in tx.execute(delete(signing_key).where(*gone).returning(table.kid)).scalars()]
    return tuple(moved)


def revoke(tx: Connection, ring: SealingRing, pair: KeyPair, *, purpose: Purpose, now: int) -> str:
    """Let a new key sign at once and delete every other of its purpose and algorithm: what they signed is refused.

    For a key that leaked; who verifies with a copy of the published set learns of the new one when that copy is old.
    """
    table = signing_key.c
    tx.execute(delete(signing_key).where(table.purpose == purpose, table.alg == pair.alg))
    return store(tx, ring, pair, purpose=purpose, stage="signing", now=now)


def _young(stage: str, staged: int, old: int) -> bool:
    return stage == "signing" and staged > old


def _move(tx: Connection, kid: str, stage: Stage, now: int) -> tuple[str, str]:
    tx.execute(update(signing_key).where(signing_key.c.kid == kid).values(stage=stage, staged=now))
    return kid, stage


def _context(kid: str, alg: str, purpose: str) -> bytes:
    return canonical.dumps(["semel/signing-key/v1", kid, alg, purpose])


def _fits(ring: SealingRing, purposes: Collection[Purpose]) -> None:
    needed = {"ledger" if purpose == "ledger" else "signing" for purpose in purposes}
    if needed - {ring.use}:
        raise InvalidKey(f"the ring of use {ring.use} does not hold these keys")
