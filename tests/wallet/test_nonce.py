"""Nonces: stateless until used, then remembered (OpenID4VCI 1.0 §7)."""

from __future__ import annotations

import pytest

from broker.database import Database
from keys.keyring import SealingRing
from tests.wallet.conftest import ISSUER
from wallet import nonce
from wallet.errors import InvalidNonce

SECOND = 1_000_000


def test_no_two_are_alike(ring: SealingRing, now: int) -> None:
    assert len({nonce.make(ring, issuer=ISSUER, now=now) for _ in range(100)}) == 100


def test_n01_a_used_nonce_is_refused(database: Database, ring: SealingRing, now: int) -> None:
    made = nonce.make(ring, issuer=ISSUER, now=now)
    expires = nonce.check(made, ring, issuer=ISSUER, now=now)
    with database.write() as tx:
        nonce.spend(tx, made, expires=expires)
    with pytest.raises(InvalidNonce), database.write() as tx:
        nonce.spend(tx, made, expires=expires)


def test_an_undone_change_leaves_the_nonce_good(database: Database, ring: SealingRing, now: int) -> None:
    made = nonce.make(ring, issuer=ISSUER, now=now)
    with database.write() as tx, tx.begin_nested() as change:
        nonce.spend(tx, made, expires=now + SECOND)
        change.rollback()
    with database.write() as tx:
        nonce.spend(tx, made, expires=now + SECOND)


def test_sweeping_forgets_only_what_expired(database: Database, now: int) -> None:
    with database.write() as tx:
        nonce.spend(tx, "old", expires=now)
        nonce.spend(tx, "new", expires=now + 1)
        assert nonce.sweep(tx, now=now) == 1
    with pytest.raises(InvalidNonce), database.write() as tx:
        nonce.spend(tx, "new", expires=now + 1)
