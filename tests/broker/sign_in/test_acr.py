"""Levels of assurance."""

import pytest

from broker.sign_in import acr

LOA = "http://eidas.europa.eu/LoA/"


@pytest.mark.parametrize(
    ("proofing", "code", "expected"),
    [
        ("low", False, "low"),
        ("low", True, "low"),
        ("substantial", False, "low"),
        ("substantial", True, "substantial"),
        ("high", False, "low"),
        ("high", True, "substantial"),
    ],
)
def test_the_lower_of_the_two_counts(proofing, code, expected):
    assert acr.reached(proofing, one_time_code=code) == LOA + expected == acr.value(expected)


@pytest.mark.parametrize(
    ("reached", "minimum", "enough"),
    [
        ("low", None, True),
        ("low", "low", True),
        ("low", "substantial", False),
        ("substantial", "low", True),
        ("substantial", LOA + "substantial", True),
        ("substantial", LOA + "high", False),
    ],
)
def test_enough(reached, minimum, enough):
    assert acr.reaches(LOA + reached, minimum) == enough


def test_an_unknown_level_is_an_error():
    with pytest.raises(ValueError):
        acr.reaches(LOA + "low", "urn:other")
