"""What an agency asks for, in one form whatever the spelling: scope words, authorization details, claims (RFC 9396 §2).

A use cannot be widened: scope words for single items beside it narrow it, each further spelling narrows what the ones before
it left, and what is not registered or was left out before is refused by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from consent.catalogue import Catalogue
from consent.errors import NAMED, OverAsked, UnknownUse
from consent.intended_use import IntendedUse, Uses

USE = "use:"
DETAIL = "/rar/prefill/v1"  # under the issuer: the type of our authorization details, and where their schema is


@dataclass(frozen=True)
class RequestedItem:
    """One item asked for; `required` as the use registers it, or false where the agency can do without."""

    id: str
    required: bool


@dataclass(frozen=True)
class DataRequest:
    """What is asked, about whom, once or again.

    `until` (microseconds) is an end the agency named itself; `form_ref` its own name for the form it will fill.
    """

    use_id: str
    version: int
    items: tuple[RequestedItem, ...]
    kind: Literal["once", "ongoing"]
    subject: Literal["self"] = "self"
    until: int | None = None
    form_ref: str | None = None

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


@dataclass(frozen=True)
class Narrowing:
    """What a further spelling says of a request; what it does not say, it leaves as it is.

    `items`: the ids asked for, each as required (true), as one the agency can do without (false), or as registered (None).
    `bundles`: the groups of the catalogue asked for.
    """

    use_id: str | None = None
    version: int | None = None
    items: Mapping[str, bool | None] | None = None
    bundles: tuple[str, ...] = ()
    kind: Literal["once", "ongoing"] | None = None
    form_ref: str | None = None


def normalise(
    scopes: Iterable[str], uses: Uses, client_id: str, narrowings: Iterable[Narrowing] = ()
) -> DataRequest | None:
    """Turn scope words and further spellings into the request for data they spell; None when they ask for none.

    An item's id is a scope word, and so are the declared ones that stand for items (`uses.words`). Other words
    (`openid`) are left to the provider. Raises `UnknownUse` for a use that is not this client's, for two uses, or for
    items without a use; `OverAsked`, naming the items, for what the use does not register or an earlier spelling left out.
    """
    given, further = list(scopes), list(narrowings)
    named = list(dict.fromkeys(word.removeprefix(USE) for word in given if word.startswith(USE)))
    named += [one.use_id for one in further if one.use_id is not None and one.use_id not in named]
    narrowed = _items(given, uses.words)
    if not named and not narrowed and not any(one.items for one in further):
        return None
    if len(named) != 1:
        raise UnknownUse("ask under one use: scope use:<id>" if named else "items are asked for under a use")
    use = _own_use(uses, named[0], client_id)
    asked = DataRequest.whole(use)
    for one in (Narrowing(items=dict.fromkeys(narrowed) or None), *further):
        asked = _narrow(asked, one, use, uses.bundles)
    return asked


def _own_use(uses: Uses, use_id: str, client_id: str) -> IntendedUse:
    """Return a use of the client's own. What is wrong is told: the register of uses is public, so nothing is given away."""
    try:
        use = uses.get(use_id)
    except UnknownUse as problem:
        own = sorted(one.id for one in uses.current.values() if one.client_id == client_id)
        listed = f"; this client's: {' '.join(own[:NAMED])}" if own else "; this client has none"
        raise UnknownUse(f"no use has this id{listed}") from problem
    if use.client_id != client_id:
        raise UnknownUse("this use is registered for another client")
    return use


def _narrow(asked: DataRequest, by: Narrowing, use: IntendedUse, bundles: Mapping[str, str]) -> DataRequest:
    """Cut a request down to what a further spelling says; raises `OverAsked` where that says more."""
    if by.version not in {None, use.version}:
        raise OverAsked([use.id], what=f"not version {use.version}")
    if by.kind == "ongoing" and asked.kind == "once":
        raise OverAsked([use.id], what="registered for one time only")
    empty = set(by.bundles) - {bundles.get(item.id) for item in asked.items}
    if empty:
        raise OverAsked(empty, use.purpose_id, "no item asked for in these datatypes")
    within = [item for item in asked.items if not by.bundles or bundles.get(item.id) in by.bundles]
    wanted = by.items if by.items is not None else {item.id: None for item in within}
    too_many = wanted.keys() - {item.id for item in within}
    if too_many:
        raise OverAsked(too_many, use.purpose_id)
    strict = [item.id for item in within if wanted.get(item.id) is True and not item.required]
    if strict:
        raise OverAsked(strict, what="registered as items the person may leave out")
    items = tuple(
        replace(item, required=item.required and wanted[item.id] is not False) for item in within if item.id in wanted
    )
    return replace(asked, items=items, kind=by.kind or asked.kind, form_ref=by.form_ref or asked.form_ref)


def merged(asked: DataRequest, use: IntendedUse, items: Iterable[str], *, ongoing: bool) -> DataRequest:
    """Ask for what was given before (`items`, once or `ongoing`) beside what is asked: one notice shows all of it."""
    wanted, before = {item.id: item for item in asked.items}, set(items)
    together = tuple(
        wanted.get(item.id, RequestedItem(item.id, item.required))
        for item in use.items
        if item.id in wanted or item.id in before
    )
    return replace(asked, items=together, kind="ongoing" if ongoing else asked.kind)


def spells(word: str, uses: Uses) -> bool:
    """Say whether a scope word asks for data here: a use, a declared word, or an item's id."""
    return word.startswith(USE) or word in uses.words or ("." in word and ":" not in word)


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
        "type": issuer + DETAIL,
        "intended_use": request.use_id,
        "version": request.version,
        "actions": ["read"],
        "datatypes": list(dict.fromkeys(catalogue.attribute(item.id).bundle for item in request.items)),
        "items": [dict(vars(item)) for item in request.items],
        "subject": {"relation": request.subject},
        "access": {"kind": request.kind},
    } | ({} if request.form_ref is None else {"form_ref": request.form_ref})


def to_json(request: DataRequest) -> dict[str, Any]:
    """Give a request as JSON, to be kept beside the pushed request."""
    return vars(request) | {"items": [dict(vars(item)) for item in request.items]}


def from_json(kept: Mapping[str, Any]) -> DataRequest:
    """Give back a request that `to_json` wrote."""
    return DataRequest(**{**kept, "items": tuple(RequestedItem(**item) for item in kept["items"])})
