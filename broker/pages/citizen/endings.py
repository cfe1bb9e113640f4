"""Where a journey ends: back at the agency with a code or an error, or on a last page while its client waits elsewhere."""

from __future__ import annotations

from dataclasses import replace

from broker import logout, needs, outcome
from broker.answers import Answer, Redirect
from broker.authorization import ending, journey, pushed, response, waiting
from broker.clients import web_address
from broker.database import Tx
from broker.evidence import preview
from broker.pages.citizen import already
from broker.pages.citizen.visit import Visit
from broker.sign_in import browser_state

SECOND = 1_000_000  # microseconds


def to_agency(tx: Tx, visit: Visit, now: int) -> Answer:
    """Mint the journey's code, or find it still good, and send the browser back to the agency with it.

    Where the client waits elsewhere its own secret is the code.
    """
    found, wired = visit.journey, visit.wired
    if not found.request.waits and not logout.signed_in_to(tx, wired, visit.session, visit.client):
        return Redirect("/sign-in")
    if not journey.mint(tx, found.journey_id, now, good_until(tx, visit, now)):
        return already.page(wired, found, visit.language, "returned", 410, tx=tx)
    pushed.close(tx, found.journey_id)
    if found.request.waits:
        return ending.answered("shared", visit.service, found.permission_id)
    secret = journey.code(visit.handle, found.journey_id)
    answer = response.success(
        found.request,
        secret,
        issuer=wired.issuer,
        keyring=wired.keyring,
        now=now,
        session_state=_session_state(visit),
    )
    if "session_management" not in wired.legacy:
        return answer
    shown = browser_state.cookie(needs.cookie_name(wired.secure, browser_state.NAME), visit.session.secret)
    return replace(answer, cookies=(*answer.cookies, shown))


def _session_state(visit: Visit) -> str | None:
    if "session_management" not in visit.wired.legacy:
        return None
    return browser_state.session_state(
        visit.journey.client_id, web_address.origin(visit.journey.request.redirect_uri), visit.session.secret
    )


def back(tx: Tx, visit: Visit, error: str, now: int, *, description: str = "") -> Answer:
    """End the journey without data and send the browser back with an error."""
    found = visit.journey
    journey.decided(
        tx, found.journey_id, before=found.state, state="refused", permission_id=None, expires=found.expires
    )
    preview.drop(tx, found.journey_id)
    pushed.close(tx, found.journey_id)
    return outcome.refused(
        tx,
        visit.wired,
        found.request,
        found.journey_id,
        error=error,
        now=now,
        service=visit.service,
        description=description,
    )


def again(tx: Tx, visit: Visit, now: int) -> Answer:
    """Give the answer of a press once more, while it is good; nothing is recorded anew."""
    found, wired = visit.journey, visit.wired
    if found.state != "refused":
        return to_agency(tx, visit, now)
    if found.request.waits:
        return ending.answered("refused", visit.service)
    return response.error(found.request, "access_denied", issuer=wired.issuer, keyring=wired.keyring, now=now)


def too_late(tx: Tx, visit: Visit) -> Answer:
    """End a journey whose client waits no longer: nothing is recorded, nothing is kept."""
    found = visit.journey
    journey.decided(
        tx, found.journey_id, before=found.state, state="refused", permission_id=None, expires=found.expires
    )
    preview.drop(tx, found.journey_id)
    pushed.close(tx, found.journey_id)
    return ending.expired(visit.service)


def good_until(tx: Tx, visit: Visit, now: int) -> int:
    """Until when what was decided can be redeemed: a minute, or as long as the client was told that it may ask."""
    asked = waiting.get(tx, visit.journey.journey_id) if visit.journey.request.waits else None
    return max(now + visit.wired.durations.code * SECOND, 0 if asked is None else asked.expires)
