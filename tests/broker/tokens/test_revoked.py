"""Single revocation: the mark, kept as a hash, once (RFC 7009 §2.1)."""

from sqlalchemy import select

from broker import cleanup
from broker.database import Database
from broker.tables import revoked_jti
from broker.tokens import revoked
from keys import opaque


def marked(database: Database, jti: str) -> bool:
    with database.read() as tx:
        return bool(tx.execute(select(revoked.is_revoked()), revoked.named(jti)).scalar_one())


def test_marked_and_nobody_else(database: Database, now: int) -> None:
    with database.write() as tx:
        revoked.revoke(tx, "one", now + 1)
        revoked.revoke(tx, "one", now + 9)
    assert marked(database, "one")
    assert not marked(database, "other")
    with database.read() as tx:
        assert [tuple(row) for row in tx.execute(select(revoked_jti))] == [(opaque.digest("one"), now + 1)]


def test_forgotten_when_the_token_is_over(database: Database, now: int) -> None:
    with database.write() as tx:
        revoked.revoke(tx, "one", now + 1)
        cleanup.sweep(tx, now)
    assert marked(database, "one")
    with database.write() as tx:
        cleanup.sweep(tx, now + 1)
    assert not marked(database, "one")
