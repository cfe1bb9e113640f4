"""The language a browser asks for: `Accept-Language` with its weights (RFC 9110 §12.5.4, §12.4.2; lookup of RFC 4647 §3.4)."""

import re
from collections.abc import Sequence

MAX_HEADER = 500  # characters that are read
RANGE = re.compile(
    r"(?P<tag>[a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)(?:[ \t]*;[ \t]*q=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)


def choose(header: str, offered: Sequence[str]) -> str:
    """Choose the offered language (`en`) with the greatest weight; among equals the one the header names first.

    A range with a region (`ar-EG`) asks for its language. `q=0` says "not this one"; `*` speaks for every language that is
    not named. Where nothing offered is asked for: the first that is not refused, else the first. What is malformed is passed over.
    """
    wanted, anything = _read(header), None
    if "*" in wanted:
        anything = wanted.pop("*")
    named = {tag.split("-")[0] for tag, weight in wanted.items() if weight > 0 or "-" not in tag}
    weights = {language: _weight(language, wanted) if language in named else anything for language in offered}
    order = list(dict.fromkeys([tag.split("-")[0] for tag in wanted]))
    best = max(offered, key=lambda one: (weights[one] or 0, -_place(order, one), -offered.index(one)))
    if weights[best]:
        return best
    return next((language for language in offered if weights[language] is None), offered[0])


def _read(header: str) -> dict[str, float]:
    """Read the ranges and their weights, in order; of a range that comes twice the first counts."""
    wanted: dict[str, float] = {}
    for part in header[:MAX_HEADER].lower().split(","):
        found = RANGE.fullmatch(part.strip(" \t"))
        if found is not None:
            weight = float(found["weight"] or 1)
            wanted.setdefault(found["tag"], weight)
    return wanted


def _weight(language: str, wanted: dict[str, float]) -> float:
    """Give a language's weight: its own range counts before those of its regions, and a refusal of it before everything."""
    if wanted.get(language) == 0:
        return 0
    return max(weight for tag, weight in wanted.items() if tag.split("-")[0] == language)


def _place(order: Sequence[str], language: str) -> int:
    return order.index(language) if language in order else len(order)
