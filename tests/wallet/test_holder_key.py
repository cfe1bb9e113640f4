"""A holder key stands in one credential, ever (OpenID4VCI 1.0 §15.4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from broker.database import Database
from keys import jwk
from keys.keyring import RootKeyring, SealingRing
from tests.wallet.conftest import Wallet
from wallet import holder_key
from wallet.errors import InvalidProof
from wallet.tables import used_holder_key

AT_ONCE = 8


@pytest.fixture
def roots() -> RootKeyring:
    return RootKeyring.generate()


def spent(database: Database, ring: SealingRing, wallet: Wallet) -> bool:
    try:
        with database.write() as tx:
            holder_key.spend(tx, ring, wallet.jwk)
    except InvalidProof:
        return False
    return True


def looked(database: Database, ring: SealingRing, wallet: Wallet) -> bool:
    try:
        with database.read() as tx:
            holder_key.unused(tx, ring, wallet.jwk)
    except InvalidProof:
        return False
    return True


def test_a_key_is_good_once(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    ring = roots.ring("holder-key")
    assert looked(database, ring, wallet)
    assert spent(database, ring, wallet)
    assert not looked(database, ring, wallet)
    assert not spent(database, ring, wallet)
    assert spent(database, ring, Wallet())


def test_other_members_of_the_key_change_nothing(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    ring = roots.ring("holder-key")
    assert spent(database, ring, wallet)
    wallet.jwk = {**wallet.jwk, "kid": "another", "use": "sig"}
    assert not spent(database, ring, wallet)


def test_an_undone_change_leaves_the_key_good(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    ring = roots.ring("holder-key")
    with database.write() as tx, tx.begin_nested() as change:
        holder_key.spend(tx, ring, wallet.jwk)
        change.rollback()
    assert spent(database, ring, wallet)


def test_a_key_is_known_while_the_roots_change(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    """Spent under the old root, or by a server that has both: every server knows it, and once the old root is gone, too."""
    new = RootKeyring.generate()
    both = RootKeyring((*new.roots, *roots.roots))
    later, alone = Wallet(), Wallet()
    assert spent(database, roots.ring("holder-key"), wallet)
    assert spent(database, both.ring("holder-key"), later)
    for keyring in (roots, both):
        assert not spent(database, keyring.ring("holder-key"), wallet)
        assert not looked(database, keyring.ring("holder-key"), wallet)
    for keyring in (roots, both, new):
        assert not spent(database, keyring.ring("holder-key"), later)
    assert spent(database, new.ring("holder-key"), alone)


def test_what_is_kept_tells_nothing_of_the_key(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    """Neither the key nor its plain hash, which a verifier could compute, and nothing to join it with."""
    assert spent(database, roots.ring("holder-key"), wallet)
    with database.read() as tx:
        (row,) = tx.execute(select(used_holder_key)).all()
    assert list(row._mapping) == ["key_mac"]
    assert jwk.thumbprint(wallet.jwk).encode() not in row.key_mac
    assert spent(database, RootKeyring.generate().ring("holder-key"), wallet), "the code does not depend on our key"


def test_of_many_at_once_one_has_the_key(database: Database, roots: RootKeyring, wallet: Wallet) -> None:
    ring, start = roots.ring("holder-key"), Barrier(AT_ONCE)

    def hurry(_: int) -> bool:
        start.wait()
        return spent(database, ring, wallet)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(hurry, range(AT_ONCE))) == 1
