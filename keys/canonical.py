"""Canonical JSON: one byte string per value (RFC 8785), and a reader that refuses what has two meanings (RFC 7493)."""

import json
import math
from typing import Any, Never

import rfc8785

from keys.errors import Malformed

EXACT = 2**53 - 1  # the largest integer every reader sees alike
_PLAIN = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True)


def dumps(value: Any) -> bytes:
    """Return the one canonical UTF-8 form of a JSON value (RFC 8785).

    Raises `Malformed` for what JSON cannot carry exactly: NaN, infinities, integers beyond 2^53 - 1, lone surrogates,
    keys that are not text, values of other types.
    """
    try:
        return _PLAIN.encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise Malformed("not representable as canonical JSON") from error


def _is_plain(value: Any) -> bool:
    """Whether the standard library writes a value as RFC 8785 does, ten times as fast: no floats, and names in ASCII."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-EXACT <= value <= EXACT)
    if kind is dict:
        return all(type(name) is str and name.isascii() and _is_plain(one) for name, one in value.items())
    return kind in {list, tuple} and all(map(_is_plain, value))


def loads(data: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises `Malformed` for text that is not JSON or not UTF-8, and for what parsers disagree about: a member twice in one
    object (RFC 7493 §2.3), NaN or an infinity, a number too large for a double, a lone surrogate. Numbers are doubles: an integer
    beyond 2^53 - 1 comes back as the float it denotes (RFC 7493 §2.2).
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = _STRICT.decode(text)
        if not isinstance(data, bytes) or "\\u" in text:  # only then can half a surrogate pair have come in
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse_constant(_name: str) -> Never:
    raise ValueError


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    return number


def _number(digits: str) -> int | float:
    exact = len(digits) <= 16 or (len(digits) == 17 and digits.startswith("-"))
    number = int(digits) if exact else 0
    return number if exact and abs(number) <= EXACT else _finite(digits)


_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_number
)
