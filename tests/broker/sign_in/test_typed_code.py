"""Codes are read in the digits of every script and with invisible marks around them, in every field that takes one."""

# ruff: noqa: RUF001 - look-alikes are what this is about

import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.pages import render
from broker.sign_in import typed_code, user_code

#: Every code field of every page, and where it is read. A new field that takes text belongs here, or is named as none.
CODE_FIELDS = {
    ("code_form.html", "code"): "broker/sign_in/one_time_code.py",
    ("credential_fields.html", "code"): "broker/sign_in/one_time_code.py",
    ("device.html", "user_code"): "broker/sign_in/user_code.py",
    ("phone_code.html", "typed"): "broker/sign_in/user_code.py",
}
#: The transaction code is typed into a wallet, which sends it as it was typed.
NO_PAGE = {"broker/grants/pre_authorized_code.py"}
NOT_CODES = {"username", "password"}
ROOT = Path(__file__).parents[3]
FIELD = re.compile(r"""govuk(?:Password)?Input\(\{"id": "\w+", "name": "(\w+)"|<(?:input|textarea)(?![^>]*type="(?:hidden|checkbox|radio)")[^>]*name="(\w+)\"""")  # fmt: skip
#: The zero of every script's digits that Unicode knows.
ZEROS = [chr(n) for n in range(sys.maxunicode) if unicodedata.decimal(chr(n), None) == 0]
MARKS = "\u200e\u200f\u2066\u2069\u202a\u202c\u061c\u200b\u2060\ufeff\u00ad"


def fields() -> set[tuple[str, str]]:
    found = set()
    for path in Path(render.HERE).glob("*/templates/*.html"):
        found |= {(path.name, one[1] or one[2]) for one in FIELD.finditer(path.read_text("utf-8"))}
    return {one for one in found if one[1] not in NOT_CODES}


def test_every_code_field_of_every_page_is_read_here() -> None:
    assert fields() == CODE_FIELDS.keys()
    for path in {*CODE_FIELDS.values(), *NO_PAGE}:
        assert "typed_code.plain(" in (ROOT / path).read_text("utf-8"), path


def test_there_are_scripts() -> None:
    assert len(ZEROS) > 60


@pytest.mark.parametrize("zero", ZEROS, ids=unicodedata.name)
def test_digits_of_any_script(zero: str) -> None:
    assert typed_code.plain("".join(chr(ord(zero) + n) for n in (4, 8, 2, 9, 1, 3))) == "482913"


@pytest.mark.parametrize("mark", MARKS, ids=unicodedata.name)
def test_invisible_marks_around_and_between(mark: str) -> None:
    assert typed_code.plain(f"{mark}482{mark}913{mark}") == "482913"
    assert user_code.read(f"{mark}wdjb-{mark}mjht{mark}") == "WDJBMJHT"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (" 482\u00a0913\n", "482913"),
        ("482–913", "482913"),
        ("٤٨٢٩١٣", "482913"),
        ("۴۸۲۹۱۳", "482913"),
        ("४८२ ९१३", "482913"),
        ("４８２９１３", "482913"),
        ("ｗｄｊｂ", "WDJB"),
        ("ВКМТ", "BKMT"),
        ("48291x", "48291X"),
        ("¼", "1⁄4"),
        ("", ""),
        (MARKS, ""),
    ],
)
def test_what_is_read(typed: str, code: str) -> None:
    assert typed_code.plain(typed) == code


def test_a_device_code_from_another_keyboard() -> None:
    assert user_code.read("ВСНК-МТХР") == "BCHKMTXP"


@pytest.mark.parametrize("typed", ["WDJB-MJH", "WDJB-MJHA", "WDJB-MJHTT", "١٢٣٤٥٦٧٨", "\u200f"])
def test_what_is_no_device_code(typed: str) -> None:
    assert user_code.read(typed) is None


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.lists(st.sampled_from(MARKS + " -\u2013\u00a0"), min_size=7, max_size=7),
)
def test_marks_anywhere(code: str, marks: list[str]) -> None:
    assert typed_code.plain("".join(mark + one for mark, one in zip(marks, code + " ", strict=True))) == code


@given(st.text())
def test_nothing_that_is_typed_breaks_it(typed: str) -> None:
    assert isinstance(typed_code.plain(typed), str)
