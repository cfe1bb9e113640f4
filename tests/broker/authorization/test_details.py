"""Authorization details: one type, read whole or refused (RFC 9396 §2, §5)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authorization import details
from broker.errors import Wire
from tests.broker.relying import ISSUER

TYPE = ISSUER + "/rar/prefill/v1"


def read(*given: Any) -> Any:
    return details.read(json.dumps(list(given)), ISSUER)


def test_every_member() -> None:
    found = read(
        {
            "type": TYPE,
            "intended_use": "town.permit",
            "version": 1,
            "actions": ["read"],
            "locations": [ISSUER],
            "datatypes": ["identity"],
            "items": [{"id": "a.b", "required": True}, {"id": "a.c"}],
            "subject": {"relation": "self"},
            "access": {"kind": "once"},
            "form_ref": "c0ffee",
        }
    )
    assert (found.use_id, found.version, found.items) == ("town.permit", 1, {"a.b": True, "a.c": None})
    assert (found.bundles, found.kind, found.form_ref) == (("identity",), "once", "c0ffee")


# fmt: off
REFUSED: list[tuple[str, list[Any]]] = [
    ("§2 not objects",               ["x"]),
    ("§2 no type",                   [{}]),
    ("§5 unknown type",              [{"type": "https://other.example/rar"}]),
    ("§5 another type beside ours",  [{"type": TYPE}, {"type": "payment"}]),
    ("§2 two of ours",               [{"type": TYPE}, {"type": TYPE}]),
    ("§5 unknown member",            [{"type": TYPE, "privileges": ["admin"]}]),
    ("§5 use not text",              [{"type": TYPE, "intended_use": 7}]),
    ("§5 use with control",          [{"type": TYPE, "intended_use": "a\nb"}]),
    ("§5 version not a number",      [{"type": TYPE, "version": "1"}]),
    ("§5 version true",              [{"type": TYPE, "version": True}]),
    ("§2.2 other action",            [{"type": TYPE, "actions": ["read", "write"]}]),
    ("§2.2 other location",          [{"type": TYPE, "locations": ["https://other.example"]}]),
    ("§2.2 no datatypes",            [{"type": TYPE, "datatypes": []}]),
    ("§2.2 datatypes not a list",    [{"type": TYPE, "datatypes": "identity"}]),
    ("§5 no items",                  [{"type": TYPE, "items": []}]),
    ("§5 items not objects",         [{"type": TYPE, "items": ["a.b"]}]),
    ("§5 item without id",           [{"type": TYPE, "items": [{"required": True}]}]),
    ("§5 item twice",                [{"type": TYPE, "items": [{"id": "a.b"}, {"id": "a.b", "required": True}]}]),
    ("§5 item with more",            [{"type": TYPE, "items": [{"id": "a.b", "max_age": "P1D"}]}]),
    ("§5 required not boolean",      [{"type": TYPE, "items": [{"id": "a.b", "required": 1}]}]),
    ("§5 too many items",            [{"type": TYPE, "items": [{"id": f"a.{n}"} for n in range(101)]}]),
    ("§5 other subject",             [{"type": TYPE, "subject": {"relation": "child"}}]),
    ("§5 other access",              [{"type": TYPE, "access": {"kind": "for ever"}}]),
    ("§5 access with more",          [{"type": TYPE, "access": {"kind": "once", "until": 9}}]),
    ("§5 long reference",            [{"type": TYPE, "form_ref": "x" * 129}]),
]
# fmt: on


@pytest.mark.parametrize("given", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(given: list[Any]) -> None:
    with pytest.raises(Wire) as refused:
        read(*given)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_authorization_details", 400)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "[", "[1]", "[[" * 50 + "]]" * 50, '[{"type":"a","type":"b"}]', "[NaN]", '["' + "x" * 20_000 + '"]', "[" * 9 + "]" * 9, "[" * 100_000],
)  # fmt: skip
def test_what_is_no_list_of_objects(text: str) -> None:
    with pytest.raises(Wire) as refused:
        details.read(text, ISSUER)
    assert refused.value.refusal.code == "invalid_authorization_details"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
)


@given(members=st.dictionaries(st.sampled_from(sorted(details.MEMBERS)), JSON))
def test_never_a_crash(members: dict[str, Any]) -> None:
    try:
        read({**members, "type": TYPE})
    except Wire:
        return  # any other error is a failure


def test_the_schema_names_what_is_read() -> None:
    schema = details.schema(ISSUER)
    assert schema["$id"] == TYPE
    assert schema["properties"].keys() == details.MEMBERS
    assert schema["additionalProperties"] is False
