"""The `claims` parameter: single claims asked for by name (OpenID Connect Core §5.5, Identity Assurance §6).

Claims of the person narrow what is asked under the intended use. Unknown members and claims are passed over, as §5.5 asks. What
is kept of the text is names and what must be true of a verification: never a value of a person.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker import parameters
from broker.errors import Malformed
from consent.request import Narrowing
from keys import canonical

PLACES = ("userinfo", "id_token")
VERIFIED = "verified_claims"
MAX_CLAIMS = 100
MAX_VERIFIED = 10  # elements of `verified_claims`
MAX_TEXT = 300  # characters of a name or a value
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
        "email_verified",
        "phone_number_verified",
    }
)
#: What may be asked of a verification; of its evidence nothing, since that is documents of the person.
OF_A_VERIFICATION = frozenset(
    {"trust_framework", "assurance_level", "assurance_process", "time", "verification_process"}
)
_NAME = re.compile(r"[\x21-\x7e]{1,300}", re.ASCII)


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


def read(text: str) -> ClaimsRequest:
    """Return what `claims` asks for; `Malformed`, saying why, for what is not such a request."""
    given = parameters.structure(text, "claims")
    if not isinstance(given, dict):
        raise Malformed("claims: not an object")
    kept: dict[str, Any] = {}
    for place in PLACES:
        if given.get(place) is not None:
            kept[place] = _place(given[place])
    asked = [one for place in kept.values() for one in _asked(place)]
    if len(asked) > MAX_CLAIMS:
        raise Malformed("claims: too many claims")
    essential = {name: any(said for other, said in asked if other == name) for name, _ in asked}
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


def _place(given: Any) -> dict[str, Any]:
    """Return one place's claims, each cut down to whether it is essential."""
    if not isinstance(given, dict):
        raise Malformed("claims: userinfo and id_token are objects")
    plain = {name: _wish(wish) for name, wish in given.items() if name != VERIFIED and _NAME.fullmatch(name)}
    if given.get(VERIFIED) is None:
        return plain
    elements = given[VERIFIED] if isinstance(given[VERIFIED], list) else [given[VERIFIED]]
    if not 1 <= len(elements) <= MAX_VERIFIED:
        raise Malformed("claims: verified_claims: too many, or none")
    return {**plain, VERIFIED: [_element(one) for one in elements]}


def _element(given: Any) -> dict[str, Any]:
    """One element of `verified_claims`: what must be true of the verification, and the claims (Identity Assurance §6.1)."""
    if not isinstance(given, dict) or not isinstance(given.get("verification"), dict):
        raise Malformed("claims: verified_claims: verification is missing")
    if "trust_framework" not in given["verification"]:
        raise Malformed("claims: verified_claims: verification has no trust_framework")
    claims = given.get("claims")
    if not isinstance(claims, dict) or not claims:
        raise Malformed("claims: verified_claims: claims is missing or empty")
    return {
        "verification": {name: wish for name, wish in given["verification"].items() if name in OF_A_VERIFICATION},
        "claims": {name: _wish(wish) for name, wish in claims.items() if _NAME.fullmatch(name)},
    }


def _wish(given: Any) -> dict[str, bool] | None:
    """Keep of one claim's request whether it is essential; a value in it would be a person's."""
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("essential", False), bool):
        raise Malformed("claims: a claim is asked for with null or an object")
    return {"essential": True} if given.get("essential") else None


def _asked(place: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Walk the claims of a place, verified ones too, each name without its language (§5.2)."""
    every = [place, *(element["claims"] for element in place.get(VERIFIED, ()))]
    for claims in every:
        for name, wish in claims.items():
            if name not in OF_THE_TOKEN | {VERIFIED}:
                yield name.partition("#")[0], wish is not None


def _values(wish: Mapping[str, Any]) -> tuple[str, ...]:
    given = wish["values"] if "values" in wish else [wish["value"]] if "value" in wish else []
    if not isinstance(given, list) or len(given) > MAX_CLAIMS:
        raise Malformed("claims: values is a list")
    if not all(isinstance(one, str) and len(one) <= MAX_TEXT for one in given):
        raise Malformed("claims: a value is a text")
    return tuple(dict.fromkeys(given))


def _subject(given: Mapping[str, Any]) -> str | None:
    """Return the one `sub` asked for, in either place (§5.5.1)."""
    named = {one for place in PLACES for one in _values((given.get(place) or {}).get("sub") or {})}
    if len(named) > 1:
        raise Malformed("claims: sub: more than one person")
    return next(iter(named), None)
