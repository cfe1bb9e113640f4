"""The key a credential is bound to stands in one credential, ever: of one person, and once (OpenID4VCI 1.0 §13.8, §15.4).

Two credentials with one key would tell every verifier who sees both that one wallet holds them: of two people, that they share
it; of one person, what two agencies must not join. Kept is an authentication code of the key's thumbprint and nothing beside
it: no person, no credential, no time. The row stays when the credential has ended, for what was shown once can be kept.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from keys import jwk
from keys.keyring import SealingRing
from wallet.errors import InvalidProof
from wallet.tables import used_holder_key as table

USED = "this key holds a credential already; make a new key for each"


def unused(tx: Connection, ring: SealingRing, key: Mapping[str, Any]) -> None:
    """Return when a public key holds no credential so far; raises `InvalidProof` otherwise. Only `spend` decides a race."""
    if tx.execute(select(table.c.key_mac).where(table.c.key_mac.in_(_codes(ring, key))).limit(1)).first():
        raise InvalidProof(USED)


def spend(tx: Connection, ring: SealingRing, key: Mapping[str, Any]) -> None:
    """Remember, in the change that issues, that a public key holds a credential; raises `InvalidProof` when it already does.

    One row for each root of the ring, in one statement: whichever of them made the row before, it is found, also by a server
    that knows another first root. A root that is taken away takes its codes along; by then the newer one has its own.
    """
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    rows = [{"key_mac": code} for code in _codes(ring, key)]
    done = tx.execute(insert(table).values(rows).on_conflict_do_nothing().returning(table.c.key_mac))
    if len(done.all()) < len(rows):
        raise InvalidProof(USED)


def _codes(ring: SealingRing, key: Mapping[str, Any]) -> list[bytes]:
    """The codes of a key under every root, in one order, so that two changes never wait for each other."""
    return sorted(ring.macs(b"semel/holder-key/v1\x00" + jwk.thumbprint(key).encode()))
