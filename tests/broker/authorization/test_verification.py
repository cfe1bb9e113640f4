"""What is asked of a verification: kept to what can be answered, answered to what was asked (Identity Assurance 1.0 §5.4 to §5.7)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authorization import verification
from broker.errors import Malformed

NOW = 1_800_000_000_000_000
KNOWN: dict[str, Any] = {
    "trust_framework": "eidas",
    "assurance_level": "substantial",
    "time": "2027-01-15T07:59:00Z",
    "verification_process": "r-1",
    "evidence": [
        {
            "type": "electronic_record",
            "time": "2027-01-15T07:59:00Z",
            "check_details": [{"check_method": "data", "organization": "O", "time": "2027-01-15T07:59:00Z"}],
            "record": {"type": "population_register", "created_at": "2027-01-14", "source": {"name": "P"}},
        }
    ],
}


def told(asked: Any) -> Any:
    return verification.select(verification.keep(asked), KNOWN, NOW)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([], id="§5.4 no object"),
        pytest.param({"trust_framework": 1}, id="§5.4 a number"),
        pytest.param({"trust_framework": {"value": 1}}, id="§5.5.1 a value that is no text"),
        pytest.param({"trust_framework": {"values": "eidas"}}, id="§5.5.1 values that are no list"),
        pytest.param({"trust_framework": {"values": []}}, id="§5.5.1 no values"),
        pytest.param({"time": {"max_age": True}}, id="§5.5.2 max_age that is no number"),
        pytest.param({"time": {"max_age": -1}}, id="§5.5.2 max_age below zero"),
        pytest.param({"time": {"max_age": float("inf")}}, id="§5.5.2 max_age without end"),
        pytest.param({"evidence": []}, id="§5.4 no entry"),
        pytest.param({"evidence": [{}] * 11}, id="§5.4 too many entries"),
        pytest.param({"evidence": [1]}, id="§5.4 an entry that is no object"),
    ],
)
def test_refused(asked: Any) -> None:
    with pytest.raises(Malformed):
        verification.keep(asked)


@pytest.mark.parametrize(("age", "met"), [(60, True), (59, False), (0, False), (10**9, True), (60.5, True)], ids=str)
def test_the_age_of_an_instant(age: float, met: bool) -> None:
    """§5.5.2: the seconds between the instant and the request, the limit included."""
    asked = {"time": {"max_age": age}}
    if met:
        assert told(asked)["time"] == KNOWN["time"]
    else:
        with pytest.raises(verification.Unmet):
            told(asked)


@pytest.mark.parametrize(("age", "met"), [(28_801, True), (28_800, False)])
def test_the_age_of_a_day_begins_at_its_last_second(age: int, met: bool) -> None:
    """§5.5.2."""
    asked = {"evidence": [{"record": {"created_at": {"max_age": age}}}]}
    if met:
        assert told(asked)["evidence"][0]["record"] == {"created_at": "2027-01-14"}
    else:
        with pytest.raises(verification.Unmet):
            told(asked)


def test_times_come_only_where_they_were_asked_for() -> None:
    """protocol §2: two agencies could compare them."""
    whole = told({"evidence": [{"check_details": None, "record": None}]})
    assert "2027" not in str(whole)
    assert whole["evidence"][0]["record"]["source"] == {"name": "P"}


PARTS = st.sampled_from(
    [
        "trust_framework",
        "assurance_level",
        "time",
        "evidence",
        "type",
        "record",
        "source",
        "check_details",
        "x",
        "value",
        "values",
        "max_age",
        "essential",
        "document_details",
        "created_at",
        "name",
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.sampled_from(["eidas", "electronic_record", "x" * 400])
)
REQUESTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=4), max_leaves=20
)


def leaves(value: Any) -> set[str]:
    """Every text in an answer."""
    if isinstance(value, dict):
        return {text for part in value.values() for text in leaves(part)}
    return {text for part in value for text in leaves(part)} if isinstance(value, list) else {str(value)}


@given(st.dictionaries(PARTS, REQUESTS, max_size=5))
def test_whatever_is_asked_only_what_is_known_comes(asked: dict[str, Any]) -> None:
    """Refused as malformed, not met, or answered with parts of what is known; never another error."""
    try:
        answer = told(asked)
    except (Malformed, verification.Unmet):
        return
    assert answer["trust_framework"] == "eidas"
    assert leaves(answer) <= leaves(KNOWN)
    assert answer.keys() <= {"trust_framework", *asked}
