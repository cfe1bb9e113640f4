"""What one entry of the ledger says: its stream, its type and the members that type has (`commitment` hides and proves it).

Shapes are numbered (`v`) and only grow: `EVENTS` fixes which members a type has, the agency's in `body` and what only the
person and an auditor may know in `private`. No member holds a value of an attribute: items carry a status word.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from consent.errors import EntryInvalid
from keys import base64url, canonical
from keys.errors import KeysError

VERSION = 1
EVENT, SYSTEM = 0x01, 0x02  # first byte of a leaf
EVENT_LEAF_BYTES = 65

# fmt: off
_WHO = {"actor", "disclosure", "sub", "journey"}
_GIVEN = (
    {"items", "kind", "mode", "valid_to", "max_uses"},
    _WHO | {"items", "lookup", "notice", "language", "acr", "supersedes"},
)
#: type: (members of the body, members of the private part), beyond those that every entry has
EVENTS: dict[str, tuple[set[str], set[str]]] = {
    "permission.given":      _GIVEN,
    "permission.amended":    _GIVEN,
    "permission.withdrawn":  ({"erasure"},                            _WHO | {"reason"}),
    "permission.ended_by_controller": (set(),                         _WHO | {"reason"}),
    "permission.expired":    (set(),                                  _WHO | {"reason"}),
    "permission.superseded": (set(),                                  _WHO | {"reason", "by"}),
    "permission.exhausted":  (set(),                                  _WHO | {"reason"}),
    "access.previewed":      (set(),                                  _WHO | {"items", "sources"}),
    "access.released":       ({"items", "repeat_of", "processor"},    _WHO | {"items", "sources", "door", "reason"}),
    "credential.issued":     ({"items", "configuration", "copies"},   _WHO | {"items", "sources"}),
}
# fmt: on
_ITEM = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,32}", re.ASCII)


@dataclass(frozen=True)
class Stream:
    """The one line of events an entry belongs to (a person, an agency, the operator) and its unwrapped ledger key."""

    stream_id: str
    generation: int
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Once:
    """The idempotency key of a request and the digest of what it asks, both SHA-256."""

    key: bytes
    digest: bytes


@dataclass(frozen=True)
class Entry:
    """An event to append. `party` is a client id, `purpose` is `use@version`; made by the constructors below."""

    id: str
    type: str
    stream: Stream
    party: str | None = None
    purpose: str | None = None
    permission: str | None = None
    outcome: str = "ok"
    body: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)
    once: Once | None = None

    def __post_init__(self) -> None:
        """Refuse what the type does not have: nothing personal slips into the ledger by a new member."""
        shape = EVENTS.get(self.type)
        if shape is None or not shape[0] >= self.body.keys() or not shape[1] >= self.private.keys():
            raise EntryInvalid(f"not the members of {self.type}")
        for items in (self.body.get("items", {}), self.private.get("items", {})):
            if not all(_ITEM.fullmatch(name) and _WORD.fullmatch(status) for name, status in items.items()):
                raise EntryInvalid("items are ids with a status word")


@dataclass(frozen=True)
class SystemRecord:
    """A public record of the log itself; never personal data."""

    type: str
    body: Mapping[str, Any] = field(default_factory=dict)


def system_leaf(record: SystemRecord, ts: int) -> bytes:
    """Return the leaf of a system record: plain canonical JSON after its kind byte."""
    return bytes([SYSTEM]) + canonical.dumps({**record.body, "ts": instant(ts), "type": record.type, "v": VERSION})


def read_system_leaf(leaf: bytes) -> dict[str, Any]:
    """Return a system record's members; `EntryInvalid` unless the leaf is exactly such a record."""
    try:
        members = canonical.loads(leaf[1:])
        exact = isinstance(members, dict) and canonical.dumps(members) == leaf[1:]
    except KeysError as error:
        raise EntryInvalid("a system record is not canonical JSON") from error
    if leaf[:1] != bytes([SYSTEM]) or not exact or not {"ts", "type", "v"} <= members.keys():
        raise EntryInvalid("not a system record")
    return dict(members)


def items_digest(items: Mapping[str, str]) -> bytes:
    """Return the digest of an entry's items and their true statuses, by which a receipt names what it covers."""
    return hashlib.sha256(canonical.dumps(dict(items))).digest()


