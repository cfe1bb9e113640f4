"""An offer on its way to a wallet: made, given a transaction code, redeemed, issued (OpenID4VCI 1.0 §4, §6).

The offer's id (32 random bytes) is in the QR code; the pre-authorized code is derived from it, and neither is stored.
Who the offer is for lies in a box that only the holder of the code opens, and once the code is redeemed only the
holder of the access token. The person's own pages find the id again in a box under their data key.
A picture of the QR code is not enough: the transaction code goes another way, is stored as an authentication code
only, and dies with the offer after five wrong tries.
"""

import hashlib
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

import qrcode  # type: ignore[import-untyped]  # it ships no types
from qrcode.image.svg import SvgPathImage  # type: ignore[import-untyped]  # as above
from sqlalchemy import Connection, Row, delete, insert, select, update

from keys import base64url, canonical, opaque, sealing
from keys.errors import KeysError
from keys.keyring import SealingRing
from wallet.tables import credential_offer as table

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
TX_CODE_DIGITS = 6
ATTEMPTS = 5
SCHEME = "openid-credential-offer://"


class PreviewKeys(Protocol):
    """Where the key of a day comes from that is mixed into what is sealed, and destroyed soon after."""

    def preview_key(self, day: date) -> bytes:
        """Return the day's key (32 bytes)."""
        ...


@dataclass(frozen=True)
class Offer:
    """An offer as stored; `state` is `made`, `coded`, `redeemed` or `issued`; `expires` in microseconds."""

    permission_id: str
    configuration: str
    state: str
    expires: int


@dataclass(frozen=True)
class Redeemable:
    """What a code or an access token leads to: the offer, and what was sealed with it (whose it is)."""

    offer: Offer
    held: Mapping[str, Any] = field(repr=False)


def code_of(offer_id: str) -> str:
    """Derive the pre-authorized code (43 characters) of an offer."""
    return base64url.encode(hashlib.sha256(b"semel/pre-authorized-code/v1\x00" + offer_id.encode()).digest())


def make(
    tx: Connection,
    days: PreviewKeys,
    *,
    permission_id: str,
    configuration: str,
    lookup: bytes,
    held: Mapping[str, Any],
    data_key: bytes,
    now: int,
    expires: int,
) -> None:
    """Store a new offer under the permission it hangs on. `held` says whose it is; `data_key` is that person's.

    `lookup` is the permission's: a code by which only that person's key finds the offer. `now`, `expires` in microseconds.
    """
    offer_id = opaque.token()
    code, day = code_of(offer_id), _day(now)
    box = sealing.seal_to(sealing.public_of(code.encode()), days.preview_key(day), canonical.dumps(dict(held)))
    tx.execute(
        insert(table).values(
            permission_id=permission_id,
            configuration=configuration,
            lookup=lookup,
            offer_hash=opaque.digest(offer_id),
            code_hash=opaque.digest(code),
            page_box=sealing.encrypt(data_key, offer_id.encode(), _context(permission_id)),
            holder_box=box,
            day=day.isoformat(),
            attempts=0,
            state="made",
            expires=expires,
        )
    )


def waiting(tx: Connection, lookup: bytes, *, now: int) -> str | None:
    """Return the permission of the newest offer under a lookup that can still be taken up, or None."""
    row = tx.execute(
        select(table.c.permission_id)
        .where(
            table.c.lookup == lookup,
            table.c.state.in_(("made", "coded")),
            table.c.attempts < ATTEMPTS,
            table.c.expires > now,
        )
        .order_by(table.c.expires.desc())
        .limit(1)
    ).first()
    return row.permission_id if row is not None else None


def for_person(tx: Connection, permission_id: str, data_key: bytes, *, now: int) -> tuple[Offer, str] | None:
    """Return an offer that can still be taken up, with its id, to the person whose data key this is; else None."""
    row = _live(tx, table.c.permission_id == permission_id, now)
    if row is None or row.state not in {"made", "coded"}:
        return None
    try:
        return _offer(row), sealing.decrypt(data_key, row.page_box, _context(permission_id)).decode()
    except KeysError:
        return None


def by_id(tx: Connection, offer_id: str, *, now: int) -> Offer | None:
    """Return the offer behind the address a wallet fetches; None when it is unknown, over or taken up."""
    row = _live(tx, table.c.offer_hash == opaque.digest(offer_id), now)
    return _offer(row) if row is not None and row.state in {"made", "coded"} else None


def by_code(tx: Connection, days: PreviewKeys, code: str, *, now: int) -> Redeemable | None:
    """Return what a pre-authorized code leads to; nothing is spent by looking. None when it leads nowhere."""
    row = _live(tx, table.c.code_hash == opaque.digest(code), now)
    return _opened(days, row, code) if row is not None and row.state in {"made", "coded"} else None


def by_token(tx: Connection, days: PreviewKeys, access_token: str, *, now: int) -> Redeemable | None:
    """Return what an access token (its whole text) leads to, issued already or not; None when it leads nowhere."""
    row = _live(tx, table.c.token_hash == opaque.digest(access_token), now)
    return _opened(days, row, access_token) if row is not None else None


