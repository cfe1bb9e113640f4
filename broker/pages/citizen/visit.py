"""The journey behind `/i/{tx}/…` as this browser may see it: its own, in its own session, in time."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Page, Redirect
from broker.authorization import journey, sign_in
from broker.authorization.journey import Journey
from broker.clients.registry import Client
from broker.database import Tx
from broker.pages.citizen import already
from broker.sign_in.session import Session
from consent import intended_use, permission
from consent.intended_use import IntendedUse
from consent.ledger_entry import Stream
from consent.permission import Permission
from keys import sealing

DECIDING = already.DECIDING
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Visit:
    """A browser that holds the journey's handle (32 bytes) and the session it belongs to."""

    wired: needs.Parts
    visitor: needs.Visitor
    session: Session
    journey: Journey
    handle: bytes
    use: IntendedUse
    client: Client | None
    now: int

    @property
    def language(self) -> str:
        """The language this page is in."""
        return self.visitor.language

    @property
    def service(self) -> dict[str, Any]:
        """Who asks, as pages name them."""
        return intended_use.describe(self.use, self.language)

    def periods(self) -> list[dict[str, Any]]:
        """Give the periods a person may choose from, the shortest chosen (a longer one is never the default)."""
        days = sorted(self.use.durations)
        ends = [datetime.fromtimestamp(self.now / SECOND, UTC) + timedelta(days=n) for n in days]
        return [
            {"value": str(n), "until": end.date().isoformat(), "checked": n == days[0]}
            for n, end in zip(days, ends, strict=True)
        ]

    def path(self, page: str) -> str:
        """The address of one of the journey's pages."""
        return f"/i/{self.journey.journey_id}/{page}"


def load(request: Request) -> Visit:
    """Find the journey of this browser; stops with a page that says what happened when it is not theirs or is over."""
    wired, seen = needs.parts(request), needs.visitor(request)
    public_id, now = request.path_params["tx"], wired.clock()
    with wired.database.read() as tx:
        found = journey.get(tx, public_id)
    if found is None:
        raise needs.Stop(already.bare("expired", 410))
    handle = _handle(request, found)
    if handle is None:
        needs.recognised(request)
        late = found.expires <= now  # then the handle's own cookie is gone, too
        raise needs.Stop(already.bare("over", 410) if late else already.bare("other_browser", 403))
    needs.ends_at(request, found.request)
    if found.spent is not None or found.expires <= now:
        raise needs.Stop(already.page(wired, found, seen.language, already.became(found), 410))
    if seen.session is None:
        outcome = "signed_out" if found.state in DECIDING else already.became(found)
        raise needs.Stop(already.page(wired, found, seen.language, outcome, 403))
    if not hmac.compare_digest(journey.binding(handle, seen.session), found.session):
        raise needs.Stop(already.bare("other_session", 403))
    if seen.session.state != "full":  # the same person, half signed in anew in another tab
        raise needs.Stop(Redirect(f"/i/{public_id}/code"))
    asked = found.request.data
    named = found.client_id, asked.use_id, asked.version
    use = sign_in.use_of(wired.uses, wired.registry, *named, redirect_uri=found.request.redirect_uri)
    return Visit(wired, seen, seen.session, found, handle, use, wired.registry.get(found.client_id), now)


def _handle(request: Request, found: Journey) -> bytes | None:
    """Give the handle from the journey's own cookie when it is this journey's."""
    held = needs.cookie(request, f"semel-{found.journey_id}")
    try:
        handle = bytes.fromhex(held)
    except ValueError:
        return None
    if len(handle) != journey.HANDLE or not hmac.compare_digest(sealing.public_of(handle), found.handle_public):
        return None
    return handle


def standing(tx: Tx, visit: Visit, stream: Stream, now: int) -> Permission | None:
    """Find what this person allows already: the grant that the agency names, if it is theirs, or their ongoing one."""
    lookup, named = permission.lookup(stream.key, visit.use.client_id, visit.use.id), visit.journey.request.grant_id
    if named is None:
        return permission.find_live(tx, lookup, now)
    held = permission.get(tx, named)
    theirs = held is not None and hmac.compare_digest(held.lookup, lookup) and held.standing(now) == "live"
    return held if theirs else None


def overtaken(tx: Tx, visit: Visit) -> Redirect | None:
    """Look once more before acting: where to go when another tab or press was quicker since the journey was read."""
    found = journey.get(tx, visit.journey.journey_id)
    if found is not None and found.state == visit.journey.state:
        return None
    return Redirect(visit.path("consent"))


def decided(visit: Visit) -> Page | Redirect:
    """Say what was decided before, and let the person go on from there while that is possible."""
    found = visit.journey
    if found.state == "shared":
        return Redirect(visit.path("done"))
    if found.state == "refused" or found.request.waits:
        outcome = "refused" if found.state == "refused" else "shared"
        return told(visit, outcome, again=not found.request.waits)
    live = (found.code_expires or 0) > visit.now
    return told(visit, "returned" if live else "uncollected", again=live)


def told(visit: Visit, outcome: str, status: int = 200, *, again: bool = False) -> Page:
    """The page that says what happened on this visit (`already`)."""
    return already.page(visit.wired, visit.journey, visit.language, outcome, status, again=again)
