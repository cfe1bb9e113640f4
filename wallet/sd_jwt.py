"""Selective disclosure of claims in a signed JWT: hiding, combining, splitting, revealing (RFC 9901).

The signature is not checked here: whoever calls `reveal` has verified the issuer's JWT first and hands in its payload.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keys import base64url, canonical
from keys.errors import Malformed
from wallet.errors import InvalidSdJwt

ALGORITHM = "sha-256"
SALT_BYTES = 16  # 128 bits (RFC 9901 §9.3)
MAX_DISCLOSURES = 200
MAX_DEPTH = 10
RESERVED = ("_sd", "...")


@dataclass(frozen=True)
class Hidden:
    """Marks a member of an object, or an entry of an array, as selectively disclosable."""

    value: Any


@dataclass(frozen=True)
class Disclosure:
    """One disclosure (RFC 9901 §4.2): `name` is None for an entry of an array; `encoded` is what travels."""

    salt: str
    name: str | None
    value: Any
    encoded: str

    @property
    def digest(self) -> str:
        """The base64url SHA-256 over the characters that travel (RFC 9901 §4.2.3)."""
        return digest(self.encoded)


@dataclass(frozen=True)
class Parts:
    """A compact SD-JWT taken apart; `key_binding` is the KB-JWT of a presentation, None without one."""

    jwt: str
    disclosures: tuple[str, ...]
    key_binding: str | None


def digest(encoded: str) -> str:
    """Return the base64url SHA-256 of ASCII text."""
    return base64url.encode(hashlib.sha256(encoded.encode("ascii")).digest())


def disclose(value: Any, *, name: str | None = None) -> Disclosure:
    """Make the disclosure of a member (with its name) or of an array entry (without), under a fresh salt."""
    salt = base64url.encode(secrets.token_bytes(SALT_BYTES))
    content = [salt, value] if name is None else [salt, name, value]
    return Disclosure(salt, name, value, base64url.encode(canonical.dumps(content)))


def conceal(claims: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Disclosure, ...]]:
    """Turn claims with `Hidden` marks into the payload to sign and its disclosures.

    Hidden members inside a hidden member become recursive disclosures (RFC 9901 §4.2.6). Digests are sorted, so their
    order says nothing about the claims. Raises `InvalidSdJwt` for a member with a reserved name.
    """
    made: list[Disclosure] = []
    payload = _conceal(claims, made)
    if made:
        payload["_sd_alg"] = ALGORITHM
    return payload, tuple(made)


def _conceal(value: Any, made: list[Disclosure]) -> Any:
    if isinstance(value, Mapping):
        plain: dict[str, Any] = {}
        digests = []
        for name, member in value.items():
            if name in (*RESERVED, "_sd_alg"):
                raise InvalidSdJwt("a claim has a reserved name")
            if isinstance(member, Hidden):
                made.append(disclose(_conceal(member.value, made), name=name))
                digests.append(made[-1].digest)
            else:
                plain[name] = _conceal(member, made)
        return plain | {"_sd": sorted(digests)} if digests else plain
    if isinstance(value, list | tuple):
        return [_conceal_entry(entry, made) for entry in value]
    return value


def _conceal_entry(entry: Any, made: list[Disclosure]) -> Any:
    if not isinstance(entry, Hidden):
        return _conceal(entry, made)
    made.append(disclose(_conceal(entry.value, made)))
    return {"...": made[-1].digest}


def combine(jwt: str, disclosures: Iterable[Disclosure]) -> str:
    """Return the compact form without key binding: `<JWT>~<D1>~…~<Dn>~` (RFC 9901 §4)."""
    return "~".join([jwt, *(one.encoded for one in disclosures), ""])


def split(text: str) -> Parts:
    """Take a compact SD-JWT, with or without key binding, apart; raises `InvalidSdJwt` when it is not one."""
    jwt, *rest = text.split("~")
    if not rest or jwt.count(".") != 2:
        raise InvalidSdJwt("not a compact SD-JWT")
    *disclosures, last = rest
    if "" in disclosures or len(disclosures) > MAX_DISCLOSURES:
        raise InvalidSdJwt("an empty disclosure, or too many")
    return Parts(jwt, tuple(disclosures), last or None)


def parse(encoded: str) -> Disclosure:
    """Read one disclosure as it travels; raises `InvalidSdJwt` (RFC 9901 §7.1 step 3)."""
    try:
        content = canonical.loads(base64url.decode(encoded))
    except Malformed as problem:
        raise InvalidSdJwt("a disclosure cannot be read") from problem
    match content:
        case [str(salt), str(name), value] if name not in RESERVED:
            return Disclosure(salt, name, value, encoded)
        case [str(salt), value]:
            return Disclosure(salt, None, value, encoded)
    raise InvalidSdJwt("a disclosure has the wrong form")


def reveal(payload: Mapping[str, Any], disclosures: Iterable[str]) -> dict[str, Any]:
    """Return the claims that a verified payload and these disclosures say (RFC 9901 §7.1 steps 2 to 5).

    Raises `InvalidSdJwt` for: another digest algorithm; a disclosure that is malformed, given twice, or that nothing
    refers to; a digest that occurs twice; a disclosed name that is already there; a member where an entry belongs, or
    the reverse; nesting deeper than 10.
    """
    if payload.get("_sd_alg", ALGORITHM) != ALGORITHM:
        raise InvalidSdJwt("another digest algorithm")
    found: dict[str, Disclosure] = {}
    for encoded in disclosures:
        one = parse(encoded)
        if one.digest in found:
            raise InvalidSdJwt("a disclosure is given twice")
        found[one.digest] = one
    reading = _Reading(found)
    claims: dict[str, Any] = reading.value({k: v for k, v in payload.items() if k != "_sd_alg"}, 0)
    if set(found) - reading.seen:
        raise InvalidSdJwt("a disclosure belongs to nothing")
    return claims


class _Reading:
    """One pass over a payload: which digests were met, and what they stand for."""

    def __init__(self, found: Mapping[str, Disclosure]) -> None:
        self.found = found
        self.seen: set[str] = set()

    def value(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise InvalidSdJwt("nested too deep")
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return [entry for raw in value for entry in self._entry(raw, depth)]
        return value

    def _object(self, members: dict[str, Any], depth: int) -> dict[str, Any]:
        digests = members.get("_sd", [])
        if not isinstance(digests, list) or "..." in members:
            raise InvalidSdJwt("_sd must be an array, and ... stands alone in an array's entry")
        result = {name: self.value(member, depth + 1) for name, member in members.items() if name != "_sd"}
        for one in filter(None, map(self._meet, digests)):
            if one.name is None or one.name in result:
                raise InvalidSdJwt("a disclosed member has no name, or one that is taken")
            result[one.name] = self.value(one.value, depth + 1)
        return result

    def _entry(self, raw: Any, depth: int) -> list[Any]:
        if not isinstance(raw, dict) or set(raw) != {"..."}:
            return [self.value(raw, depth + 1)]
        one = self._meet(raw["..."])
        if one is None:
            return []
        if one.name is not None:
            raise InvalidSdJwt("a disclosed entry has a name")
        return [self.value(one.value, depth + 1)]

    def _meet(self, value: Any) -> Disclosure | None:
        if not isinstance(value, str) or value in self.seen:
            raise InvalidSdJwt("a digest is not text, or occurs twice")
        self.seen.add(value)
        return self.found.get(value)
