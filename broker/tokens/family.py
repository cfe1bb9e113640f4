"""A family: all tokens that came of one decision, ended together (RFC 6749 §4.1.2, RFC 9700 §4.14.2)."""

from sqlalchemy import Select, delete, insert, select, update

from broker.database import Tx
from broker.tables import refresh_token, token_family

SECOND = 1_000_000
MARGIN = 3600 * SECOND  # how long a family is remembered beyond its last token

_START = insert(token_family)


def start(tx: Tx, family: str, *, permission_id: str, client_id: str, now: int, expires: int) -> None:
    """Begin a family under a permission; `expires` (microseconds) is its last token's end."""
    row = {"family": family, "permission_id": permission_id, "client_id": client_id}
    tx.execute(_START, {**row, "created": now, "expires": expires + MARGIN})


def extend(tx: Tx, family: str, expires: int) -> None:
    """Remember a family until a later end (microseconds): a refresh token outlives what it gives."""
    tx.execute(update(token_family).where(token_family.c.family == family).values(expires=expires + MARGIN))


def end(tx: Tx, family: str, now: int) -> None:
    """End every token of a family at once, and forget what its refresh tokens stand for."""
    tx.execute(
        update(token_family).where(token_family.c.family == family, token_family.c.ended.is_(None)).values(ended=now)
    )
    tx.execute(delete(refresh_token).where(refresh_token.c.family == family))


def under(permission_id: str) -> Select[tuple[str]]:
    """Name the families of a permission, for a statement about all of them."""
    return select(token_family.c.family).where(token_family.c.permission_id == permission_id)


def end_under(tx: Tx, permission_id: str, now: int) -> None:
    """End every family of a permission, however many they are."""
    row = token_family.c
    tx.execute(update(token_family).where(row.permission_id == permission_id, row.ended.is_(None)).values(ended=now))
    tx.execute(delete(refresh_token).where(refresh_token.c.family.in_(under(permission_id))))
