"""The way back to the client: code or error, `iss` and the exact `state` (RFC 9207 §2)."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from broker.authorization import response
from tests.broker.relying import CALLBACK, ISSUER

STATE = "a b&c=d#e%f+g" + "x" * 371


@pytest.mark.parametrize(
    ("registered", "before"),
    [
        (CALLBACK, f"{CALLBACK}?"),
        (f"{CALLBACK}?tenant=1", f"{CALLBACK}?tenant=1&"),
        (f"{CALLBACK}?", f"{CALLBACK}?"),
        (f"{CALLBACK}?a=b&", f"{CALLBACK}?a=b&"),
    ],
)
def test_answers_are_appended(registered: str, before: str) -> None:
    location = response.success(registered, "the-code", state=STATE, issuer=ISSUER)
    assert location.startswith(before)
    answer = dict(parse_qsl(location.removeprefix(before), keep_blank_values=True, strict_parsing=True))
    assert answer == {"code": "the-code", "iss": ISSUER, "state": STATE}
    assert urlsplit(location).fragment == ""


def test_an_error_says_who_sends_it() -> None:
    location = response.error(CALLBACK, "access_denied", state=None, issuer=ISSUER)
    assert dict(parse_qsl(urlsplit(location).query)) == {"error": "access_denied", "iss": ISSUER}
