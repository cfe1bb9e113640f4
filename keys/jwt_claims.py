"""What the claims of a token must be: there, equal to what the caller expects, and in time (RFC 7519 §4.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keys.errors import InvalidToken


@dataclass(frozen=True)
class Purpose:
    """What a kind of token must be. Times in seconds; `None` leaves a time unbounded."""

    name: str
    algs: frozenset[str]
    typ: frozenset[str | None]  # lower case, without `application/`
    required: frozenset[str]
    max_size: int  # characters of the whole token
    lifetime: int | None = None  # `exp` at most this far ahead
    age: int | None = None  # `iat` at most this long ago
    skew: int = 10  # how far `iat` and `nbf` may lie ahead of our clock
    expires: bool = True  # `exp` in the past refuses it
    brings_key: bool = False  # the header's `jwk` is the key
    audience: bool = True  # `aud` must be the one string the caller names
    audiences: bool = False  # or a list of strings with that one among them
    window: int | None = None  # `nbf` at most this long ago, `exp` at most this long after it


def check(
    purpose: Purpose,
    claims: Mapping[str, Any],
    *,
    issuer: str | None,
    audience: str | Sequence[str] | None,
    expect: Mapping[str, str],
    now: int,
) -> None:
    """Return when the claims are good for a purpose at `now` (seconds); `InvalidToken` with a reason otherwise."""
    _check_claims(purpose, claims, issuer, audience, expect)
    _check_times(purpose, claims, now)


def _check_claims(
    purpose: Purpose,
    claims: Mapping[str, Any],
    issuer: str | None,
    audience: str | Sequence[str] | None,
    expect: Mapping[str, str],
) -> None:
    for name in sorted(purpose.required - claims.keys()):
        raise InvalidToken(f"missing_{name}")
    for name in ("iss", "sub", "jti", "client_id", "htm", "htu"):
        if name in purpose.required and (not isinstance(claims[name], str) or not claims[name]):
            raise InvalidToken(f"wrong_{name}")
    if purpose.audience:
        if audience is None:
            raise TypeError("this purpose needs an audience")
        _check_audience(claims, (audience,) if isinstance(audience, str) else audience, listed=purpose.audiences)
    if issuer is not None:
        expect = {"iss": issuer, **expect}
    for name, value in expect.items():
        if name not in claims:
            raise InvalidToken(f"missing_{name}")
        if not isinstance(claims[name], str) or claims[name] != value:
            raise InvalidToken(f"wrong_{name}", f"expected {value}")


def _check_audience(claims: Mapping[str, Any], known: Sequence[str], *, listed: bool) -> None:
    """The audience is one of ours, as a single string or, where that may be, in a list of strings."""
    if "aud" not in claims:
        raise InvalidToken("missing_aud")
    given = claims["aud"]
    named = given if listed and isinstance(given, list) else [given]
    if not all(isinstance(one, str) for one in named) or not set(named) & set(known):
        how = "" if listed else ", as one string"
        raise InvalidToken("wrong_aud", f"expected {' or '.join(known)}{how}")


def _check_times(purpose: Purpose, claims: Mapping[str, Any], now: int) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidToken(f"wrong_{name}")
    if purpose.expires and "exp" in times and times["exp"] <= now:
        raise InvalidToken("expired")
    if "exp" in times and purpose.lifetime is not None and times["exp"] > now + purpose.lifetime + purpose.skew:
        raise InvalidToken("too_long")
    if any(times.get(name, now) > now + purpose.skew for name in ("iat", "nbf")):
        raise InvalidToken("not_yet")
    if purpose.age is not None and times["iat"] < now - purpose.age:
        raise InvalidToken("too_old")
    if purpose.window is not None:
        _check_window(times, purpose.window, now)


def _check_window(times: Mapping[str, float], window: int, now: int) -> None:
    """What begins began a short while ago, what ends ends a short while after; the purpose says which of them must be there."""
    if times.get("nbf", now) < now - window:
        raise InvalidToken("too_old")
    if times.get("exp", now) > times.get("nbf", now) + window:
        raise InvalidToken("too_long")
