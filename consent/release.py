"""The gate: a value that came from a register stays sealed until an entry of the ledger that covers it is committed.

`seal` shuts a value in; `open_` lets it out against a `ReleaseReceipt`, which is made from a committed entry and names
what it covers. Nothing else opens a sealed value (a test reads every module for it). `pack` and `unpack` keep sealed
values under a row key for a while and open nothing. Plan of `open_`:

1. the receipt was made here, from an entry; 2. its time is not over; 3. it is for this client;
4. for this journey (a preview) or this permission (a release, an issuance);
5. it names this item as provided; 6. the value was sealed as this item, if it was sealed as any.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Never, NoReturn, Protocol, Self, TypeVar, cast, final
from weakref import WeakSet

from consent import ledger_entry
from consent.errors import NotCovered, SealedMisused
from consent.history import Event
from consent.ledger import Appended
from keys import canonical, sealing

T = TypeVar("T")
H = TypeVar("H")

PREVIEW = "access.previewed"
RELEASES = frozenset({"access.released", "credential.issued"})
RELEASE_SECONDS = 5.0  # of monotonic time; later: submit again
PACKED = b"semel/packed/v1"

Clock = Callable[[], float]


@final
class Sealed(Generic[T]):
    """A value nobody reads by accident: not by printing, comparing, formatting, copying or pickling it. See `seal`."""

    __slots__ = ("__item", "__value")

    def __init__(self) -> None:
        raise SealedMisused("values are sealed by `seal`")

    def __init_subclass__(cls) -> NoReturn:
        raise SealedMisused("nothing inherits the seal")

    def __repr__(self) -> str:
        return "<sealed>"

    def _misused(self, *_: object) -> Never:
        raise SealedMisused("a sealed value opens only at the gate")


# fmt: off
_SHUT = (
    "str", "format", "bytes", "bool", "int", "float", "complex", "index", "hash", "len", "iter", "next", "contains", "getitem",
    "call", "eq", "ne", "lt", "le", "gt", "ge", "add", "radd", "reduce", "reduce_ex", "getstate", "setstate", "copy", "deepcopy",
)
# fmt: on
for _name in _SHUT:
    setattr(Sealed, f"__{_name}__", vars(Sealed)["_misused"])

# The slots' descriptors are taken off the class: no attribute name leads to a value, only these functions do.
_put, _take = vars(Sealed)["_Sealed__value"].__set__, vars(Sealed)["_Sealed__value"].__get__
_put_item, _take_item = vars(Sealed)["_Sealed__item"].__set__, vars(Sealed)["_Sealed__item"].__get__
for _name in Sealed.__slots__:
    delattr(Sealed, f"_Sealed{_name}")


def seal(value: T, item: str | None = None) -> Sealed[T]:
    """Shut a value in; with `item`, a catalogue id, it opens as that item only."""
    shut = cast("Sealed[T]", object.__new__(Sealed))
    _put(shut, value)
    _put_item(shut, item)
    return shut


@final
@dataclass(frozen=True, eq=False)
class ReleaseReceipt:
    """What one committed entry lets out: the items it names, for one client and one journey or permission.

    Made by `of` and `of_preview` only; a copy or one made by hand opens nothing. `made` is monotonic time in seconds.
    """

    kind: str
    entry_id: str
    seq: int
    client: str | None
    permission: str | None
    journey: str | None
    items: frozenset[str]
    made: float = field(repr=False)

    @classmethod
    def of(cls, entry: Appended, clock: Clock = time.monotonic) -> Self:
        """Make the receipt of a committed entry: good for 5 seconds, a preview's for its journey.

        Raises `NotCovered` for an entry that lets nothing out, or whose items are not those it was counted with.
        """
        if entry.type != PREVIEW and entry.type not in RELEASES:
            raise NotCovered("kind")
        items = canonical.loads(entry.private)["items"]
        if ledger_entry.items_digest(items) != entry.items_digest:
            raise NotCovered("items_digest")
        journey = entry.journey if entry.type == PREVIEW else None
        receipt = cls(
            entry.type, entry.entry_id, entry.seq, entry.client, entry.permission, journey, _provided(items), clock()
        )
        _made_here.add(receipt)
        return receipt

    @classmethod
    def of_preview(cls, event: Event, clock: Clock = time.monotonic) -> Self:
        """Make a preview's receipt again from the person's own history, in whatever process the page is shown next.

        Raises `NotCovered` for any other kind of entry.
        """
        if event.type != PREVIEW:
            raise NotCovered("kind")
        items, journey = event.private["items"], event.private.get("journey")
        receipt = cls(event.type, event.body["id"], event.seq, event.party, None, journey, _provided(items), clock())
        _made_here.add(receipt)
        return receipt


_made_here: WeakSet[ReleaseReceipt] = WeakSet()


def _provided(items: Mapping[str, str]) -> frozenset[str]:
    return frozenset(item for item, status in items.items() if status == "provided")


def open_(
    sealed: Sealed[T] | None,
    receipt: ReleaseReceipt,
    *,
    item: str,
    client: str,
    permission: str | None = None,
    journey: str | None = None,
    clock: Clock = time.monotonic,
) -> T:
    """Let a value out. The expectations are the caller's, the receipt must meet every one.

    A preview needs `journey`, a release or an issuance `permission`. Raises `NotCovered` with the first thing that does
    not hold: `receipt`, `late`, `client`, `journey`, `permission`, `item`, `value`.
    """
    preview = receipt.kind == PREVIEW
    if receipt not in _made_here:
        raise NotCovered("receipt")
    if not preview and not 0 <= clock() - receipt.made <= RELEASE_SECONDS:
        raise NotCovered("late")
    if receipt.client != client:
        raise NotCovered("client")
    if preview and (journey is None or receipt.journey != journey):
        raise NotCovered("journey")
    if not preview and (permission is None or receipt.permission != permission):
        raise NotCovered("permission")
    if item not in receipt.items:
        raise NotCovered("item")
    if sealed is None or _take_item(sealed) not in {None, item}:
        raise NotCovered("value")
    return cast("T", _take(sealed))


def value_mac(sealed: Sealed[Any], key: bytes) -> bytes:
    """Give HMAC-SHA256 of a value's canonical JSON: says that a value is the same as before, and nothing else.

    The key must be random and die with the journey, or values could be guessed from it.
    """
    return hmac.new(key, canonical.dumps(_take(sealed)), hashlib.sha256).digest()


class Holdable(Protocol):
    """What a register's answer about one attribute consists of."""

    @property
    def attribute(self) -> str:
        """The catalogue id."""

    @property
    def status(self) -> str:
        """The item status."""

    @property
    def value(self) -> Sealed[Any] | None:
        """The sealed value, when there is one."""

    @property
    def source(self) -> str:
        """The register."""

    @property
    def as_of(self) -> str | None:
        """The day (YYYY-MM-DD) the register's statement is from."""

    @property
    def retrieved_at(self) -> int:
        """When it was fetched, microseconds."""


def pack(found: Mapping[str, Holdable], row_key: bytes) -> bytes:
    """Seal answers under a row key (32 bytes) to be kept beside their journey; nothing is opened."""
    rows = [
        {
            "attribute": one.attribute,
            "status": one.status,
            "source": one.source,
            "as_of": one.as_of,
            "retrieved_at": one.retrieved_at,
            **({} if one.value is None else {"value": _take(one.value)}),
        }
        for one in found.values()
    ]
    return sealing.encrypt(row_key, canonical.dumps(rows), PACKED)


def unpack(box: bytes, row_key: bytes, make: Callable[..., H]) -> dict[str, H]:
    """Give back what `pack` kept, by attribute; `make` takes the members of `Holdable` by name, the value sealed.

    Raises `keys.errors.SealBroken` for another key or changed bytes.
    """
    rows = canonical.loads(sealing.decrypt(row_key, box, PACKED))
    return {row["attribute"]: make(**{**row, "value": _resealed(row)}) for row in rows}


def _resealed(row: Mapping[str, Any]) -> Sealed[Any] | None:
    return seal(row["value"], row["attribute"]) if "value" in row else None