def instant(ts: int) -> str:
    """Return microseconds since 1970 as RFC 3339 text: UTC, always three digits of a second, `Z`."""
    seconds, micros = divmod(ts, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros // 1000:03d}Z"


def microseconds(text: str) -> int:
    """Return the microseconds since 1970 that `instant` wrote (whole milliseconds)."""
    try:
        when = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise EntryInvalid("not an instant of the ledger") from error
    return int(when.timestamp()) * 1_000_000 + when.microsecond


def permission_given(
    stream: Stream,
    *,
    entry_id: str,
    party: str,
    purpose: str,
    permission: str,
    kind: str,
    mode: str,
    granted: Iterable[str],
    decisions: Mapping[str, str],
    lookup: bytes,
    notice: bytes,
    language: str,
    valid_to: int | None = None,
    max_uses: int | None = None,
    amends: bool = False,
    **who: str,
) -> Entry:
    """Return `permission.given`: the granted ids for the agency, every decision (`given`, `refused`) for the person.

    With `amends` it is `permission.amended`: the same permission, decided anew.
    `lookup` and `notice` are digests; `valid_to` in microseconds. `who`: actor, sub, journey, acr, supersedes.
    """
    body: dict[str, Any] = {"items": dict.fromkeys(granted, "given"), "kind": kind, "mode": mode}
    if valid_to is not None:
        body["valid_to"] = instant(valid_to)
    if max_uses is not None:
        body["max_uses"] = max_uses
    digests = {"lookup": base64url.encode(lookup), "notice": base64url.encode(notice)}
    private = {**_who(who), **digests, "items": dict(decisions), "language": language}
    kind_of = "permission.amended" if amends else "permission.given"
    return Entry(entry_id, kind_of, stream, party, purpose, permission, body=body, private=private)


def permission_ended(
    stream: Stream, how: str, *, entry_id: str, party: str, purpose: str, permission: str, **who: str
) -> Entry:
    """Return `permission.<how>`: ended_by_controller, expired, superseded or exhausted. `who`: actor, sub, journey, reason, by."""
    return Entry(entry_id, f"permission.{how}", stream, party, purpose, permission, private=_who(who))


def permission_withdrawn(
    stream: Stream, *, entry_id: str, party: str, purpose: str, permission: str, ask_erasure: bool = False, **who: str
) -> Entry:
    """Return `permission.withdrawn`; with `ask_erasure` the agency is told that erasure was asked for."""
    body = {"erasure": "asked"} if ask_erasure else {}
    private = _who(who)
    return Entry(entry_id, "permission.withdrawn", stream, party, purpose, permission, body=body, private=private)


def access_previewed(
    stream: Stream,
    *,
    entry_id: str,
    party: str,
    purpose: str,
    journey: str,
    items: Mapping[str, str],
    sources: Iterable[str] = (),
    **who: str,
) -> Entry:
    """Return `access.previewed`: values shown to the person while they decide. `items`: id to true status."""
    private = {**_who(who), "journey": journey, "items": dict(items), **_sources(sources)}
    return Entry(entry_id, "access.previewed", stream, party, purpose, private=private)


def access_released(
    stream: Stream,
    *,
    entry_id: str,
    party: str,
    purpose: str,
    permission: str,
    items: Mapping[str, str],
    seen: Mapping[str, str],
    sources: Iterable[str] = (),
    repeat_of: int | None = None,
    once: Once | None = None,
    processor: str | None = None,
    **who: str,
) -> Entry:
    """Return `access.released`: `items` with their true statuses, `seen` as the agency saw them.

    `processor` is the client that called for it, where it acts for the party. `repeat_of` is the sequence number that an earlier call with the same idempotency key got.
    """
    further = {"repeat_of": repeat_of, "processor": processor}
    body: dict[str, Any] = {"items": dict(seen)} | {name: one for name, one in further.items() if one is not None}
    private = {**_who(who), "items": dict(items), **_sources(sources)}
    return Entry(entry_id, "access.released", stream, party, purpose, permission, body=body, private=private, once=once)


def credential_issued(
    stream: Stream,
    *,
    entry_id: str,
    party: str,
    purpose: str,
    permission: str,
    items: Mapping[str, str],
    sources: Iterable[str] = (),
    configuration: str,
    copies: int = 1,
    **who: str,
) -> Entry:
    """Return `credential.issued`: one a credential request, before its values are opened."""
    body = {"items": dict(items), "configuration": configuration, "copies": copies}
    private = {**_who(who), "items": dict(items), **_sources(sources)}
    return Entry(entry_id, "credential.issued", stream, party, purpose, permission, body=body, private=private)


def _who(given: Mapping[str, str]) -> dict[str, Any]:
    """Return who acted and how it is disclosed: the person themselves and at once, unless said otherwise."""
    return {"actor": "self", "disclosure": "immediate", **given}


def _sources(sources: Iterable[str]) -> dict[str, list[str]]:
    named = sorted(set(sources))
    return {"sources": named} if named else {}
