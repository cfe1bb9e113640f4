"""The decision: may data flow without asking again, and what exactly a person's Share gives. Pure functions.

A visit is let through without a question only inside what was decided: the same use and version, a notice with the same
text, no item beyond the given ones, within the period. Nothing is ever given beyond asked ∩ registered ∩ given.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from consent.errors import NotAsked
from consent.intended_use import SIGN_IN, IntendedUse
from consent.item_status import ANSWERS
from consent.permission import Permission
from consent.request import DataRequest

NEVER_REMEMBERED = 3  # sensitivity class

#: What an agency may ask to be done with a permission it has (Grant Management §5.2).
Action = Literal["create", "merge", "replace"]
Why = Literal["first", "anew", "once", "ended", "purpose_changed", "notice_changed", "items", "period", "always_asked"]
WhyNot = Literal["other_use", "other_version", "not_registered", "wider_than_registered", "other_permission"]
ItemDecision = Literal["given", "refused", "not_shown"]


@dataclass(frozen=True)
class Granted:
    """A live permission covers the visit; `items` (in the order asked) are what may be handed over under it."""

    permission_id: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """The person is asked; `reason` says why a permission, if there is one, does not do. Falsy."""

    reason: Why

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Refused:
    """The request cannot be put to the person at all. Falsy."""

    reason: WhyNot

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Shared:
    """What a person's Share says of each item: `given` in the order asked, and every decision by id."""

    given: tuple[str, ...]
    decisions: Mapping[str, ItemDecision]

    @property
    def kept(self) -> tuple[str, ...]:
        """The items of which something is kept until the release: a value, or that there was none to show."""
        return tuple(item for item, said in self.decisions.items() if said != "refused")


def decide(
    request: DataRequest,
    use: IntendedUse,
    live: Permission | None,
    notice_digests: Collection[bytes],
    now: int,
    *,
    action: Action | None = None,
) -> Granted | Ask | Refused:
    """Decide whether data may flow under `live` without asking, at `now` (microseconds).

    `notice_digests` are those of today's notice for this request, one a language: reading the same text in another
    language is no change. `live` is the person's permission for this client and use, in whatever state.

    An agency that names a permission to add to or to replace (`action`) names it as `live`, None when it is not this
    person's. Adding asks unless all of it was given before; making a new one and replacing one always ask.
    """
    wrong = _unfit(request, use)
    if wrong is None and action in {"merge", "replace"} and live is None:
        wrong = "other_permission"
    if wrong is not None:
        return Refused(wrong)
    if action in {"create", "replace"} or "once" in {use.kind, request.kind}:
        return Ask("anew" if action in {"create", "replace"} else "once")
    if live is None or live.client != use.client_id or live.use_id != use.id:
        return Ask("first")
    doubt = _outside(request, use, live, notice_digests, now)
    if doubt is None and action == "merge" and not set(request.item_ids) <= set(live.items):
        doubt = "items"
    if doubt is not None:
        return Ask(doubt)
    return Granted(live.permission_id, tuple(item for item in request.item_ids if item in live.items))


def _unfit(request: DataRequest, use: IntendedUse) -> WhyNot | None:
    """Say what makes a request none of this use; the use may have changed since it was pushed."""
    if request.use_id != use.id:
        return "other_use"
    if request.version != use.version:
        return "other_version"
    registered = {item.id: item.required for item in use.items}
    if not (request.items or use.id == SIGN_IN) or not set(request.item_ids) <= registered.keys():
        return "not_registered"
    wider = any(item.required and not registered[item.id] for item in request.items)
    return "wider_than_registered" if wider or (request.kind, use.kind) == ("ongoing", "once") else None


def _outside(
    request: DataRequest, use: IntendedUse, live: Permission, notice_digests: Collection[bytes], now: int
) -> Why | None:
    """Say what of today's request lies outside what was decided, None when nothing does."""
    if live.kind != "ongoing" or live.standing(now) != "live" or now < live.valid_from:
        return "ended"
    if live.use_version != use.version or live.mode != use.mode:
        return "purpose_changed"
    if live.notice_digest not in notice_digests:
        return "notice_changed"
    if not request.required <= set(live.items):
        return "items"
    if request.until is not None and (live.valid_to is None or request.until > live.valid_to):
        return "period"
    sensitive = {item.id for item in use.items if item.sensitivity >= NEVER_REMEMBERED}
    return "always_asked" if sensitive & set(request.item_ids) & set(live.items) else None


def share(request: DataRequest, ticked: Collection[str], available: Mapping[str, str]) -> Shared:
    """Say what pressing Share gives, item by item.

    `ticked` are the optional items with a tick; `available` the status of every row as it was shown. Required items are
    given by the press itself. An item that could not be shown (its register did not answer, it is protected) is not
    given: the person did not see what they would share. Nor is an optional one without a tick refused where there was nothing
    to share: it was not offered. Raises `NotAsked` for a tick beside an item that is not optional
    in this request.
    """
    strange = set(ticked) - request.optional
    if strange:
        raise NotAsked("a tick for an item that was not offered")
    decisions: dict[str, ItemDecision] = {}
    for item in request.items:
        if not item.required and item.id not in ticked:
            decisions[item.id] = "refused" if available.get(item.id) == "provided" else "not_shown"
        else:
            decisions[item.id] = "given" if available.get(item.id) in ANSWERS else "not_shown"
    return Shared(tuple(item for item, said in decisions.items() if said == "given"), decisions)
