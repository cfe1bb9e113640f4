"""The `claims` parameter: names are kept, values are not, what is unknown is passed over (OpenID Connect Core §5.5)."""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authorization import claims_parameter
from broker.errors import Malformed

VERIFIED = {
    "verification": {"trust_framework": "eidas", "evidence": [{"document": "X1"}]},
    "claims": {"given_name": None},
}


def read(**given: Any) -> claims_parameter.ClaimsRequest:
    return claims_parameter.read(json.dumps(given))


def test_names_from_every_place() -> None:
    asked = read(
        userinfo={"email": {"essential": True}, "name#ar": None, "verified_claims": [VERIFIED, VERIFIED]},
        id_token={"nickname": {"value": "Max"}, "acr": None, "auth_time": None},
        elsewhere={"x": 1},
    )
    assert asked.essential == {"email": True, "name": False, "given_name": False, "nickname": False}
    assert (asked.acr, asked.acr_essential, asked.auth_time, asked.subject) == ((), False, False, None)
    assert "Max" not in str(asked.kept)
    assert "X1" not in str(asked.kept)
    assert json.loads(str(asked.kept))["userinfo"]["verified_claims"][0]["verification"] == {
        "trust_framework": {"values": ["eidas"]},
        "evidence": [{}],
    }


def steps(text: str) -> int:
    """Count the lines of the module that run while a request is read."""
    count = 0

    def each(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return each if frame.f_code.co_filename == claims_parameter.__file__ else None

    before = sys.gettrace()
    sys.settrace(each)
    try:
        claims_parameter.read(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("place", ["userinfo", "verified_claims"])
def test_the_work_grows_with_the_claims_and_not_with_their_square(place: str) -> None:
    """A request is as long as a request may be, whoever sends it (Core §5.5): no name is compared with every other."""

    def request(count: int) -> str:
        names = {f"a{number}": {"essential": number % 2 == 1} for number in range(count)}
        return json.dumps({"userinfo": names if place == "userinfo" else {place: {**VERIFIED, "claims": names}}})

    asked = claims_parameter.read(request(200))
    assert (len(asked.essential), sum(asked.essential.values())) == (200, 100)
    assert steps(request(400)) < 3 * steps(request(200))


@pytest.mark.parametrize(
    ("acr", "values", "essential"),
    [
        (None, (), False),
        ({"essential": True}, (), False),
        ({"value": "a"}, ("a",), False),
        ({"essential": True, "value": "a"}, ("a",), True),
        ({"essential": True, "values": ["a", "b", "a"]}, ("a", "b"), True),
    ],
)
def test_the_level_asked_for(acr: Any, values: tuple[str, ...], essential: bool) -> None:
    asked = read(id_token={"acr": acr})
    assert (asked.acr, asked.acr_essential) == (values, essential)


# fmt: off
REFUSED: list[tuple[str, str]] = [
    ("Core §5.5 not an object",         "[]"),
    ("Core §5.5 not JSON",              "{"),
    ("Core §5.5 a member twice",        '{"userinfo":{},"userinfo":{}}'),
    ("Core §5.5 depth",                 '{"userinfo":' * 14 + "1" + "}" * 14),
    ("Core §5.5 depth of thousands",    '{"a":' * 3000 + "1" + "}" * 3000),
    ("Core §5.5 place",                 '{"userinfo":[]}'),
    ("Core §5.5.1 wish",                '{"userinfo":{"email":"a"}}'),
    ("Core §5.5.1 essential",           '{"userinfo":{"email":{"essential":"yes"}}}'),
    ("Core §5.5.1 values",              '{"id_token":{"acr":{"values":"a"}}}'),
    ("Core §5.5.1 value",               '{"id_token":{"acr":{"value":7}}}'),
    ("Core §5.5.1 two people",          '{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}'),
    ("IDA §6.1 no verification",        '{"userinfo":{"verified_claims":{"claims":{"a":null}}}}'),
    ("IDA §6.1 no trust framework",     '{"userinfo":{"verified_claims":{"verification":{},"claims":{"a":null}}}}'),
    ("IDA §6.1 no claims",              '{"userinfo":{"verified_claims":{"verification":{"trust_framework":null}}}}'),
    ("IDA §6.1 empty claims",           '{"userinfo":{"verified_claims":{"verification":{"trust_framework":null},"claims":{}}}}'),
    ("IDA §6.1 none",                   '{"userinfo":{"verified_claims":[]}}'),
]
# fmt: on


@pytest.mark.parametrize("text", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        claims_parameter.read(text)
    assert refused.value.description.startswith("claims")


JSON = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda of: st.lists(of) | st.dictionaries(st.sampled_from(["value", "values", "essential", "verification", "claims", "trust_framework", "sub", "acr", "verified_claims", "x"]), of))  # fmt: skip


@given(userinfo=JSON, id_token=JSON)
def test_never_a_crash(userinfo: Any, id_token: Any) -> None:
    try:
        read(userinfo=userinfo, id_token=id_token)
    except Malformed:
        return  # any other error is a failure
