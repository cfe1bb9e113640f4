"""A permission: what a person allows one agency for one use, as the ledger's events make it.

The row is a projection. `step` says what an event does to a permission, and the same function serves `apply` (the only
writer of the rows, called under the ledger's lock) and every replay.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from consent import ledger_entry
from consent.errors import ImpossibleEvent
from consent.tables import permission as table
from keys import base64url, canonical

State = Literal["live", "withdrawn", "ended_by_controller", "expired", "superseded", "exhausted"]
#: Why nothing may be released; `None` from `releasable` means that it may.
Unreleasable = Literal["withdrawn", "ended_by_controller", "expired", "superseded", "exhausted", "not_yet", "items"]

ENDS: Mapping[str, State] = {
    "permission.withdrawn": "withdrawn",
    "permission.ended_by_controller": "ended_by_controller",
    "permission.expired": "expired",
    "permission.superseded": "superseded",
    "permission.exhausted": "exhausted",
}
ONCE = 1  # uses of a permission that is good once
GIVES = frozenset({"permission.given", "permission.amended"})
USES = frozenset({"access.released", "credential.issued"})

_BY_ID = select(table).where(table.c.permission_id == bindparam("permission"))
_LIVE = (
    select(table)
    .where(table.c.lookup == bindparam("lookup"), table.c.kind == "ongoing", table.c.state == "live")
    .where((table.c.valid_to.is_(None)) | (table.c.valid_to > bindparam("now")))
    .order_by(table.c.given_seq.desc())
    .limit(1)
)
_INSERT = insert(table)
_STORE = update(table).where(table.c.permission_id == bindparam("of"))


@dataclass(frozen=True)
class Permission:
    """One permission as it stands. Times in microseconds; `items` are the ids that were given."""

    permission_id: str
    lookup: bytes = field(repr=False)
    client: str
    use_id: str
    use_version: int
    mode: str
    items: tuple[str, ...]
    notice_digest: bytes
    valid_from: int
    valid_to: int | None
    kind: str
    max_uses: int | None
    given_seq: int
    state: State = "live"
    uses: int = 0
    ended_seq: int | None = None
    ended_at: int | None = None

    @property
    def purpose(self) -> str:
        """The use and its version as the ledger writes them."""
        return f"{self.use_id}@{self.use_version}"

    def standing(self, now: int) -> State:
        """Say the state at `now`: time ends a permission without an event; one that nobody ever used was not used up."""
        if self.state == "live" and self.valid_to is not None and now >= self.valid_to:
            return "exhausted" if self.kind == "once" and self.uses else "expired"
        return self.state


class Entered(Protocol):
    """What `apply` needs of an appended entry (`consent.ledger.Appended`)."""

    @property
    def seq(self) -> int:
        """Its place in the ledger."""

    @property
    def type(self) -> str:
        """Its type, such as `permission.given`."""

    @property
    def permission(self) -> str | None:
        """The permission it belongs to."""

    @property
    def client(self) -> str | None:
        """The client it is about."""

    @property
    def body(self) -> bytes:
        """Its body, canonical JSON."""

    @property
    def private(self) -> bytes:
        """Its private part, canonical JSON."""


@dataclass(frozen=True)
class Event:
    """What of a ledger entry matters to permissions. `ts` (microseconds) is the time its body says, so a replay agrees."""

    seq: int
    ts: int
    type: str
    permission: str
    client: str
    body: Mapping[str, Any]
    private: Mapping[str, Any]

    @property
    def supersedes(self) -> str | None:
        """The earlier permission that this one takes the place of."""
        earlier = self.private.get("supersedes")
        return str(earlier) if earlier else None


def lookup(key: bytes, client: str, use: str) -> bytes:
    """Derive from a person's ledger key (32 bytes) where their permissions for one client and use are found.

    HMAC-SHA256, so it joins nothing across agencies without the key.
    """
    message = b"\0".join([b"semel/permission/v1", client.encode(), use.encode()])
    return hmac.new(key, message, hashlib.sha256).digest()


def step(before: Permission | None, event: Event) -> Permission:
    """Say what one event makes of a permission.

    Raises `ImpossibleEvent` for what cannot follow: an end or a use of a permission that is not live, a use beyond its
    items, its time or its count, a permission given twice, another person's decision about it.
    """
    if event.type == "permission.given":
        if before is not None:
            raise ImpossibleEvent("given twice")
        return _given(event)
    if before is None:
        raise ImpossibleEvent("never given")
    if event.client != before.client:
        raise ImpossibleEvent("another client's")
    if event.type == "permission.amended":
        return _amended(before, event)
    if event.type in ENDS:
        if before.state != "live":
            raise ImpossibleEvent("ended already")
        return _ended(before, ENDS[event.type], event)
    if event.type in USES:
        return _used(before, event)
    raise ImpossibleEvent(f"not an event of a permission: {event.type}")


def supersede(before: Permission | None, event: Event) -> Permission:
    """Say what a new permission makes of the earlier one it names. Raises `ImpossibleEvent` when that is not its like."""
    if before is None or before.client != event.client or before.state != "live":
        raise ImpossibleEvent("nothing live to take the place of")
    return _ended(before, "superseded", event)


def _given(event: Event) -> Permission:
    use_id, _, version = str(event.body["purpose"]).partition("@")
    valid_to = event.body.get("valid_to")
    return Permission(
        permission_id=event.permission,
        lookup=base64url.decode(event.private["lookup"]),
        client=event.client,
        use_id=use_id,
        use_version=int(version),
        mode=event.body["mode"],
        items=tuple(event.body["items"]),
        notice_digest=base64url.decode(event.private["notice"]),
        valid_from=event.ts,
        valid_to=None if valid_to is None else ledger_entry.microseconds(valid_to),
        kind=event.body["kind"],
        max_uses=event.body.get("max_uses"),
        given_seq=event.seq,
    )


def _amended(before: Permission, event: Event) -> Permission:
    """A new decision takes the place of the first one in the same permission; how often it was used goes on."""
    after = _given(event)
    if before.standing(event.ts) != "live" or after.lookup != before.lookup:
        raise ImpossibleEvent("nothing live of this person and use to change")
    return replace(after, valid_from=before.valid_from, uses=before.uses)


def _ended(before: Permission, state: State, event: Event) -> Permission:
    return replace(before, state=state, ended_seq=event.seq, ended_at=event.ts)


def _used(before: Permission, event: Event) -> Permission:
    items = event.private.get("items", event.body.get("items", {}))
    handed_over = [item for item, status in items.items() if status == "provided"]
    repeat_of = event.body.get("repeat_of")
    if (why := releasable(before, handed_over, event.ts, repeat_of=repeat_of)) is not None:
        raise ImpossibleEvent(f"not covered: {why}")
    if repeat_of is not None:
        return before
    used = replace(before, uses=before.uses + 1)
    return _ended(used, "exhausted", event) if used.uses == used.max_uses else used


def releasable(
    permission: Permission, items: Iterable[str], now: int, *, repeat_of: int | None = None
) -> Unreleasable | None:
    """Say why these items may not be handed over under a permission at `now` (microseconds); None when they may.

    `repeat_of` is the number of the entry whose answer is given once more: that one may have been the permission's last use.
    """
    if permission.state == "exhausted" and repeat_of is not None and repeat_of == permission.ended_seq:
        permission = replace(permission, state="live")
    if (standing := permission.standing(now)) != "live":
        return standing
    if now < permission.valid_from:
        return "not_yet"
    return None if set(items) <= set(permission.items) else "items"


def event_of(entry: Entered) -> Event | None:
    """Read from a ledger entry what matters to permissions; None for entries that are not about one."""
    if entry.permission is None or entry.type not in {*GIVES, *ENDS, *USES}:
        return None
    body, private = canonical.loads(entry.body), canonical.loads(entry.private)
    ts = ledger_entry.microseconds(body["ts"])
    return Event(entry.seq, ts, entry.type, entry.permission, entry.client or "", body, private)


def apply(tx: Connection, entry: Entered) -> None:
    """Write what an appended entry makes of the permissions; nothing else writes them.

    Called under the ledger's lock, after each change and before the next. Raises `ImpossibleEvent`: then the change
    that made the entry fails alone.
    """
    event = event_of(entry)
    if event is None:
        return
    if event.type in GIVES:
        _replace_earlier(tx, event)
    before = get(tx, event.permission)
    after = step(before, event)
    if before is None:
        tx.execute(_INSERT, _columns(after))
    elif after != before:
        _store(tx, after)


def _replace_earlier(tx: Connection, event: Event) -> None:
    """End what a new permission takes the place of; two live ongoing ones for one use would outlive a single stop."""
    if event.supersedes is not None:
        _store(tx, supersede(get(tx, event.supersedes), event))
    if event.body["kind"] == "ongoing":
        earlier = find_live(tx, base64url.decode(event.private["lookup"]), event.ts)
        if earlier is not None and earlier.permission_id != event.permission:
            raise ImpossibleEvent("another one is live and not named as superseded")


def get(tx: Connection, permission_id: str) -> Permission | None:
    """Give one permission, None when there is none of this id."""
    row = tx.execute(_BY_ID, {"permission": permission_id}).mappings().first()
    return None if row is None else _permission(row)


def get_many(tx: Connection, permission_ids: Iterable[str]) -> dict[str, Permission]:
    """Give the permissions of these ids (at most a few hundred), by id; unknown ones are left out."""
    rows = tx.execute(select(table).where(table.c.permission_id.in_(list(permission_ids)))).mappings()
    return {row["permission_id"]: _permission(row) for row in rows}


def find_live(tx: Connection, lookup: bytes, now: int) -> Permission | None:
    """Give the ongoing permission that is live at `now` for a person, client and use; None when there is none."""
    row = tx.execute(_LIVE, {"lookup": lookup, "now": now}).mappings().first()
    return None if row is None else _permission(row)


def of_row(row: RowMapping) -> Permission:
    """Give the permission in a row of its table that came with columns of others."""
    return _permission({name: row[name] for name in table.c.keys()})  # noqa: SIM118  # of columns, not of a dictionary


def _permission(row: RowMapping | Mapping[str, Any]) -> Permission:
    return Permission(**{**row, "items": tuple(canonical.loads(row["items"]))})


def _columns(permission: Permission) -> dict[str, Any]:
    return asdict(permission) | {"items": canonical.dumps(list(permission.items)).decode()}


def _store(tx: Connection, permission: Permission) -> None:
    columns = _columns(permission)
    tx.execute(_STORE, {"of": columns.pop("permission_id"), **columns})
