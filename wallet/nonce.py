"""The nonce a proof must hold: made and checked without a row, spent with one (OpenID4VCI 1.0 §7, §13.8).

Its endpoint is open to anyone, so nothing is stored when one is made; only a nonce that was used is remembered,
until it would have expired anyway. Form: base64url(01 ‖ u64 microseconds ‖ 16 random bytes ‖ tag).
"""

import secrets

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from keys import base64url, opaque
from keys.errors import KeysError
from keys.keyring import SealingRing
from wallet.errors import InvalidNonce
from wallet.tables import used_nonce

LIFETIME = 300  # seconds
SKEW = 60  # seconds a nonce may come from the future: another machine's clock
VERSION = b"\x01"
HEAD = 1 + 8 + 16


def make(ring: SealingRing, *, issuer: str, now: int) -> str:
    """Return a new nonce for proofs addressed to this issuer, good for `LIFETIME` seconds."""
    head = VERSION + now.to_bytes(8, "big") + secrets.token_bytes(16)
    return base64url.encode(head + ring.mac(_covered(issuer, head)))


def check(nonce: str, ring: SealingRing, *, issuer: str, now: int) -> int:
    """Return when a nonce expires (microseconds); raises `InvalidNonce` for one that is not ours, or not of now."""
    if len(nonce) > 256:
        raise InvalidNonce("unknown nonce")
    try:
        raw = base64url.decode(nonce)
        head, tag = raw[:HEAD], raw[HEAD:]
        ring.verify_mac(_covered(issuer, head), tag)
    except KeysError as problem:
        raise InvalidNonce("unknown nonce") from problem
    made = int.from_bytes(head[1:9], "big")
    expires = made + LIFETIME * 1_000_000
    if head[:1] != VERSION or not made - SKEW * 1_000_000 <= now < expires:
        raise InvalidNonce("the nonce has expired")
    return expires


def spend(tx: Connection, nonce: str, *, expires: int) -> None:
    """Remember that a nonce was used, in the change that issues; raises `InvalidNonce` when it already was."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = {"nonce_hash": opaque.digest(nonce), "expires": expires}
    spent = insert(used_nonce).values(row).on_conflict_do_nothing().returning(used_nonce.c.nonce_hash)
    if tx.execute(spent).first() is None:
        raise InvalidNonce("the nonce was already used")


def unspent(tx: Connection, nonce: str) -> None:
    """Return when a nonce was not used so far; raises `InvalidNonce` otherwise. Only `spend` decides a race."""
    if tx.execute(select(used_nonce.c.expires).where(used_nonce.c.nonce_hash == opaque.digest(nonce))).first():
        raise InvalidNonce("the nonce was already used")


def sweep(tx: Connection, *, now: int) -> int:
    """Forget used nonces that have expired; returns how many."""
    return tx.execute(delete(used_nonce).where(used_nonce.c.expires <= now)).rowcount


def _covered(issuer: str, head: bytes) -> bytes:
    return b"semel/c-nonce/v1\x00" + issuer.encode() + b"\x00" + head
