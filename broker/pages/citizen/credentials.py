"""What a person signs in with, where they set it: a new password, an authenticator app (NIST SP 800-63B-4 §3.1.1, §3.1.4)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs, sender, throttle
from broker.answers import Page
from broker.errors import Wire
from broker.sign_in import authenticator, password
from broker.sign_in.attempts import ADDRESS
from broker.sign_in.authenticator import Setup
from broker.sign_in.password import Unfit, Verdict
from broker.throttle import Limit

KIND = "credentials-account"
LIMIT = Limit(hourly=12, burst=5)


def count(request: Request, kind: str, subject: bytes) -> int | None:
    """Count an attempt before anything is compared; the seconds to wait, or None when it may go on."""
    wired = needs.parts(request)
    now, networks = wired.clock(), sender.codes(request)
    with wired.database.write() as tx:
        return throttle.allow_network(tx, "sign-in-address", networks, ADDRESS, now) or throttle.allow(
            tx, kind, subject, LIMIT, now
        )


def misfit(chosen: str, names: tuple[str, ...], *, alone: bool) -> str | None:
    """Say why a password may not be chosen: `missing`, or a reason of `password.Unfit`; None when it may.

    `names` are words it must not consist of; `alone` when no second factor stands beside it.
    """
    if not chosen:
        return "missing"
    try:
        for name in names:
            password.check_choice(chosen, name, alone=alone)
    except Unfit as problem:
        return problem.reason
    return None


async def compare(wired: needs.Parts, stored: str, text: str) -> Verdict:
    """Compare the present password in a thread; `Wire` 503 when too many wait."""
    try:
        return await password.verify(stored, text, wired.roots.ring("pepper"))
    except password.Busy as problem:
        raise _busy() from problem


async def hashed(wired: needs.Parts, chosen: str) -> str:
    """Return what is stored of a new password, made in a thread; `Wire` 503 when too many wait."""
    try:
        return await password.store(chosen, wired.roots.ring("pepper"))
    except password.Busy as problem:
        raise _busy() from problem


def app_page(
    wired: needs.Parts,
    setup: Setup,
    bound: bytes,
    *,
    action: str,
    back_href: str | None = None,
    error: str | None = None,
    minutes: int | None = None,
    status: int = 200,
) -> Page:
    """The page that shows a new secret and asks for the first code; `error` one of the template's."""
    now = wired.clock()
    size, path = authenticator.modules(authenticator.address(setup, wired.issuer))
    context = {
        "action": action,
        "back_href": back_href,
        "setup": authenticator.seal(wired.roots, setup, bound, now),
        "secret": authenticator.spelled(setup.secret),
        "qr_size": size,
        "qr_path": path,
        "error": error,
        "minutes": minutes,
    }
    return Page("authenticator.html", context, status=status)


def _busy() -> Wire:
    return Wire("temporarily_unavailable", "busy; try again", status=503, headers={"Retry-After": "1"})
