"""Whether a sign-in counts for a request (OpenID Connect Core §3.1.2.1)."""

from dataclasses import replace

import pytest

from broker.authorization import checks, prompt
from broker.authorization.checks import At
from broker.authorization.request import Unchecked
from consent.intended_use import Uses
from tests.broker.authorization.test_checks import unchecked

SECOND = 1_000_000
PUSHED = 1_000 * SECOND


@pytest.mark.parametrize(
    ("values", "max_age", "signed_in", "met"),
    [
        ((), None, PUSHED - 500 * SECOND, True),
        (("login",), None, PUSHED - 1, False),
        (("login",), None, PUSHED + SECOND, True),
        (("select_account",), None, PUSHED - 1, False),
        (("none",), None, PUSHED - 1, True),
        (("consent",), None, PUSHED - 1, True),
        ((), 60, PUSHED - 30 * SECOND, True),
        ((), 60, PUSHED - 51 * SECOND, False),
        ((), 0, PUSHED - 1, False),
        ((), 0, PUSHED, True),
        (("login",), 5, PUSHED + SECOND, True),
    ],
)
def test_met(uses: Uses, values: tuple[str, ...], max_age: int | None, signed_in: int, met: bool) -> None:
    asked: Unchecked = unchecked(uses, {})
    request = replace(checks.check(asked, At.PUSH), prompt=values, max_age=max_age)
    assert prompt.is_met(request, auth_time=signed_in, pushed_at=PUSHED, now=PUSHED + 10 * SECOND) is met
