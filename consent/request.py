"""What an agency asks for, in one form whatever the spelling: so far the scope `use:<id>` (RFC 6749 §3.3, RFC 9396 §2).

A use cannot be widened: scope words for single items beside it narrow it, and what is not registered is refused by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from consent.catalogue import Catalogue
from consent.errors import OverAsked, UnknownUse
from consent.intended_use import IntendedUse, Uses

USE = "use:"


@dataclass(frozen=True)
class RequestedItem:
    """One item asked for; `required` as the use registers it."""

    id: str
    required: bool


@dataclass(frozen=True)
class DataRequest:
    """What is asked, about whom, once or again. `until` (microseconds) is an end the agency named itself."""

    use_id: str
    version: int
    items: tuple[RequestedItem, ...]
    kind: Literal["once", "ongoing"]
    subject: Literal["self"] = "self"
    until: int | None = None

    @classmethod
    def whole(cls, use: IntendedUse) -> "DataRequest":
        """Ask for everything a use registers: what its name alone spells."""
        return cls(use.id, use.version, tuple(RequestedItem(item.id, item.required) for item in use.items), use.kind)

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The ids asked for, in the order they are shown."""
        return tuple(item.id for item in self.items)

    @property
    def required(self) -> frozenset[str]:
        """The ids the service cannot do without."""
        return frozenset(item.id for item in self.items if item.required)

    @property
    def optional(self) -> frozenset[str]:
        """The ids the person may leave out."""
        return frozenset(item.id for item in self.items if not item.required)


def normalise(scopes: Iterable[str], uses: Uses, client_id: str) -> DataRequest | None:
    """Turn scope words into the request for data they spell; None when they ask for none.

    An item's id is a scope word, and so are the declared ones that stand for items (`uses.words`). Other words
    (`openid`) are left to the provider. Raises `UnknownUse` for a use that is not this client's, for two uses, or for
    items without a use; `OverAsked`, naming the items, for what the use does not register.
    """
    given = list(scopes)
    named = list(dict.fromkeys(word.removeprefix(USE) for word in given if word.startswith(USE)))
    narrowed = _items(given, uses.words)
    if not named and not narrowed:
        return None
    if len(named) != 1:
        raise UnknownUse("ask under one use: scope use:<id>" if named else "items are asked for under a use")
    use = uses.get(named[0])
    if use.client_id != client_id:
        raise UnknownUse("no such use")
    too_many = narrowed - set(use.item_ids)
    if too_many:
        raise OverAsked(too_many, use.purpose_id)
    kept = narrowed or set(use.item_ids)
    items = tuple(RequestedItem(item.id, item.required) for item in use.items if item.id in kept)
    return DataRequest(use.id, use.version, items, use.kind)


def _items(scopes: Iterable[str], words: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Collect the items that scope words stand for; a dotted word that is no use is an item's id."""
    found: set[str] = set()
    for word in scopes:
        if word in words:
            found.update(words[word])
        elif "." in word and ":" not in word:
            found.add(word[:100])
    return found


def details(request: DataRequest, catalogue: Catalogue, issuer: str) -> dict[str, Any]:
    """Spell a request as an authorization detail (RFC 9396 §2): what may be asked, never what was decided."""
    return {
        "type": f"{issuer}/rar/prefill/v1",
        "intended_use": request.use_id,
        "version": request.version,
        "actions": ["read"],
        "datatypes": list(dict.fromkeys(catalogue.attribute(item.id).bundle for item in request.items)),
        "items": [asdict(item) for item in request.items],
        "subject": {"relation": request.subject},
        "access": {"kind": request.kind},
    }


def to_json(request: DataRequest) -> dict[str, Any]:
    """Give a request as JSON, to be kept beside the pushed request."""
    return asdict(request) | {"items": [asdict(item) for item in request.items]}


def from_json(kept: Mapping[str, Any]) -> DataRequest:
    """Give back a request that `to_json` wrote."""
    return DataRequest(**{**kept, "items": tuple(RequestedItem(**item) for item in kept["items"])})
