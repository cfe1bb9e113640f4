"""A journey: one signed-in person deciding about one pushed request, from sign-in to the spent code.

The journey handle (32 random bytes, in the journey's own cookie, never in a URL) opens the sealed values; the code is
derived from it, so that asking again gives the same code while it is unspent. Only hashes and public halves are stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, func, select, text, update

from broker.answers import Refusal
from broker.authorization import request as requests
from broker.authorization.request import AuthorizationRequest
from broker.database import Tx
from broker.evidence import preview
from broker.sign_in.session import Session
from broker.tables import journey as table
from broker.tables import sealed_for, sealed_row
from broker.tokens import family as families
from keys import opaque, sealing
from keys.vault import Vault

SECOND = 1_000_000
HANDLE = 32

_ours = table.c.journey_id == bindparam("journey")
_now: BindParameter[int] = bindparam("now")
_until: BindParameter[int] = bindparam("until")
_BY_ID = select(table).where(_ours)
_BY_CODE = (  # with what is sealed to the code, if anything still is
    select(table, *preview.COLUMNS)
    .outerjoin(sealed_for, sealed_for.c.public == table.c.code_public)
    .outerjoin(sealed_row, (sealed_row.c.row_id == sealed_for.c.row_id) & (sealed_row.c.expires > _now))
    .where(table.c.code_hash == bindparam("code"))
)
_BEGIN = text(
    "INSERT INTO journey (journey_id, session, client_id, request, state, handle_public, code_hash, code_public, language, "
    "family, acr, expires) VALUES (:journey_id, :session, :client_id, :request, :state, :handle_public, :code_hash, "
    ":code_public, :language, :family, :acr, :expires) ON CONFLICT (journey_id) DO NOTHING RETURNING journey_id"
)
_MINT = (
    update(table)
    .where(
        _ours,
        (table.c.state == "shared") | (table.c.state == "returned"),
        table.c.spent.is_(None),
        (table.c.code_expires.is_(None) & (table.c.expires > _now)) | (table.c.code_expires > _now),
    )
    .values(
        state="returned",
        code_expires=func.coalesce(table.c.code_expires, _until),
        expires=case((table.c.expires < _until, _until), else_=table.c.expires),
    )
    .returning(table.c.journey_id)
)
_ADVANCE = update(table).where(_ours, table.c.state == bindparam("before")).returning(table.c.journey_id)
_PREVIEWED = _ADVANCE.values(state="previewed", previewed_entry=bindparam("entry"), expires=_until)
_DECIDED = _ADVANCE.values(state=bindparam("after"), permission_id=bindparam("permission"), expires=_until)
_SPEND = (
    update(table)
    .where(_ours, table.c.spent.is_(None), table.c.code_expires > _now)
    .values(spent=_now, session=b"")
    .returning(table.c.journey_id)
)


@dataclass(frozen=True)
class Journey:
    """A journey as stored; `state` is `open`, `previewed`, `shared`, `refused` or `returned`; times in microseconds."""

    journey_id: str
    session: bytes
    client_id: str
    request: AuthorizationRequest
    state: str
    language: str
    permission_id: str | None
    family: str | None
    acr: str
    previewed_entry: str | None
    handle_public: bytes
    code_public: bytes
    expires: int
    code_expires: int | None
    spent: int | None


@dataclass(frozen=True)
class Redeemable:
    """What a code stands for; nothing is spent by looking."""

    journey: Journey
    held: preview.Held
    person_id: str
    permission_id: str
    family: str


@dataclass(frozen=True)
class Spent:
    """A code that was used before: whose it was, and the tokens that came from it."""

    client_id: str
    family: str


@dataclass(frozen=True)
class Holder:
    """Who will redeem a decision: the hash of their secret, and the public half (32 bytes) to which values are sealed."""

    hash: bytes
    public: bytes


def code(handle: bytes, journey_id: str) -> str:
    """Derive the journey's authorization code (43 characters) from its handle."""
    made = hmac.digest(handle, b"semel/code/v1" + journey_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def binding(handle: bytes, session: Session) -> bytes:
    """Name the session a journey belongs to so that only who holds its handle can: no row leads from a person to an agency.

    It stays the same one when the same person proves again who they are, in another tab for another agency.
    """
    return hmac.digest(handle, b"semel/journey-session/v2" + session.secret, hashlib.sha256)


def begin(
    tx: Tx,
    *,
    journey_id: str,
    session: Session,
    request: AuthorizationRequest,
    handle: bytes,
    language: str,
    expires: int,
    holder: Holder | None = None,
) -> bool:
    """Open a journey for a signed-in person; it belongs to this session and this handle (32 bytes).

    What is decided is handed to the journey's code, or to the `holder` that waits for it elsewhere.
    False, and nothing is written, when it was opened before.
    """
    secret = code(handle, journey_id)
    to = holder or Holder(opaque.digest(secret), sealing.public_of(secret.encode()))
    row = {
        "journey_id": journey_id,
        "session": binding(handle, session),
        "client_id": request.client_id,
        "request": request.to_json(),
        "state": "open",
        "handle_public": sealing.public_of(handle),
        "code_hash": to.hash,
        "code_public": to.public,
        "language": language,
        "family": opaque.token(),
        "acr": session.acr,
        "expires": expires,
    }
    return tx.execute(_BEGIN, row).first() is not None


def _from_row(row: Any) -> Journey:
    fields = {name: getattr(row, name) for name in Journey.__dataclass_fields__ if name != "request"}
    return Journey(request=requests.from_json(row.request), **fields)


def get(tx: Tx, journey_id: str) -> Journey | None:
    """Find a journey by its public id, whoever's it is."""
    row = tx.execute(_BY_ID, {"journey": journey_id}).first()
    return _from_row(row) if row is not None else None


def previewed(tx: Tx, journey_id: str, entry_id: str, expires: int, *, again: bool = False) -> bool:
    """Note that the values were shown, for the first time or (`again`) with more of them; false when another was quicker."""
    of = {"journey": journey_id, "before": "previewed" if again else "open"}
    return tx.execute(_PREVIEWED, {**of, "entry": entry_id, "until": expires}).first() is not None


def decided(tx: Tx, journey_id: str, *, before: str, state: str, permission_id: str | None, expires: int) -> bool:
    """Record the decision once, in one statement; false when the journey was already decided."""
    of = {"journey": journey_id, "before": before}
    said = {"after": state, "permission": permission_id, "until": expires}
    return tx.execute(_DECIDED, {**of, **said}).first() is not None


def extend(tx: Tx, journey_id: str, expires: int) -> None:
    """Move the end of a journey that is still deciding."""
    tx.execute(
        update(table).where(table.c.journey_id == journey_id, table.c.state == "previewed").values(expires=expires)
    )


def mint(tx: Tx, journey_id: str, now: int, code_expires: int) -> bool:
    """Make the code valid until `code_expires`, or find it still valid; false when it was spent or its time is over."""
    return tx.execute(_MINT, {"journey": journey_id, "now": now, "until": code_expires}).first() is not None


def redeemable(tx: Tx, vault: Vault, secret: str, now: int) -> Redeemable | Spent | None:
    """Say what a code stands for; `Spent` for one used before, None for one that never was, or came too late.

    Nothing is spent by looking: the caller checks client, redirect URI, PKCE and key first.
    """
    row = tx.execute(_BY_CODE, {"code": opaque.digest(secret), "now": now}).first()
    if row is None or row.code_expires is None:
        return None
    if row.spent is not None:
        return Spent(client_id=row.client_id, family=row.family)
    if row.row_id is None or row.code_expires <= now or row.permission_id is None:
        return None
    held = preview.opened(vault, sealing.Holder.of(secret.encode()), row)
    if held is None:
        return None
    return Redeemable(_from_row(row), held, held.person_id, row.permission_id, row.family)


def spend(tx: Tx, vault: Vault, taken: Redeemable, *, access_token: str, now: int, expires: int) -> Refusal | None:
    """Spend the code in one statement, start the token family, and hand the sealed values to the access token.

    `expires` (microseconds) is the access token's end. A `Refusal` when another request was quicker: the family ends,
    as for any second use (RFC 6749 §4.1.2).
    """
    spent = tx.execute(_SPEND, {"journey": taken.journey.journey_id, "now": now}).first() is not None
    if not spent and taken.journey.request.waits:  # two questions at once are no theft (RFC 8628 §3.5)
        return Refusal("invalid_grant", "what was decided was handed over before")
    if not spent:
        return reused(tx, Spent(taken.journey.client_id, taken.family), now)
    client_id = taken.journey.client_id
    families.start(tx, taken.family, permission_id=taken.permission_id, client_id=client_id, now=now, expires=expires)
    preview.reseal(tx, vault, taken.held, sealing.public_of(access_token.encode()), expires=expires)
    preview.drop_holders(tx, taken.journey.code_public, taken.journey.handle_public)
    return None


def reused(tx: Tx, spent: Spent, now: int) -> Refusal:
    """End the tokens that came from a code which was presented again; remembered, hence a value."""
    families.end(tx, spent.family, now)
    return Refusal("invalid_grant", "the code was used before")


def renew(tx: Tx, permission_id: str, journey_id: str, now: int) -> None:
    """End the tokens of earlier decisions about a permission, with what is sealed for them; this journey's code is the next.

    A merged or replaced grant has new refresh tokens (Grant Management §5.2).
    """
    earlier = select(table.c.journey_id).where(table.c.permission_id == permission_id, table.c.journey_id != journey_id)
    preview.drop_all(tx, earlier, families.under(permission_id))
    families.end_under(tx, permission_id, now)


def withdraw(tx: Tx, permission_id: str, now: int) -> None:
    """Forget what is sealed under a permission that the person ended, and end its tokens, in the act that ends it."""
    journeys = select(table.c.journey_id).where(table.c.permission_id == permission_id)
    preview.drop_all(tx, journeys, families.under(permission_id))
    families.end_under(tx, permission_id, now)
