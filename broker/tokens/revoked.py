"""Access tokens that were revoked one by one (RFC 7009 §2.1): the hash of the `jti`, kept until the token would have ended."""

from sqlalchemy import Exists, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from broker.database import Tx
from broker.tables import revoked_jti as table
from keys import opaque


def revoke(tx: Tx, jti: str, expires: int) -> None:
    """Remember that a token counts no more; a second time changes nothing. `expires` (microseconds) is the token's end."""
    make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    tx.execute(make(table).values(hash=opaque.digest(jti), expires=expires).on_conflict_do_nothing())


def is_revoked() -> Exists:
    """Return the clause that is true for a revoked token, to be read together with its family; `named` gives its parameters."""
    return select(table.c.hash).where(table.c.hash.in_([bindparam("jti_hash"), bindparam("came_of_hash")])).exists()


def named(jti: str, came_of: bytes | None = None) -> dict[str, bytes]:
    """Return the parameters of `is_revoked` for the token with this id.

    `came_of` is what `trace` gave of the token it was exchanged for: it ends with that one.
    """
    hashed = opaque.digest(jti)
    return {"jti_hash": hashed, "came_of_hash": came_of or hashed}


def trace(jti: str) -> bytes:
    """Return what a token exchanged for another says of that one: its hash, not its id."""
    return opaque.digest(jti)
