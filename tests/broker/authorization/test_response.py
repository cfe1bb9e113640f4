"""The way back to the client: code or error, `iss` and the exact `state` (RFC 9207 §2)."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from broker.authorization import checks, response
from broker.authorization.checks import At
from consent.intended_use import Uses
from tests.broker.authorization.test_checks import KEY, unchecked
from tests.broker.relying import CALLBACK, ISSUER, client

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
def test_answers_are_appended(uses: Uses, registered: str, before: str) -> None:
    who = client(KEY, redirect_uris=[registered])
    asked = checks.check(unchecked(uses, {"redirect_uri": registered, "state": STATE}, who), At.PUSH)
    location = response.success(asked, issuer=ISSUER, code="the-code")
    assert location.startswith(before)
    answer = dict(parse_qsl(location.removeprefix(before), keep_blank_values=True, strict_parsing=True))
    assert answer == {"code": "the-code", "iss": ISSUER, "state": STATE}
    assert urlsplit(location).fragment == ""


def test_an_error_says_who_sends_it(uses: Uses) -> None:
    location = response.error(checks.check(unchecked(uses, {}), At.PUSH), issuer=ISSUER, code="access_denied")
    assert dict(parse_qsl(urlsplit(location).query)) == {"error": "access_denied", "iss": ISSUER}
