"""The reference agencies obey `Accept-Language` as the broker does (RFC 9110 §12.5.4)."""

import pytest

from broker.people import accept_language
from examples.agencies.languages import LANGUAGES, browser_language

HEADERS = [
    ("", "en"), ("ar", "ar"), ("AR-eg, en;q=0.9", "ar"), ("en;q=0.5, ar", "ar"), ("ar;q=0.4, en;q=0.5", "en"), ("fr, de", "en"),
    ("ar, en", "ar"), ("en;q=0", "ar"), ("ar;q=0, *", "en"), ("en;q=0.3, *;q=0.5", "ar"), ("ar;q=x, en;q=0.1", "en"),
    ("en-US;q=0, en;q=0.8, ar;q=0.1", "en"), ("*;q=0, ar;q=0.1", "ar"), ("fr, en;q=0, ar;q=0", "en"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "language"), HEADERS)
def test_weights_and_refusals(header: str, language: str) -> None:
    assert browser_language(header) == language == accept_language.choose(header, LANGUAGES)
