"""`Accept-Language`: weights and refusals are obeyed (RFC 9110 §12.5.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.people import accept_language

# fmt: off
HEADERS = [
    ("",                                        "en"),
    ("ar",                                      "ar"),
    ("AR-eg",                                   "ar"),
    ("en;q=0.5, ar",                            "ar"),
    ("ar;q=0.5, en;q=0.4",                      "ar"),
    ("ar;q=0.4, en;q=0.5",                      "en"),
    ("ar;q=0.123,en;q=0.122",                   "ar"),
    ("ar ; q=0.9 , en\t;\tq=0.8",               "ar"),  # optional white space
    ("ar;Q=0.9, en;q=0.1",                      "ar"),  # names of parameters have no case
    ("ar, en",                                  "ar"),  # equals: the order of the header
    ("fr, de;q=0.9",                            "en"),
    ("ar;q=0",                                  "en"),
    ("en;q=0",                                  "ar"),  # anything rather than what is refused
    ("fr, en;q=0.000",                          "ar"),
    ("en;q=0, ar;q=0",                          "en"),  # nothing is left: a page comes all the same
    ("*",                                       "en"),
    ("en;q=0.3, *;q=0.5",                       "ar"),
    ("ar;q=0, *",                               "en"),
    ("en;q=0, *;q=0.1",                         "ar"),
    ("*;q=0, ar;q=0.1",                         "ar"),
    ("fr, *;q=0",                               "en"),
    ("en-US;q=0, en;q=0.8, ar;q=0.1",           "en"),  # only a region is refused
    ("en-US;q=0",                               "en"),
    ("en;q=0, en-GB, ar;q=0.1",                 "ar"),
    ("ar-EG;q=0.2, ar;q=0.9, en;q=0.5",         "ar"),
    ("ar;q=2, en;q=0.1",                        "en"),  # no weight: passed over
    ("ar;q=0.1234, en;q=0.1",                   "en"),
    ("ar;q=, en;q=0.1",                         "en"),
    ("ar;level=1, en;q=0.1",                    "en"),
    (";;,,ar",                                  "ar"),
]
# fmt: on


@pytest.mark.parametrize(("header", "language"), HEADERS)
def test_weights_and_refusals(header: str, language: str) -> None:
    assert accept_language.choose(header, ("en", "ar")) == language


@given(st.text())
def test_whatever_comes_there_is_a_language(header: str) -> None:
    assert accept_language.choose(header, ("en", "ar")) in {"en", "ar"}
