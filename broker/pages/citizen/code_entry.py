"""Where the code of a device is entered, and where a person says that it is theirs (RFC 8628 §3.3, §5.1, §5.4; BCP 247).

Whoever sends another person a code wants them to let a stranger's device in. So the code is always shown beside who asks, when and
from which network, also when it came in the link, and nothing goes on without a press that says that it is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import needs, parameters, sender, throttle
from broker.answers import Answer, Page, Redirect
from broker.authorization import ending, pushed, waiting
from broker.authorization.waiting import Waiting
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import known_browser, refusal, requests
from broker.sign_in import user_code
from broker.throttle import Limit

PATH = "/device"
ADDRESS = Limit(hourly=120, burst=20)  # codes typed from one network: of 20^8, in the ten minutes a code lives
BROWSER = Limit(hourly=60, burst=10)


@dataclass(frozen=True)
class Typed:
    """A code somebody entered, counted; `macs` are how it would be stored."""

    wired: needs.Parts
    visitor: needs.Visitor
    typed: str
    macs: tuple[bytes, ...]


@dataclass(frozen=True)
class Shown:
    """A request that this browser opened with its code; `pressed` is the button."""

    wired: needs.Parts
    visitor: needs.Visitor
    found: Waiting
    service: dict[str, Any]
    address: str
    pressed: str = ""
    error: str | None = None


async def gather(request: Request) -> Page:
    """GET: the form for the code; one that came in the link is written into it and counts for nothing yet."""
    typed = parameters.query(request).get("user_code", "")
    code = user_code.read(typed)
    return form_page(user_code.told(code) if code is not None else "")


def act(page: Page, _now: int) -> Page:
    """GET: show it."""
    return page


def form_page(typed: str = "", *, error: str | None = None, status: int = 200, wait: int = 0) -> Page:
    """The form; `error` one of the template's, `wait` in seconds."""
    context = {"action": PATH, "user_code": typed, "error": error, "minutes": math.ceil(wait / 60) or None}
    headers = {"Retry-After": str(wait)} if wait else {}
    return Page("device.html", context, status=status, headers=headers)


async def gather_code(request: Request) -> Typed | Answer:
    """POST: count the attempt, by network and by browser, before the code is looked at."""
    wired, visitor = needs.parts(request), needs.visitor(request)
    given = await known_browser.form(request)
    if given is None:
        return form_page(error="stale_form", status=403)
    typed = given.get("user_code", "").strip()[: user_code.MAX_TYPED]
    if not typed:
        return form_page(error="missing", status=422)
    now, networks = wired.clock(), sender.codes(request)
    browser = visitor.session.id_hash if visitor.session is not None else visitor.browser_hash
    with wired.database.write() as tx:
        wait = throttle.allow_network(tx, "device-address", networks, ADDRESS, now) or throttle.allow(
            tx, "device-browser", browser, BROWSER, now
        )
    if wait is not None:
        return form_page(typed, error="too_many", status=429, wait=wait)
    code = user_code.read(typed)
    if code is None:
        return form_page(typed, error="wrong", status=403)
    return Typed(wired, visitor, typed, user_code.macs(wired.roots, code))


def act_code(tx: Tx, facts: Typed, now: int) -> Answer:
    """POST: give the request to this browser; a wrong, late, used or foreign code is told alike."""
    found = waiting.by_user_code(tx, facts.macs)
    if found is None or not waiting.claim(tx, found.tx, facts.visitor.browser_hash, now):
        return form_page(facts.typed, error="wrong", status=403)
    return Redirect(f"{PATH}/{found.tx}")


async def gather_request(request: Request) -> Shown:
    """GET: the request this browser opened; stops with a page that says what became of it."""
    wired, visitor = needs.parts(request), needs.visitor(request)
    with wired.database.read() as tx:
        found = waiting.get(tx, request.path_params["tx"])
    if found is None or found.browser is None:
        raise needs.Stop(ending.expired(None))
    service = requests.service_of(wired, found, visitor.language)
    if found.browser != waiting.bound(visitor.browser_hash, found.tx):
        raise needs.Stop(Page("already.html", {"outcome": "other_browser"}, status=403))
    if found.state != "pending":
        outcome = "refused" if found.state == "refused" else "shared"
        raise needs.Stop(Page("already.html", {"outcome": outcome, "service": service}, status=410))
    if found.expires <= wired.clock():
        raise needs.Stop(ending.expired(service))
    return Shown(wired, visitor, found, service, sender.network(request))


def act_request(facts: Shown, _now: int) -> Page:
    """GET: who asks, for what, since when and whence, beside the code."""
    told = facts.found.about(facts.wired.roots.ring("token"))
    context = {
        "action": f"{PATH}/{facts.found.tx}",
        "service": facts.service,
        "user_code": user_code.told(told["user_code"]),
        "binding_message": None,
        "asked_at": facts.found.asked,
        "expires_at": facts.found.expires,
        "origin": told["origin"],
        "same_network": told["origin"] == facts.address,
        "error": facts.error,
    }
    return Page("request.html", context, status=422 if facts.error else 200)


async def gather_press(request: Request) -> Shown:
    """POST: read the press."""
    form = await needs.form(request)
    shown = await gather_request(request)
    pressed = form.get("action", "")
    if pressed not in {"continue", "refuse", ""}:
        raise Wire("invalid_request", "the button is continue or refuse")
    return Shown(shown.wired, shown.visitor, shown.found, shown.service, shown.address, pressed, "choose")


def act_press(tx: Tx, facts: Shown, now: int) -> Answer:
    """POST: go on to signing in and deciding, or tell the device no; without a button the page comes again."""
    if not facts.pressed:
        return act_request(facts, now)
    found, wired = facts.found, facts.wired
    if facts.pressed == "continue":
        pushed.adopt(tx, found.request, found.tx, facts.visitor.browser_hash, pushed=found.asked, expires=found.expires)
        return Redirect(f"/i/{found.tx}/continue")
    return refusal.before_signing_in(tx, wired, facts.visitor, found, service=facts.service, now=now)
