"""Sign-in, second step: the one-time code (RFC 6238); what comes before it is half a session and opens nothing."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import needs, throttle
from broker.answers import Answer, Page, Redirect
from broker.database import Tx
from broker.pages.citizen import known_browser, sign_in
from broker.pages.citizen.sign_in import Entrance
from broker.people import people
from broker.sign_in import acr, one_time_code, session
from broker.sign_in.session import Session
from broker.throttle import Limit

CODES = Limit(hourly=12, burst=5)


@dataclass(frozen=True)
class Attempt:
    """A code somebody half signed in has entered; the attempt is counted already."""

    entrance: Entrance
    half: Session
    code: str
    bucket: tuple[str, bytes]


async def gather(request: Request) -> Entrance:
    """GET: find out for whom the page is."""
    return sign_in.enter(request)


def act(entrance: Entrance, _now: int) -> Answer:
    """GET: show the form to somebody half signed in, the beginning to anybody else."""
    return _begin(entrance, 200) if _half(entrance) is None else form_page(entrance)


def _begin(entrance: Entrance, status: int) -> Answer:
    """Begin again: with a word about it where the sign-in was begun and ran out of time."""
    if entrance.lapsed:
        return sign_in.form_page(entrance, error="lapsed", status=status)
    return Redirect(entrance.path("sign-in"))


def form_page(entrance: Entrance, *, error: str | None = None, status: int = 200) -> Page:
    """The form; `error` one of the template's."""
    context = {
        "action": entrance.path("code"),
        "service": entrance.service,
        "decline_href": entrance.decline_href,
        "error": error,
    }
    return Page("one_time_code.html", context, status=status)


async def gather_code(request: Request) -> Attempt | Answer:
    """POST: count the attempt before the code is looked at."""
    entrance = sign_in.enter(request)
    given, half = await known_browser.form(request), _half(entrance)
    if half is None:
        return _begin(entrance, 403)
    if given is None:
        return form_page(entrance, error="stale_form", status=403)
    code = given.get("code", "")
    if not code.strip():
        return form_page(entrance, error="missing", status=422)
    bucket = known_browser.bucket(request, "code", half.person_id, half.person_id.encode())
    with entrance.wired.database.write() as tx:
        wait = throttle.allow(tx, *bucket, CODES, entrance.wired.clock())
    if wait is not None:
        return known_browser.too_many(form_page(entrance), wait)
    return Attempt(entrance, half, code, bucket)


def act_code(tx: Tx, attempt: Attempt, now: int) -> Answer:
    """POST: spend the code and replace the half session by a whole one, in one act."""
    entrance, wired = attempt.entrance, attempt.entrance.wired
    person = people.by_id(tx, attempt.half.person_id)
    if person is None:
        return Redirect(entrance.path("sign-in"))
    outcome = one_time_code.check(tx, wired.roots, person, attempt.code, now)
    if outcome != "accepted":
        return form_page(entrance, error=outcome, status=403)
    throttle.clear(tx, *attempt.bucket)
    completed = session.complete(
        tx,
        attempt.half,
        acr=acr.reached(person.proofing, one_time_code=True),
        amr=("pwd", "otp", "mfa"),
        now=now,
        idle=wired.durations.session_idle,
        longest=wired.durations.session,
    )
    if completed is None:
        return Redirect(entrance.path("sign-in"))
    signed_in = needs.set_cookie(wired, "semel", completed[0], None)
    known = known_browser.cookie(wired, entrance.visitor, person.person_id)
    return Redirect(entrance.onward(), cookies=(signed_in, known))


def _half(entrance: Entrance) -> Session | None:
    live = entrance.visitor.session
    return live if live is not None and live.state == "password" else None
