"""Canonical JSON: one form out, one meaning in."""

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from keys import canonical
from keys.errors import Malformed

SAFE = 2**53 - 1
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
)


@given(values)
def test_reading_what_was_written_gives_the_value_back(value):
    assert canonical.loads(canonical.dumps(value)) == value


@given(values)
def test_writing_again_changes_nothing(value):
    once = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(once)) == once


@given(values)
def test_both_ways_of_writing_write_the_same(value):
    """The standard library writes what it writes as the reference implementation does."""
    assert canonical.dumps(value) == rfc8785.dumps(value)


@given(st.text() | st.binary())
def test_the_reader_never_crashes(data):
    try:
        value = canonical.loads(data)
    except Malformed:
        return
    json.dumps(value, allow_nan=False)


def test_rfc8785_section_3_2_2_example():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical.dumps(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_rfc8785_section_3_2_3_sorts_by_utf16_units():
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = list(canonical.loads(canonical.dumps(dict.fromkeys(names, 0))))
    assert ordered == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',  # RFC 7493 §2.3
        '{"b":{"a":1,"\\u0061":1}}',
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "1e999",
        '"\\ud800"',  # RFC 7493 §2.1
        "",
        "{",
        "{} {}",
        b"\xff",
        b"\xef\xbb\xbf{}",  # RFC 8259 §8.1: no byte order mark
        "[" * 100_000,
        "9" * 10_000,
    ],
)
def test_refused_on_reading(text):
    with pytest.raises(Malformed):
        canonical.loads(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud800", {1: 2}, {"a": {1, 2}}, b"bytes"])
def test_refused_on_writing(value):
    with pytest.raises(Malformed):
        canonical.dumps(value)