def new_tx_code(tx: Connection, ring: SealingRing, permission_id: str, *, now: int) -> str | None:
    """Make a new transaction code, in place of an older one, and return it; None when the offer is over.

    The tries already made stay counted.
    """
    digits = "".join(secrets.choice("0123456789") for _ in range(TX_CODE_DIGITS))
    done = tx.execute(
        update(table)
        .where(
            table.c.permission_id == permission_id,
            table.c.state.in_(("made", "coded")),
            table.c.attempts < ATTEMPTS,
            table.c.expires > now,
        )
        .values(tx_code_mac=ring.mac(_covered(permission_id, digits)), state="coded")
        .returning(table.c.permission_id)
    )
    return digits if done.first() is not None else None


def try_tx_code(tx: Connection, ring: SealingRing, code: str, tx_code: str, *, now: int) -> bool:
    """Count a try at the transaction code, then compare; the caller must let the count commit either way.

    False when the code is wrong, none was made yet, or the tries are used up.
    """
    row = tx.execute(
        update(table)
        .where(
            table.c.code_hash == opaque.digest(code),
            table.c.state == "coded",
            table.c.attempts < ATTEMPTS,
            table.c.expires > now,
        )
        .values(attempts=table.c.attempts + 1)
        .returning(table.c.permission_id, table.c.tx_code_mac)
    ).first()
    if row is None:
        return False
    try:
        ring.verify_mac(_covered(row.permission_id, tx_code), row.tx_code_mac)
    except KeysError:
        return False
    return True


def redeem(
    tx: Connection, days: PreviewKeys, code: str, held: Mapping[str, Any], *, access_token: str, now: int, expires: int
) -> bool:
    """Spend the code in one statement and seal what it led to to the access token; false when it was spent before.

    `expires` (microseconds) is the access token's end, and from now on the offer's.
    """
    day = _day(now)
    public = sealing.public_of(access_token.encode())
    done = tx.execute(
        update(table)
        .where(table.c.code_hash == opaque.digest(code), table.c.state == "coded", table.c.expires > now)
        .values(
            state="redeemed",
            token_hash=opaque.digest(access_token),
            holder_box=sealing.seal_to(public, days.preview_key(day), canonical.dumps(dict(held))),
            page_box=b"",
            tx_code_mac=None,
            day=day.isoformat(),
            expires=expires,
        )
        .returning(table.c.permission_id)
    )
    return done.first() is not None


def issued(tx: Connection, permission_id: str, *, now: int) -> bool:
    """Mark, in the change that issues, that the one copy is issued; false when it was already."""
    done = tx.execute(
        update(table)
        .where(table.c.permission_id == permission_id, table.c.state == "redeemed", table.c.expires > now)
        .values(state="issued")
        .returning(table.c.permission_id)
    )
    return done.first() is not None


def sweep(tx: Connection, *, now: int) -> int:
    """Delete offers that are over; returns how many."""
    return tx.execute(delete(table).where(table.c.expires <= now)).rowcount


def document(offer: Offer, offer_id: str, *, issuer: str, description: str) -> dict[str, Any]:
    """Return the credential offer a wallet fetches (§4.1.1); it is unsigned and holds nothing about the person.

    `description` (at most 300 characters) tells the person where to find the transaction code.
    """
    tx_code = {"input_mode": "numeric", "length": TX_CODE_DIGITS, "description": description[:300]}
    return {
        "credential_issuer": issuer,
        "credential_configuration_ids": [offer.configuration],
        "grants": {GRANT: {"pre-authorized_code": code_of(offer_id), "tx_code": tx_code}},
    }


def link(issuer: str, offer_id: str) -> str:
    """Return what the QR code and the link hold: the offer by reference (§4.1.3)."""
    return f"{SCHEME}?{urlencode({'credential_offer_uri': f'{issuer}/offers/{offer_id}'})}"


def qr_code(text: str) -> bytes:
    """Draw a text as a QR code: an SVG image with its quiet zone, dark modules as one path."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(text)
    code.make(fit=True)
    image = io.BytesIO()
    code.make_image(image_factory=SvgPathImage).save(image)
    return image.getvalue()


def _live(tx: Connection, which: Any, now: int) -> Row[Any] | None:
    return tx.execute(select(table).where(which, table.c.expires > now)).first()


def _offer(row: Row[Any]) -> Offer:
    return Offer(row.permission_id, row.configuration, row.state, row.expires)


def _opened(days: PreviewKeys, row: Row[Any], handle: str) -> Redeemable | None:
    try:
        held = sealing.open_with(handle.encode(), days.preview_key(date.fromisoformat(row.day)), row.holder_box)
    except KeysError:
        return None
    return Redeemable(_offer(row), canonical.loads(held))


def _day(now: int) -> date:
    return datetime.fromtimestamp(now // 1_000_000, UTC).date()


def _context(permission_id: str) -> bytes:
    return b"semel/offer-page/v1\x00" + permission_id.encode()


def _covered(permission_id: str, digits: str) -> bytes:
    return b"semel/tx-code/v1\x00" + permission_id.encode() + b"\x00" + digits.encode()
