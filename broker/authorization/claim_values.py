"""Which claims were asked for in one place, and how their values are written (OpenID Connect Core §5.1, §5.4, §5.5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from broker.authorization import claims_parameter
from consent.catalogue import Attribute, Catalogue
from consent.intended_use import SIGN_IN, Uses
from keys import canonical

#: Types of the catalogue that no claim can carry: `picture` is an address, ours are images.
NO_CLAIM = frozenset({"image"})
UPDATED_AT = "updated_at"


@dataclass(frozen=True)
class Wanted:
    """What was asked for in one place: single claims and elements of `verified_claims`, as kept; the item behind each name.

    `several`: the elements came as a list. `salt` is what the values that must be equal were marked with.
    """

    items: Mapping[str, str] = field(default_factory=dict)
    single: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    verified: tuple[Mapping[str, Any], ...] = ()
    several: bool = False
    updated_at: bool = False
    salt: str = ""


def wanted(
    place: str, kept: str | None, *, scope: tuple[str, ...], use_id: str, uses: Uses, known: Catalogue
) -> Wanted:
    """Return what was asked for in `userinfo` or `id_token` under a use; scope words ask for UserInfo (Core §5.4).

    Names without an item say nothing, and neither do items that no claim can carry.
    """
    signs_in = uses.sign_in if use_id == SIGN_IN else None
    items = {
        name: item
        for name, item in (uses.claims if signs_in is None else signs_in.claims).items()
        if known.attribute(item).type not in NO_CLAIM
    }
    words: list[str] = []
    if place == "userinfo" and signs_in is not None:
        words = [claim for word in scope for claim in signs_in.words.get(word, ())]
    elif place == "userinfo":
        named = {item: name for name, item in items.items()}
        words = [named[item] for word in scope for item in uses.words.get(word, ()) if item in named]
    request: Mapping[str, Any] = {} if kept is None else canonical.loads(kept)
    asked: Mapping[str, Any] = request.get(place) or {}
    names = {name.partition("#")[0]: wish or {} for name, wish in asked.items() if name != claims_parameter.VERIFIED}
    return Wanted(
        items=items,
        single={name: names.get(name, {}) for name in (*words, *names) if name in items},
        verified=tuple(claims_parameter.elements(asked)) if signs_in is None else (),
        several=isinstance(asked.get(claims_parameter.VERIFIED), list),
        updated_at=signs_in is not None and (UPDATED_AT in names or (place == "userinfo" and "profile" in scope)),
        salt=request.get("salt", ""),
    )


def written(attribute: Attribute, value: Any) -> Any:
    """Write a value as its claim has it (Core §5.1, §5.1.1)."""
    if attribute.type == "address":
        return _address(value)
    if attribute.type == "partial_date":
        return value if len(value) == 10 else value[:4]  # a whole date, or the year alone
    return value


def _address(value: Mapping[str, str]) -> dict[str, str]:
    """An address claim has the number in its street."""
    street = " ".join(part for part in (value.get("street_address"), value.get("house_number")) if part)
    members = {name: text for name, text in value.items() if name != "house_number"}
    return {**members, "street_address": street} if street else members


def seconds(day: str) -> int:
    """Return the start of a day (YYYY-MM-DD, UTC) in seconds since 1970."""
    return int(datetime.combine(date.fromisoformat(day), time(), tzinfo=UTC).timestamp())
