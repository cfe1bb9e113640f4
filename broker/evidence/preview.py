"""Values that are shown now and released later: one sealed row a journey, opened only by whoever holds a handle.

The row's values lie under a random row key; the row key lies once for each holder, in a box for the public half of the
holder's 256-bit handle (a journey cookie, a code, an access token), mixed with the day's preview key, which is destroyed
after two days. Copies of the database and old codes therefore open nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from broker.database import Tx
from broker.evidence.source import Found
from broker.tables import sealed_for, sealed_row
from consent import release
from keys import canonical, sealing
from keys import errors as keys_errors
from keys.sealing import Holder
from keys.vault import Vault

_HOLD, _FOR = insert(sealed_row), insert(sealed_for)
#: What `opened` needs of a row and of the box for one of its holders.
COLUMNS = (
    sealed_row.c.row_id,
    sealed_row.c.person,
    sealed_row.c.found,
    sealed_row.c.day,
    sealed_row.c.released,
    sealed_for.c.box,
)
_OPEN = (
    select(*COLUMNS)
    .join_from(sealed_for, sealed_row, sealed_for.c.row_id == sealed_row.c.row_id)
    .where(sealed_for.c.public == bindparam("public"), sealed_row.c.expires > bindparam("now"))
)
_of_row = sealed_row.c.row_id == bindparam("of")
_EXTEND = update(sealed_row).where(_of_row).values(expires=bindparam("until"))
_RELEASED = update(sealed_row).where(_of_row).values(released=1)
_DROP_BOXES, _DROP = delete(sealed_for).where(sealed_for.c.row_id == bindparam("of")), delete(sealed_row).where(_of_row)
_DROP_HOLDERS = delete(sealed_for).where(
    (sealed_for.c.public == bindparam("one")) | (sealed_for.c.public == bindparam("other"))
)


@dataclass(frozen=True)
class Held:
    """An opened row: whose it is, the values (still sealed against being read), and whether they were released.

    `session`: the secret of the session it was seen in, empty where there was none.
    `claims` is the `claims` parameter as it was kept.
    """

    row_id: str
    person_id: str
    auth_time: int
    found: Mapping[str, Found]
    released: bool
    row_key: bytes
    day: date
    session: bytes = b""
    claims: str | None = None


def hold(
    tx: Tx,
    vault: Vault,
    *,
    row_id: str,
    person_id: str,
    auth_time: int,
    found: Mapping[str, Found],
    publics: Iterable[bytes],
    now: int,
    expires: int,
    family: str | None = None,
    session: bytes = b"",
    claims: str | None = None,
) -> None:
    """Store a new row for the holders whose public keys (32 bytes each) are given; `now`, `expires` in microseconds.

    `family`: the tokens it is for, where it is of no journey; `claims`: what was asked for by the `claims` parameter.
    """
    day = datetime.fromtimestamp(now / 1_000_000, UTC).date()
    row_key = sealing.new_key()
    row = {
        "row_id": row_id,
        "person": sealing.encrypt(
            row_key, canonical.dumps([person_id, auth_time, session.hex(), claims]), row_id.encode()
        ),
        "found": release.pack(found, row_key),
        "day": day.isoformat(),
        "expires": expires,
        "released": 0,
        "family": family,
    }
    tx.execute(_HOLD, row)
    for public in publics:
        _box(tx, row_id, public, row_key, vault.preview_key(day))


def _box(tx: Tx, row_id: str, public: bytes, row_key: bytes, mix: bytes) -> None:
    box = sealing.seal_to(public, mix, row_key)
    tx.execute(_FOR, {"row_id": row_id, "public": public, "box": box})


def open_(tx: Tx, vault: Vault, handle: bytes, now: int) -> Held | None:
    """Open the row this handle (at least 32 bytes) holds; None when there is none, or its time or its day is over."""
    holder = Holder.of(handle)
    row = tx.execute(_OPEN, {"public": holder.public, "now": now}).first()
    return None if row is None else opened(vault, holder, row)


def opened(vault: Vault, holder: Holder, row: Any) -> Held | None:
    """Open a row (`COLUMNS`, of which the holder's box) that a statement of the caller's found; None when its day is over."""
    day = date.fromisoformat(row.day)
    try:
        row_key = holder.open(vault.preview_key(day), row.box)
    except keys_errors.KeysError:
        return None
    opened = canonical.loads(sealing.decrypt(row_key, row.person, row.row_id.encode()))
    person_id, auth_time, session, claims = opened
    found = release.unpack(row.found, row_key, Found)
    return Held(
        row.row_id, person_id, auth_time, found, bool(row.released), row_key, day, bytes.fromhex(session), claims
    )


def share(tx: Tx, vault: Vault, held: Held, public: bytes) -> None:
    """Let one more holder open the row, no longer than it lives."""
    _box(tx, held.row_id, public, held.row_key, vault.preview_key(held.day))


def reseal(tx: Tx, vault: Vault, held: Held, public: bytes, *, expires: int) -> None:
    """Let one more holder open the row, and let it live until `expires` (microseconds)."""
    share(tx, vault, held, public)
    extend(tx, held.row_id, expires)


def keep(tx: Tx, held: Held, items: Iterable[str]) -> None:
    """Keep only these items' values; the others are gone (what a person refused is not kept a moment longer)."""
    left = {item: held.found[item] for item in items if item in held.found}
    tx.execute(
        update(sealed_row).where(sealed_row.c.row_id == held.row_id).values(found=release.pack(left, held.row_key))
    )


def renew(tx: Tx, held: Held, found: Mapping[str, Found], *, expires: int) -> None:
    """Put other answers in the row's place, for the same holders, until `expires` (microseconds)."""
    tx.execute(
        update(sealed_row)
        .where(sealed_row.c.row_id == held.row_id)
        .values(found=release.pack(found, held.row_key), expires=expires)
    )


def extend(tx: Tx, row_id: str, expires: int) -> None:
    """Move the end of a row's life to `expires` (microseconds)."""
    tx.execute(_EXTEND, {"of": row_id, "until": expires})


def mark_released(tx: Tx, row_id: str) -> None:
    """Remember that the row's values were handed over once."""
    tx.execute(_RELEASED, {"of": row_id})


def drop_holders(tx: Tx, one: bytes, other: bytes | None = None) -> None:
    """Take the boxes of one or two holders away: a spent handle opens nothing more."""
    tx.execute(_DROP_HOLDERS, {"one": one, "other": one if other is None else other})


def drop_all(tx: Tx, row_ids: Select[tuple[str]], families: Select[tuple[str]]) -> None:
    """Delete the rows with these ids or made for these families of tokens, with all their boxes, however many they are."""
    rows = select(sealed_row.c.row_id).where(sealed_row.c.row_id.in_(row_ids) | sealed_row.c.family.in_(families))
    tx.execute(delete(sealed_for).where(sealed_for.c.row_id.in_(rows)))
    tx.execute(delete(sealed_row).where(sealed_row.c.row_id.in_(row_ids) | sealed_row.c.family.in_(families)))


def drop(tx: Tx, row_id: str) -> None:
    """Delete a row with all its boxes."""
    tx.execute(_DROP_BOXES, {"of": row_id})
    tx.execute(_DROP, {"of": row_id})
