"""Requests that wait in a person's account: who asks, with which words, and the way to the decision or to no (CIBA Core §8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Answer, Page, Redirect
from broker.authorization import ending, pushed, sign_in, waiting
from broker.authorization.waiting import Waiting
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import refusal
from broker.people import inbox
from consent import intended_use
from consent.intended_use import IntendedUse

PATH = "/account/requests"


@dataclass(frozen=True)
class Facts:
    """Who looks at which of their requests, and the button that was pressed (None: none was to be)."""

    wired: needs.Parts
    visitor: needs.Visitor
    found: Waiting
    service: dict[str, Any]
    pressed: str | None = None


def waiting_for(tx: Tx, wired: needs.Parts, person_id: str, now: int) -> list[Waiting]:
    """Return the requests that wait for a person, the newest first."""
    found = [waiting.get(tx, tx_id) for tx_id in inbox.read(tx, wired.vault, person_id, now)]
    still = [one for one in found if one is not None and one.open_at(now)]
    return sorted(still, key=lambda one: one.asked, reverse=True)


def use_of(wired: needs.Parts, found: Waiting) -> IntendedUse:
    """Return the use under which a waiting request asks."""
    asked = found.request.data
    return sign_in.use_of(wired.uses, wired.registry, found.request.client_id, asked.use_id, asked.version)


def service_of(wired: needs.Parts, found: Waiting, language: str) -> dict[str, Any]:
    """Say who asks, as pages name them."""
    return intended_use.describe(use_of(wired, found), language)


async def gather_list(request: Request) -> Page:
    """Read what waits for the person; stops with the way to sign-in for anyone not fully signed in."""
    session, wired = needs.signed_in(request), needs.parts(request)
    with wired.database.read() as tx:
        found = waiting_for(tx, wired, session.person_id, wired.clock())
    language = needs.visitor(request).language
    told = [_told(one, service_of(wired, one, language)) for one in found]
    return Page("requests.html", {"waiting": told})


def act_list(page: Page, _now: int) -> Page:
    """Show it."""
    return page


async def gather(request: Request) -> Facts:
    """Find one request of this person's; stops with a page for one that was answered, is over, or is another's."""
    session, wired, visitor = needs.signed_in(request), needs.parts(request), needs.visitor(request)
    tx_id, now = request.path_params["tx"], wired.clock()
    with wired.database.read() as tx:
        own = tx_id in inbox.read(tx, wired.vault, session.person_id, now)
        found = waiting.get(tx, tx_id) if own else None
    if found is None:
        raise needs.Stop(ending.expired(None))
    service = service_of(wired, found, visitor.language)
    if found.state != "pending":
        outcome = "refused" if found.state == "refused" else "shared"
        raise needs.Stop(Page("already.html", {"outcome": outcome, "service": service}, status=410))
    if not found.open_at(now):
        raise needs.Stop(ending.expired(service))
    return Facts(wired, visitor, found, service)


def act(facts: Facts, _now: int) -> Page:
    """Show who asks, beside the words that stand on their screen too."""
    told = _told(facts.found, facts.service)
    context = {
        "action": told["href"],
        "service": facts.service,
        "user_code": None,
        "binding_message": told["binding_message"],
        "asked_at": told["asked_at"],
        "expires_at": told["expires_at"],
        "origin": None,
        "same_network": False,
        "error": None if facts.pressed is None else "choose",
    }
    return Page("request.html", context, status=200 if facts.pressed is None else 422)


async def gather_press(request: Request) -> Facts:
    """Read the press of a button."""
    form = await needs.form(request)
    pressed = form.get("action", "")
    if pressed not in {"continue", "refuse", ""}:
        raise Wire("invalid_request", "the button is continue or refuse")
    return replace(await gather(request), pressed=pressed)


def act_press(tx: Tx, facts: Facts, now: int) -> Answer:
    """Go on to the decision, or say no at once; without a button the page comes again."""
    if not facts.pressed:
        return act(facts, now)
    found, browser = facts.found, facts.visitor.browser_hash
    if not waiting.claim(tx, found.tx, browser, now):
        return Page("already.html", {"outcome": "other_browser"}, status=403)
    if facts.pressed == "continue":
        pushed.adopt(tx, found.request, found.tx, browser, pushed=found.asked, expires=found.expires)
        return Redirect(f"/i/{found.tx}/continue")
    return refusal.before_signing_in(tx, facts.wired, facts.visitor, found, service=facts.service, now=now)


def _told(found: Waiting, service: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": found.tx,
        "href": f"{PATH}/{found.tx}",
        "service": service,
        "binding_message": found.request.binding_message,
        "asked_at": found.asked,
        "expires_at": found.expires,
    }
