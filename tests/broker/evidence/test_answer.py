"""Raw answers of registers, made into values or refused."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from broker.evidence.answer import LONGEST, Malformed, day, flag, plain, sealed
from broker.evidence.source import Found
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        (" Maria ", "Maria"),
        ("1988", "1988"),
        (7, 7),
        (Decimal(7), 7),
        (datetime.date(1988, 3, 14), "1988-03-14"),
        ("a\nb", "a\nb"),
    ],
)
def test_cells_become_json(raw: object, value: object) -> None:
    assert plain(raw) == value


@pytest.mark.parametrize(
    "raw", [1.5, b"x", Decimal("1.5"), [], {}, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "x" * (LONGEST + 1)]
)
def test_cells_of_other_kinds_are_malformed(raw: object) -> None:
    with pytest.raises(Malformed):
        plain(raw)


@pytest.mark.parametrize(("raw", "value"), [(None, False), (0, False), (1, True), (False, False), (True, True)])
def test_flags(raw: object, value: bool) -> None:
    assert flag(raw) is value


@pytest.mark.parametrize("raw", [2, "true", "0", "", -1, "N"])
def test_what_is_no_flag_is_malformed_and_not_false(raw: object) -> None:
    with pytest.raises(Malformed):
        flag(raw)


@pytest.mark.parametrize(
    ("raw", "value"), [(None, None), ("2026-03-12", "2026-03-12"), (datetime.date(2026, 3, 12), "2026-03-12")]
)
def test_days(raw: object, value: object) -> None:
    assert day(raw, NOW) == value


@pytest.mark.parametrize("raw", ["2026-02-30", "12.3.2026", "2026", 5, "2026-11-23"])
def test_what_is_no_day_is_malformed(raw: object) -> None:
    with pytest.raises(Malformed):
        day(raw, NOW)


def test_a_value_of_another_shape_is_the_registers_fault_and_goes_nowhere(check: Callable[[str, Any], None]) -> None:
    found = sealed("identity.birth_date", lambda: "31.12.1990", check=check, source="s", as_of="2026-01-01", now=1)
    assert (found.status, found.value, found.as_of) == ("source_unavailable", None, None)


def test_a_good_value_is_sealed(check: Callable[[str, Any], None], holds: Callable[[Found, Any], bool]) -> None:
    found = sealed("identity.birth_date", lambda: "1990-12", check=check, source="s", as_of="2026-01-01", now=1)
    assert (found.status, found.as_of, found.retrieved_at) == ("provided", "2026-01-01", 1)
    assert holds(found, "1990-12")
    assert not holds(found, "1990-11")
