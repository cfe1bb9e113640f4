"""Does a sign-in count for a request: `prompt` and `max_age` (OpenID Connect Core §3.1.2.1, §3.1.2.3)."""

from broker.authorization.request import AuthorizationRequest
from broker.sign_in import acr

VALUES = frozenset({"none", "login", "consent", "select_account"})
SECOND = 1_000_000  # microseconds


def check(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of `prompt`; `ValueError` for an unknown one, or `none` beside another."""
    if not VALUES.issuperset(values) or ("none" in values and len(values) > 1):
        raise ValueError("prompt has an unknown value, or none beside another")
    return values


def is_met(request: AuthorizationRequest, *, auth_time: int, pushed_at: int, now: int) -> bool:
    """Say whether a complete sign-in at `auth_time` serves a request pushed at `pushed_at` (microseconds).

    `login` and `select_account` ask for one made for this request; `max_age` for one not older than that. One made for
    this request is never too old: asking again and again would not make it younger.
    """
    if auth_time >= pushed_at:
        return True
    if {"login", "select_account"} & set(request.prompt):
        return False
    return request.max_age is None or now - auth_time <= request.max_age * SECOND


def is_enough(request: AuthorizationRequest, reached: str, minimum: str) -> bool:
    """Whether a sign-in is strong enough for the use, and for a level the agency cannot do without (Core §5.5.1.1).

    A higher level is also a lower one (eIDAS art. 8); the token names the one that was reached.
    """
    enough = not request.acr_essential or any(
        acr.reaches(reached, value) for value in request.acr_values if value in acr.VALUES
    )
    return enough and acr.reaches(reached, minimum)
