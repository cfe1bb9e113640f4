"""The rows that every use of a token reads, so that what ends, ends at once (RFC 6750 §3.1, RFC 7009 §2.1).

No row is written for an access token; these say whether it still counts:
(1) the permission it names, live and this client's · (2) its family, not ended, and its own id, not revoked
(3) the client, still active, and the one it acts for · (4) the person, where they are known, not disabled.
"""

from typing import Any

from sqlalchemy import Select, bindparam, select

from broker.answers import Refusal
from broker.clients.registry import Registry
from broker.database import Tx
from broker.errors import Wire
from broker.people import people
from broker.tables import person, token_family
from broker.tokens import revoked
from broker.tokens.access_token import AccessToken
from broker.tokens.reference import Reference
from consent import permission
from consent.permission import Permission
from consent.tables import permission as permission_row

ENDED = Refusal("invalid_token", "the person ended this permission", status=401)
USED = Refusal("invalid_token", "this permission was good once, and has been used", status=401)
OVER = {"withdrawn": ENDED, "exhausted": USED}
DEAD = Refusal("invalid_token", "the access token is not valid or has expired", status=401)

_FAMILY = select(token_family.c.permission_id, token_family.c.ended, revoked.is_revoked().label("revoked")).where(
    token_family.c.family == bindparam("of")
)
_REVOKED = select(revoked.is_revoked())
_OF = permission_row.outerjoin(person, person.c.person_id == bindparam("person"))
_WITH_FAMILY = _OF.outerjoin(token_family, token_family.c.family == bindparam("of"))
_NAMED = permission_row.c.permission_id == bindparam("permission")
_DECIDED: Select[Any] = select(permission_row, person.c.disabled).select_from(_OF).where(_NAMED)
_EVERYTHING: Select[Any] = (
    select(
        permission_row,
        person.c.disabled,
        token_family.c.family,
        token_family.c.ended,
        revoked.is_revoked().label("revoked"),
    )
    .select_from(_WITH_FAMILY)
    .where(_NAMED)
)


def read(
    tx: Tx,
    token: AccessToken,
    *,
    registry: Registry,
    now: int,
    person_id: str | None = None,
    acting: bool = False,
    repeating: bool = False,
) -> Permission | Refusal:
    """Return the permission a token acts under now; a `Refusal` (401) when it counts no more. `now` in microseconds.

    `person_id` is whom the token is about, where the caller has opened what is sealed to it. With `acting` the token of an
    agency that acts for the permission's will do (RFC 8693 §4.1); that it still may is the caller's to ask. With `repeating` a
    permission whose one use is over is returned, too: that the call repeats that use is the caller's to find out.
    """
    named = {"permission": token.grant_id, "person": person_id, "of": token.family}
    row = tx.execute(_EVERYTHING, {**named, **revoked.named(token.jti, token.came_of)}).mappings().first()
    if row is None or (token.act is not None and not acting):
        return DEAD
    given = permission.of_row(row)  # (1)
    if token.act is None and given.client != token.client_id:
        return DEAD
    state = given.standing(now)
    if state in OVER and not (repeating and state == "exhausted"):
        return OVER[state]
    if state not in {"live", "exhausted"} or row["family"] is None or row["ended"] is not None or row["revoked"]:  # (2)
        return DEAD
    if any(registry.active(client_id) is None for client_id in {token.client_id, given.client}):  # (3)
        return DEAD
    return given if person_id is None or row["disabled"] == 0 else DEAD  # (4)


def require(
    tx: Tx,
    token: AccessToken,
    *,
    registry: Registry,
    now: int,
    person_id: str | None = None,
    acting: bool = False,
    repeating: bool = False,
) -> Permission:
    """Return what `read` does; raise its refusal as `Wire`."""
    found = read(tx, token, registry=registry, now=now, person_id=person_id, acting=acting, repeating=repeating)
    if isinstance(found, Refusal):
        raise Wire(found.code, found.description, status=found.status)
    return found


def lives(tx: Tx, family: str, jti: str, came_of: bytes | None = None) -> bool:
    """Whether a token of this family, with this id, exchanged for that one, still counts; one statement."""
    row = tx.execute(_FAMILY, {"of": family, **revoked.named(jti, came_of)}).first()
    return row is not None and row.ended is None and not row.revoked


def decided(tx: Tx, permission_id: str, person_id: str) -> tuple[Permission | None, bool]:
    """Return what a person decided, and whether there still is such a person, not disabled; one statement."""
    row = tx.execute(_DECIDED, {"permission": permission_id, "person": person_id}).mappings().first()
    return (None, False) if row is None else (permission.of_row(row), row["disabled"] == 0)


def is_revoked(tx: Tx, jti: str) -> bool:
    """Whether this one token was revoked."""
    return bool(tx.execute(_REVOKED, revoked.named(jti)).scalar_one())


def granted(tx: Tx, behind: Reference, client_id: str, jti: str, *, now: int) -> bool:
    """Whether a token for another server still counts: its family, its permission, its person, itself."""
    row = tx.execute(_FAMILY, {"of": behind.family, **revoked.named(jti)}).first()
    if row is None or row.ended is not None or row.revoked:
        return False
    given = permission.get(tx, row.permission_id)
    live = given is not None and given.client == client_id and given.standing(now) == "live"
    return live and acts(tx, behind.person_id)


def acts(tx: Tx, person_id: str) -> bool:
    """Whether there is such a person, not disabled."""
    found = people.by_id(tx, person_id)
    return found is not None and not found.disabled
