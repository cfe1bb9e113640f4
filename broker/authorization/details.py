"""Authorization details: what is asked for, item by item (RFC 9396 §2, §5). One type, one detail, nothing that is not read."""

import re
from collections.abc import Mapping
from typing import Any

from broker import parameters
from broker.errors import Malformed, Wire
from consent import request as data_request
from consent.request import Narrowing

MAX_ITEMS = 100
MAX_WORD = 100  # characters
ACTIONS = ["read"]
KINDS = ("once", "ongoing")
FORM_REF = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
#: Every member of a detail; RFC 9396 §5 has the unknown ones refused.
MEMBERS = frozenset(
    {"type", "intended_use", "version", "actions", "datatypes", "locations", "items", "subject", "access", "form_ref"}
)


def read(text: str, issuer: str) -> Narrowing:
    """Return what `authorization_details` says; `Wire` `invalid_authorization_details` for what this server does not read."""
    try:
        given = parameters.structure(text, "authorization_details")
    except Malformed as problem:
        raise _refused(problem.description) from problem
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise _refused("authorization_details is a list of objects")
    if any(one.get("type") != issuer + data_request.DETAIL for one in given):
        raise _refused("the only type of authorization details is that of discovery")
    if len(given) > 1:
        raise _refused("one detail of this type, with all items in it")
    return _detail(given[0], issuer)


def _detail(detail: Mapping[str, Any], issuer: str) -> Narrowing:
    if not MEMBERS.issuperset(detail):
        raise _refused("a member this type does not have")
    version = detail.get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise _refused("version is a number")
    if detail.get("actions", ACTIONS) != ACTIONS:
        raise _refused("the only action is read")
    if detail.get("locations", [issuer]) != [issuer]:
        raise _refused("the only location is the issuer")
    if detail.get("subject", {"relation": "self"}) != {"relation": "self"}:
        raise _refused("the only subject is the person who signs in")
    use = detail.get("intended_use")
    return Narrowing(
        use_id=None if use is None else _word(use, "intended_use"),
        version=version,
        items=_items(detail["items"]) if "items" in detail else None,
        bundles=_words(detail["datatypes"], "datatypes") if "datatypes" in detail else (),
        kind=_kind(detail["access"]) if "access" in detail else None,
        form_ref=_form_ref(detail["form_ref"]) if "form_ref" in detail else None,
    )


def _items(given: Any) -> Mapping[str, bool | None]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_ITEMS:
        raise _refused(f"items is a list of 1 to {MAX_ITEMS} objects")
    items: dict[str, bool | None] = {}
    for one in given:
        if not isinstance(one, dict) or not {"id", "required"}.issuperset(one):
            raise _refused("an item has an id and may say required")
        if not isinstance(one.get("required", False), bool):
            raise _refused("required is true or false")
        name = _word(one.get("id"), "an item's id")
        if name in items:
            raise _refused("an item is named twice")
        items[name] = one.get("required")
    return items


def _kind(given: Any) -> Any:
    if not isinstance(given, dict) or given.keys() != {"kind"} or given["kind"] not in KINDS:
        raise _refused("access says kind: once or ongoing")
    return given["kind"]


def _form_ref(given: Any) -> str:
    if not isinstance(given, str) or not FORM_REF.fullmatch(given):
        raise _refused("form_ref is at most 128 visible ASCII characters")
    return given


def _words(given: Any, name: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_ITEMS:
        raise _refused(f"{name} is a list of 1 to {MAX_ITEMS} words")
    return tuple(dict.fromkeys(_word(one, name) for one in given))


def _word(given: Any, name: str) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_WORD or not given.isascii() or not given.isprintable():
        raise _refused(f"{name}: not a word")
    return given


def _refused(why: str) -> Wire:
    return Wire("invalid_authorization_details", why)


def schema(issuer: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a detail, as the type's own address serves it."""
    word = {"type": "string", "minLength": 1, "maxLength": MAX_WORD}
    item = {"properties": {"id": word, "required": {"type": "boolean"}}, "required": ["id"]}
    members: dict[str, Any] = {
        "type": {"const": issuer + data_request.DETAIL},
        "intended_use": word,
        "version": {"type": "integer", "minimum": 1},
        "actions": {"const": ACTIONS},
        "locations": {"const": [issuer]},
        "datatypes": {"type": "array", "items": word, "minItems": 1, "maxItems": MAX_ITEMS},
        "items": {
            "type": "array",
            "items": {"type": "object", **item, "additionalProperties": False},
            "minItems": 1,
            "maxItems": MAX_ITEMS,
        },
        "subject": {"const": {"relation": "self"}},
        "access": {
            "type": "object",
            "properties": {"kind": {"enum": list(KINDS)}},
            "required": ["kind"],
            "additionalProperties": False,
        },
        "form_ref": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": issuer + data_request.DETAIL,
        "title": "What an agency asks a person to share",
        "type": "object",
        "properties": members,
        "required": ["type"],
        "additionalProperties": False,
    }
