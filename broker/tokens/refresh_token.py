"""Refresh tokens: opaque, bound to who was given them, good until the permission behind them ends (RFC 6749 §6, RFC 9700 §4.14).

A client that authenticates is all that its token is bound to: it may come with a new DPoP key (RFC 9449 §5). One that cannot is
bound to its key; a wallet to the instance that its maker vouched for (attestation-based client authentication, draft 11).

A token is stored as its hash. What it stands for lies in a box that opens with the token's own text and the root keyring,
which are both outside the database: copies of the database and old tokens open nothing.
A client that authenticates keeps its token. One that cannot gets a new one with every use; the token before it, replayed
within `GRACE` (an answer was lost), gives the same new one, anything older ends the family.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from broker.answers import Refusal
from broker.database import Tx
from broker.tables import refresh_token as table
from broker.tables import token_family
from broker.tokens import family as families
from keys import base64url, canonical, opaque, sealing
from keys import errors as keys_errors
from keys.keyring import SealingRing

SECOND = 1_000_000  # microseconds
GRACE = 30 * SECOND
UNKNOWN = Refusal("invalid_grant", "the refresh token is unknown or too old")


@dataclass(frozen=True)
class Kept:
    """What a refresh token stands for. `told`: the client may know `auth_time` (microseconds); `data` is what was asked.

    `x5t` is the certificate it is bound to: of a client that cannot authenticate otherwise (RFC 8705 §4). `instance` is the
    thumbprint of the key of the one wallet it is bound to.
    `claims` is the `claims` parameter as it was kept.
    """

    person_id: str = field(repr=False)
    subject: str
    scope: tuple[str, ...]
    acr: str
    auth_time: int
    told: bool
    data: Mapping[str, Any]
    resources: tuple[str, ...] = ()
    x5t: str | None = None
    claims: str | None = None
    instance: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Found:
    """A refresh token that is known and in time; nothing is spent by looking, and whether it counts is asked again later."""

    token: str = field(repr=False)
    family: str
    permission_id: str
    client_id: str
    jkt: str | None
    kept: Kept
    expires: int


def issue(
    tx: Tx,
    ring: SealingRing,
    token: str,
    *,
    family: str,
    client_id: str,
    jkt: str | None,
    kept: Kept,
    now: int,
    expires: int,
) -> None:
    """Store a new token (its text of 43 characters) until `expires` (microseconds), and its family as long."""
    families.extend(tx, family, expires)
    _store(tx, ring, Found(token, family, "", client_id, jkt, kept, expires), now)


def find(tx: Tx, ring: SealingRing, token: str, now: int) -> Found | None:
    """Say what a token stands for; None for one that is unknown, too old, or ended with its family."""
    hashed = opaque.digest(token)
    row = tx.execute(
        select(table, token_family.c.permission_id)
        .join_from(table, token_family, table.c.family == token_family.c.family)
        .where(table.c.hash == hashed, table.c.expires > now, token_family.c.ended.is_(None))
    ).first()
    if row is None:
        return None
    try:
        box = sealing.decrypt(_key(token), ring.open(row.box, _context(hashed)), hashed)
    except keys_errors.KeysError:
        return None
    members = canonical.loads(box)
    kept = Kept(**{**members, "scope": tuple(members["scope"]), "resources": tuple(members["resources"])})
    return Found(token, row.family, row.permission_id, row.client_id, row.jkt, kept, row.expires)


def use(tx: Tx, ring: SealingRing, found: Found, now: int, *, rotate: bool) -> str | Refusal | None:
    """Use a token: returns its successor when it is rotated, None when it goes on; a `Refusal` when it counts no more.

    Whoever is first rotates, in one statement. A token that was rotated before ends the family, unless its answer may
    have been lost: then it gives its successor again.
    """
    hashed = opaque.digest(found.token)
    living = tx.execute(
        select(token_family.c.family)
        .join_from(table, token_family, table.c.family == token_family.c.family)
        .where(table.c.hash == hashed, table.c.expires > now, token_family.c.ended.is_(None))
    )
    if living.first() is None:
        return UNKNOWN
    if not rotate:
        return None
    following = _successors(ring, found.token)[0]
    first = tx.execute(
        update(table)
        .where(table.c.hash == hashed, table.c.superseded.is_(None))
        .values(superseded=now, successor=opaque.digest(following))
        .returning(table.c.hash)
    ).first()
    if first is None:
        return _again(tx, ring, found, now)
    _store(tx, ring, Found(following, found.family, "", found.client_id, found.jkt, found.kept, found.expires), now)
    return following


def _again(tx: Tx, ring: SealingRing, found: Found, now: int) -> str | Refusal:
    """The token was rotated before: its successor once more, or the end of the family (RFC 9700 §4.14.2)."""
    newer = table.alias()
    row = tx.execute(
        select(table.c.superseded, table.c.successor, newer.c.superseded.label("used"))
        .join_from(table, newer, table.c.successor == newer.c.hash)
        .where(table.c.hash == opaque.digest(found.token))
    ).first()
    if row is not None and row.used is None and now < row.superseded + GRACE:
        for following in _successors(ring, found.token):
            if opaque.digest(following) == row.successor:
                return following
    families.end(tx, found.family, now)
    return Refusal("invalid_grant", "the refresh token was used before")


def revoke(tx: Tx, token: str, client_id: str, now: int) -> None:
    """End a client's token with its family (RFC 7009 §2.1); another client's and an unknown one end nothing."""
    family = tx.execute(
        select(table.c.family).where(table.c.hash == opaque.digest(token), table.c.client_id == client_id)
    ).scalar()
    families.end(tx, family or "", now)


def _store(tx: Tx, ring: SealingRing, made: Found, now: int) -> None:
    hashed = opaque.digest(made.token)
    inner = sealing.encrypt(_key(made.token), canonical.dumps(asdict(made.kept)), hashed)
    tx.execute(
        insert(table).values(
            hash=hashed,
            family=made.family,
            client_id=made.client_id,
            jkt=made.jkt,
            box=ring.seal(inner, _context(hashed)),
            created=now,
            expires=made.expires,
        )
    )


def _successors(ring: SealingRing, token: str) -> tuple[str, ...]:
    """Derive the token that follows, under every root: a replay finds the same one, also after the first root changed."""
    message = b"semel/refresh-successor/v1\x00" + hashlib.sha256(token.encode()).digest()
    return tuple(base64url.encode(code) for code in ring.macs(message))


def _key(token: str) -> bytes:
    return sealing.derive(token.encode(), "semel/refresh/v1")


def _context(hashed: bytes) -> bytes:
    return b"semel/refresh/v1\x00" + hashed
