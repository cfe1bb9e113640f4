"""The `claims` parameter: single claims asked for by name (OpenID Connect Core §5.5, Identity Assurance §6).

Claims of the person narrow what is asked under the intended use. Unknown members and claims are passed over, as §5.5 asks. What
is kept of the text is names and what must be true of a verification: never a value of a person. Of a value that a claim must
have, an authentication code is kept under a key that is not beside it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker import parameters
from broker.authorization import verification
from broker.errors import Malformed
from consent.request import Narrowing
from keys import canonical
from keys.keyring import SealingRing

PLACES = ("userinfo", "id_token")
VERIFIED = "verified_claims"
MAX_VERIFIED = 10  # elements of `verified_claims`: each is answered by itself, with everything it holds
#: Claims that say something about the token or the account here, not about what a register holds.
OF_THE_TOKEN = frozenset(
    {
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "nonce",
        "acr",
        "amr",
        "azp",
        "auth_time",
        "sid",
        "updated_at",
        "txn",
    }
)
_NAME = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True)
class ClaimsRequest:
    """What the parameter asks for: the claims' names with `essential`, and what the sign-in must be.

    `subject` is the person it must be, by the identifier the client knows; `kept` the request without any value.
    """

    essential: Mapping[str, bool]
    acr: tuple[str, ...] = ()
    acr_essential: bool = False
    auth_time: bool = False
    subject: str | None = None
    kept: str | None = None


@dataclass
class _Marker:
    """Makes the codes of values; `salt` is empty while none was made. Without a ring no value can ever be the right one."""

    ring: SealingRing | None = field(repr=False)
    salt: str = ""

    def __call__(self, value: Any) -> str:
        if self.ring is None:
            return ""
        self.salt = self.salt or secrets.token_hex(16)
        return code(match_keys(self.ring, self.salt)[0], value)


def match_keys(ring: SealingRing, salt: str) -> tuple[bytes, ...]:
    """Return the keys that the values of one request may have been marked with, one for each root."""
    return ring.macs(b"semel/claim-value/v1\x00" + salt.encode())


def code(key: bytes, value: Any) -> str:
    """Return the code of a value, as `consent.release.value_mac` makes it of a sealed one."""
    return hmac.new(key, canonical.dumps(value), hashlib.sha256).hexdigest()


def read(text: str, ring: SealingRing | None = None) -> ClaimsRequest:
    """Return what `claims` asks for; `Malformed`, saying why, for what is not such a request.

    `ring` marks the values that claims must have.
    """
    given = parameters.structure(text, "claims")
    if not isinstance(given, dict):
        raise Malformed("claims: not an object")
    kept: dict[str, Any] = {}
    marker = _Marker(ring)
    for place in PLACES:
        if given.get(place) is not None:
            kept[place] = _place(given[place], marker)
    asked = [one for place in kept.values() for one in _asked(place)]
    if marker.salt:
        kept["salt"] = marker.salt
    essential = dict.fromkeys((name for name, _ in asked), False) | {name: True for name, said in asked if said}
    signing = given.get("id_token") or {}
    acr = signing.get("acr") or {}
    return ClaimsRequest(
        essential=essential,
        acr=_values(acr),
        acr_essential=acr.get("essential") is True and bool(_values(acr)),
        auth_time=(signing.get("auth_time") or {}).get("essential") is True,
        subject=_subject(given),
        kept=canonical.dumps(kept).decode() if kept else None,
    )


def narrowing(asked: ClaimsRequest, claims: Mapping[str, str], item_ids: Mapping[str, str]) -> Narrowing:
    """Return what claims mean for a request under a use; names that no item of the catalogue has say nothing.

    `claims` gives the item of a claim's name; an item's id is a name too. A claim that is not essential asks for the item as the
    use registers it; an essential one only for what the use requires.
    """
    named: dict[str, bool | None] = {}
    for name, essential in asked.essential.items():
        item = claims.get(name) or (name if name in item_ids else None)
        if item is not None:
            named[item] = True if essential else named.get(item)
    return Narrowing(items=named or None)


def elements(place: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the elements of `verified_claims` that a place asks for, a single one too."""
    kept = place.get(VERIFIED, [])
    return kept if isinstance(kept, list) else [kept]


def _place(given: Any, mark: Callable[[Any], str]) -> dict[str, Any]:
    """Return one place's claims, each cut down to whether it is essential and the code of what it must be."""
    if not isinstance(given, dict):
        raise Malformed("claims: userinfo and id_token are objects")
    plain = {
        name: _wish(wish, None if name in OF_THE_TOKEN else mark)
        for name, wish in given.items()
        if name != VERIFIED and _NAME.fullmatch(name)
    }
    asked = given.get(VERIFIED)
    if asked is None:
        return plain
    if not isinstance(asked, list):
        return {**plain, VERIFIED: _element(asked, mark)}
    if not 1 <= len(asked) <= MAX_VERIFIED:
        raise Malformed("claims: verified_claims: too many, or none")
    return {**plain, VERIFIED: [_element(one, mark) for one in asked]}


def _element(given: Any, mark: Callable[[Any], str]) -> dict[str, Any]:
    """One element of `verified_claims`: what must be true of the verification, and the claims (Identity Assurance §5.3)."""
    if not isinstance(given, dict) or not isinstance(given.get("verification"), dict):
        raise Malformed("claims: verified_claims: verification is missing")
    if "trust_framework" not in given["verification"]:
        raise Malformed("claims: verified_claims: verification has no trust_framework")
    claims = given.get("claims")
    if not isinstance(claims, dict) or not claims:
        raise Malformed("claims: verified_claims: claims is missing or empty")
    return {
        "verification": verification.keep(given["verification"]),
        "claims": {name: _wish(wish, mark) for name, wish in claims.items() if _NAME.fullmatch(name)},
    }


def _wish(given: Any, mark: Callable[[Any], str] | None) -> dict[str, Any] | None:
    """Keep of one claim's request whether it is essential, and the codes of the values it may have (§5.5.1)."""
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("essential", False), bool):
        raise Malformed("claims: a claim is asked for with null or an object")
    kept: dict[str, Any] = {"essential": True} if given.get("essential") else {}
    values = given["values"] if "values" in given else [given["value"]] if "value" in given else None
    if values is not None and mark is not None:
        if not isinstance(values, list):
            raise Malformed("claims: values is a list")
        kept["is"] = [mark(value) for value in values]
    return kept or None


def _asked(place: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Walk the claims of a place, verified ones too, each name without its language (§5.2)."""
    every = [place, *(element["claims"] for element in elements(place))]
    for claims in every:
        for name, wish in claims.items():
            if name not in OF_THE_TOKEN | {VERIFIED}:
                yield name.partition("#")[0], bool(wish and wish.get("essential"))


def _values(wish: Mapping[str, Any]) -> tuple[str, ...]:
    given = wish["values"] if "values" in wish else [wish["value"]] if "value" in wish else []
    if not isinstance(given, list):
        raise Malformed("claims: values is a list")
    if not all(isinstance(one, str) for one in given):
        raise Malformed("claims: a value is a text")
    return tuple(dict.fromkeys(given))


def _subject(given: Mapping[str, Any]) -> str | None:
    """Return the one `sub` asked for, in either place (§5.5.1)."""
    named = {one for place in PLACES for one in _values((given.get(place) or {}).get("sub") or {})}
    if len(named) > 1:
        raise Malformed("claims: sub: more than one person")
    return next(iter(named), None)
