"""Signing in with a phone, on the phone: who asks, from where, and which number the other screen shows (BCP 247, pages §2.6).

Only somebody signed in here is asked (a code that was sent to them opens nothing), once, and the first answer is the last. A
wrong number ends it: whoever looks at another screen than the one that asks is being deceived.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import needs, sender, throttle
from broker.answers import Answer, Page, Redirect
from broker.authorization import sign_in as sign_in_alone
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import known_browser
from broker.people import activity
from broker.sign_in import handover, user_code
from broker.sign_in.handover import Handover
from broker.sign_in.session import Session
from broker.throttle import Limit
from consent import intended_use

PATH = "/x"
ADDRESS = Limit(hourly=120, burst=20)  # codes typed from one network: of 20^8, in the three minutes a code lives
PERSON = Limit(hourly=60, burst=10)


@dataclass(frozen=True)
class Asked:
    """Somebody signed in, and what the code they opened asks of them; `pressed` and `chosen` are their answer."""

    wired: needs.Parts
    visitor: needs.Visitor
    session: Session
    code: str
    found: Handover
    about: dict[str, Any]
    address: str
    pressed: str = ""
    chosen: str = ""


@dataclass(frozen=True)
class Typed:
    """Letters somebody typed, counted."""

    wired: needs.Parts
    typed: str
    letters: str


async def gather(_request: Request) -> Page:
    """GET: the form for people who cannot scan."""
    return form_page()


def act(page: Page, _now: int) -> Page:
    """GET: show it."""
    return page


def form_page(typed: str = "", *, error: str | None = None, status: int = 200, wait: int = 0) -> Page:
    """The form; `error` one of the template's, `wait` in seconds."""
    context = {"action": PATH, "typed": typed, "error": error, "minutes": math.ceil(wait / 60) or None}
    return Page("phone_code.html", context, status=status, headers={"Retry-After": str(wait)} if wait else {})


async def gather_letters(request: Request) -> Typed | Answer:
    """POST: count the attempt, by network and by person, before the letters are looked at."""
    wired, live = needs.parts(request), needs.visitor(request).session
    given = await known_browser.form(request)
    if given is None:
        return form_page(error="stale_form", status=403)
    if live is None or live.state != "full":
        return _answered("sign_in_first", 403)
    typed = given.get("typed", "").strip()[: user_code.MAX_TYPED]
    if not typed:
        return form_page(error="missing", status=422)
    now, networks = wired.clock(), sender.codes(request)
    with wired.database.write() as tx:
        wait = throttle.allow_network(tx, "phone-code-address", networks, ADDRESS, now) or throttle.allow(
            tx, "phone-code", live.person_id.encode(), PERSON, now
        )
    if wait is not None:
        return form_page(typed, error="too_many", status=429, wait=wait)
    letters = user_code.read(typed)
    return form_page(typed, error="wrong", status=403) if letters is None else Typed(wired, typed, letters)


def act_letters(tx: Tx, facts: Typed, now: int) -> Answer:
    """POST: go where the picture leads; wrong, late and answered look alike."""
    found = handover.by_typed(tx, facts.wired.roots, facts.letters, now)
    if found is None or found.state != "shown":
        return form_page(facts.typed, error="wrong", status=403)
    return Redirect(f"{PATH}/{found.about(facts.wired.roots)['code']}")


async def gather_code(request: Request) -> Asked | Answer:
    """GET: who asks; without a session the page says to sign in first, and nothing else."""
    return _asked(request)


def act_code(asked: Asked, _now: int) -> Page:
    """GET: show it."""
    return _question(asked)


async def gather_answer(request: Request) -> Asked | Answer:
    """POST: read the answer."""
    given = await needs.form(request)
    asked = _asked(request, pressed=given.get("action", ""), chosen=given.get("number", ""))
    if isinstance(asked, Asked) and asked.pressed not in {"continue", "refuse", ""}:
        raise Wire("invalid_request", "the button is continue or refuse")
    return asked


def act_answer(tx: Tx, asked: Asked, now: int) -> Answer:
    """POST: let the other screen in, or refuse it; without a button or a number the page comes again."""
    if not asked.pressed or (asked.pressed == "continue" and not asked.chosen):
        return _question(asked, error="choose")
    if asked.pressed == "refuse":
        return _answered("refused" if handover.decline(tx, asked.found, now) else "over")
    if asked.chosen != str(asked.about["number"]):
        return _answered("mismatch" if handover.decline(tx, asked.found, now) else "over", 403)
    if not handover.approve(tx, asked.found, asked.session, now):
        return _answered("over", 410)
    activity.record(tx, asked.wired.vault, asked.session.person_id, {"type": "sign_in.handed_over"}, now)
    return _answered("approved")


def _asked(request: Request, **answer: str) -> Asked | Answer:
    wired, visitor = needs.parts(request), needs.visitor(request)
    live, code = visitor.session, request.path_params["code"]
    if live is None or live.state != "full":
        return _answered("sign_in_first", 403)
    with wired.database.read() as tx:
        found = handover.by_code(tx, code, wired.clock())
    if found is None or found.state != "shown":
        return _answered("over", 410)
    return Asked(wired, visitor, live, code, found, dict(found.about(wired.roots)), sender.network(request), **answer)


def _question(asked: Asked, *, error: str | None = None) -> Page:
    about, use = asked.about, asked.about["use"]
    context = {
        "action": f"{PATH}/{asked.code}",
        "service": use
        and intended_use.describe(
            sign_in_alone.use_of(asked.wired.uses, asked.wired.registry, *use), asked.visitor.language
        ),
        "screen": about["screen"],
        "asked_at": about["asked"],
        "expires_at": asked.found.expires,
        "origin": about["origin"],
        "same_network": about["origin"] == asked.address,
        "choices": list(handover.choices(asked.code, about["number"])),
        "error": error,
    }
    return Page("phone_confirm.html", context, status=422 if error else 200)


def _answered(outcome: str, status: int = 200) -> Page:
    return Page("phone_answered.html", {"outcome": outcome}, status=status)
