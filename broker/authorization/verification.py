"""What an agency asks of a verification, and what there is to answer (OpenID Connect for Identity Assurance 1.0 §5.4 to §5.7).

1. `keep` cuts a request down to what this server knows of a verification; a demand on anything else can never be met.
2. `select` answers from what is known: only what was asked for, nothing at all when a demand (`value`, `values`, `max_age`) is not met.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.errors import Malformed

MAX_ENTRIES = 10  # of an array in a request: each is tried against everything that is known
SECOND = 1_000_000  # microseconds
DEMANDS = frozenset({"value", "values", "max_age"})
NEVER = "never"  # marks a request that cannot be met
TIMES = frozenset({"time", "created_at"})

_ORGANIZATION = dict.fromkeys(("name", "country", "country_code", "jurisdiction"))
#: Everything that can be said of a verification here, as it is nested; None is a value, a list holds one kind of entry.
SHAPE: Mapping[str, Any] = {
    "trust_framework": None,
    "assurance_level": None,
    "time": None,
    "verification_process": None,
    "evidence": [
        {
            "type": None,
            "time": None,
            "check_details": [{"check_method": None, "organization": None, "time": None}],
            "record": {"type": None, "created_at": None, "source": _ORGANIZATION},
        }
    ],
}


class Unmet(Exception):
    """What there is does not fulfil what was demanded."""


def keep(asked: Any) -> dict[str, Any]:
    """Return what is kept of a request's `verification`; `{"never": true}` when nothing here can fulfil it.

    Raises `Malformed` for what is no such request.
    """
    try:
        return _keep_object(asked, SHAPE)
    except Unmet:
        return {NEVER: True}


def _keep(asked: Any, shape: Any) -> Any:
    if asked is None:
        return None
    if isinstance(shape, list):
        return _keep_entries(asked, shape[0])
    return _keep_object(asked, shape) if isinstance(shape, Mapping) else _keep_value(asked)


def _keep_object(asked: Any, shape: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(asked, dict):
        raise Malformed("claims: verified_claims: an object or null is needed")
    if any(name not in shape and _demands(wish) for name, wish in asked.items()):
        raise Unmet
    return {name: _keep(wish, shape[name]) for name, wish in asked.items() if name in shape}


def _keep_entries(asked: Any, shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries are alternatives: one that cannot be met takes nothing from the others."""
    entries = asked if isinstance(asked, list) else [asked]
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise Malformed("claims: verified_claims: too many entries, or none")
    kept = []
    for entry in entries:
        try:
            kept.append(_keep_object(entry, shape))
        except Unmet:
            continue
    if not kept:
        raise Unmet
    return kept


def _keep_value(asked: Any) -> dict[str, Any] | None:
    """A text by itself is the value that it must be."""
    asked = {"value": asked} if isinstance(asked, str) else asked
    if not isinstance(asked, dict):
        raise Malformed("claims: verified_claims: an object or null is needed")
    if "max_age" in asked:
        age = asked["max_age"]
        if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age < 1e12:
            raise Malformed("claims: verified_claims: max_age is a number of seconds")
        return {"max_age": age}
    if not DEMANDS & asked.keys():
        return None
    values = asked["values"] if "values" in asked else [asked["value"]]
    if not isinstance(values, list) or not values:
        raise Malformed("claims: verified_claims: values is a list")
    if not all(isinstance(one, str) for one in values):
        raise Malformed("claims: verified_claims: a value is a text")
    return {"values": values}


def _demands(asked: Any) -> bool:
    """Whether a demand is anywhere in a part of a request."""
    if isinstance(asked, dict):
        return bool(DEMANDS & asked.keys()) or any(map(_demands, asked.values()))
    return isinstance(asked, list) and any(map(_demands, asked))


def select(kept: Mapping[str, Any], known: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return the `verification` that answers a kept request, from what is known of it; `now` in microseconds.

    The trust framework is always in it. Raises `Unmet` when a demand is not fulfilled: then nothing is answered (§5.7.4).
    """
    if NEVER in kept:
        raise Unmet
    return {"trust_framework": known["trust_framework"], **_select_members(kept, known, now)}


def _select_members(kept: Mapping[str, Any], known: Mapping[str, Any], now: int) -> dict[str, Any]:
    chosen = {}
    for name, wish in kept.items():
        have = known.get(name)
        if have is None:
            if _demands(wish):
                raise Unmet
        elif name == "evidence" and wish is None:  # what is in it must be asked for by itself
            chosen[name] = [{"type": one["type"]} for one in have]
        else:
            chosen[name] = _select(wish, have, now)
    return {name: part for name, part in chosen.items() if part not in ({}, [])}


def _select(kept: Any, known: Any, now: int) -> Any:
    if isinstance(known, list):
        return _brief(known) if kept is None else _select_entries(kept, known, now)
    if isinstance(known, Mapping):
        return _brief(known) if kept is None else _select_members(kept, known, now)
    if kept is not None and "max_age" in kept and now // SECOND - _last_second(known) > kept["max_age"]:
        raise Unmet
    if kept is not None and "values" in kept and known not in kept["values"]:
        raise Unmet
    return known


def _select_entries(kept: list[Any], known: list[Any], now: int) -> list[Any]:
    chosen = []
    for have in known:
        met = [one for one in (_tried(entry, have, now) for entry in kept) if one is not None]
        if met:
            needed = {"type": have["type"]} if "type" in have else {}
            chosen.append(needed | {name: part for one in met for name, part in one.items()})
    if not chosen:
        raise Unmet
    return [one for one in chosen if one]


def _tried(kept: Mapping[str, Any], known: Mapping[str, Any], now: int) -> dict[str, Any] | None:
    try:
        return _select_members(kept, known, now)
    except Unmet:
        return None


def _brief(known: Any) -> Any:
    """Everything but the times: those are told only where they were asked for, since two agencies could compare them."""
    if isinstance(known, list):
        return [_brief(one) for one in known]
    if isinstance(known, Mapping):
        return {name: _brief(part) for name, part in known.items() if name not in TIMES}
    return known


def _last_second(text: str) -> int:
    """Return the last second of a day or an instant (RFC 3339), since 1970."""
    when = datetime.fromisoformat(text if "T" in text else f"{text}T23:59:59+00:00")
    return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp())
