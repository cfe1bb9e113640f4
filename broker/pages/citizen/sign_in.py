"""Sign-in, first step: username and password (`pages` §3; NIST SP 800-63B-4 §3.1.1, §3.2.2).

An attempt is counted and committed before the password is looked at; an unknown name costs what a known one costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import logout, needs, sender, throttle
from broker.answers import Answer, Page, Redirect
from broker.authorization import hints, journey, pushed
from broker.authorization import sign_in as sign_in_alone
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import known_browser
from broker.people import people
from broker.people.people import Person
from broker.sign_in import acr, password, session
from broker.throttle import Limit
from consent import intended_use
from keys import opaque

ADDRESS = Limit(hourly=600, burst=100)
ACCOUNT = Limit(hourly=30, burst=10)
FROM = Limit(hourly=12, burst=5)  # a name from one address: a single stranger cannot use up the name's own limit


@dataclass(frozen=True)
class Entrance:
    """Where somebody signs in: on their own, or on the way to a service (`public_id` of its pushed request).

    `username` is what the service believes they are called here (OpenID Connect Core §3.1.2.1 `login_hint`); `use` names
    what it wants: its client, the use and the version.
    """

    wired: needs.Parts
    visitor: needs.Visitor
    public_id: str | None
    service: dict[str, Any] | None
    username: str = ""
    use: tuple[str, str, int] | None = None

    def path(self, page: str) -> str:
        """The path of `sign-in`, `code` or `phone` here."""
        if self.public_id is not None:
            return f"/i/{self.public_id}/{page}"
        return "/sign-in" if page == "sign-in" else f"/sign-in/{page}"

    def onward(self) -> str:
        """Where a complete sign-in leads."""
        return "/account" if self.public_id is None else f"/i/{self.public_id}/continue"


@dataclass(frozen=True)
class Attempt:
    """A name and a password that were compared; `person` is None unless they fit."""

    entrance: Entrance
    username: str
    person: Person | None
    renewed: str | None
    buckets: tuple[tuple[str, bytes], ...]


def enter(request: Request) -> Entrance:
    """Say where this is; `invalid_request_uri` when the pushed request is not this browser's or has ended.

    Stops with the decision when somebody signed in has come so far before.
    """
    wired, visitor = needs.parts(request), needs.visitor(request)
    public_id = request.path_params.get("tx")
    if public_id is None:
        return Entrance(wired, visitor, None, None)
    with wired.database.read() as tx:
        claimed = needs.brought(request, public_id) or pushed.find(tx, public_id, visitor.browser_hash)
        begun = journey.get(tx, public_id)
    if begun is not None and visitor.session is not None and visitor.session.state == "full":
        raise needs.Stop(Redirect(f"/i/{public_id}/consent"))  # came back with the back button; nothing is begun anew
    if claimed is None:
        raise Wire("invalid_request_uri", "the request is unknown, used or too old")
    asked = claimed.request
    needs.ends_at(request, asked)
    named = asked.client_id, asked.data.use_id, asked.data.version
    service = intended_use.describe(sign_in_alone.use_of(wired.uses, wired.registry, *named), visitor.language)
    login = hints.of(claimed.request, wired.roots.ring("cookie")).login
    return Entrance(wired, visitor, public_id, service, login or "", named)


async def gather(request: Request) -> Entrance:
    """GET: find out for whom the page is."""
    return enter(request)


def act(entrance: Entrance, _now: int) -> Answer:
    """GET: show the form; somebody signed in who came on their own goes to their account."""
    live = entrance.visitor.session
    if entrance.public_id is None and live is not None and live.state == "full":
        return Redirect("/account")
    return form_page(entrance, username=entrance.username)


def form_page(entrance: Entrance, *, username: str = "", error: str | None = None, status: int = 200) -> Page:
    """The form; `error` one of the template's."""
    context = {
        "action": entrance.path("sign-in"),
        "phone_href": entrance.path("phone"),
        "service": entrance.service,
        "username": username,
        "error": error,
    }
    return Page("sign_in.html", context, status=status)


async def gather_password(request: Request) -> Attempt | Answer:
    """POST: count the attempt, then compare in a thread; no transaction is open meanwhile."""
    entrance = enter(request)
    given = await known_browser.form(request)
    if given is None:
        return form_page(entrance, error="stale_form", status=403)
    username, secret = given.get("username", "").strip(), given.get("password", "")
    if not username or not secret:
        return form_page(entrance, username=username, error="missing", status=422)
    roots, now = entrance.wired.roots, entrance.wired.clock()
    name = people.name_codes(roots, username)[0]
    address = sender.code(request)
    with entrance.wired.database.write() as tx:
        person = people.by_username(tx, roots, username)
        bucket = known_browser.bucket(request, "sign-in", person.person_id if person else "", name)
        here = ("sign-in-from", opaque.digest(address + bucket[1]))
        wait = (
            throttle.allow(tx, "sign-in-address", address, ADDRESS, now)
            or throttle.allow(tx, *here, FROM, now)
            or throttle.allow(tx, *bucket, ACCOUNT, now)
        )
    if wait is not None:
        return known_browser.too_many(form_page(entrance, username=username, error="too_many"), wait)
    stored = person.password_hash if person is not None and not person.disabled else None
    try:
        verdict = await password.verify(stored, secret, roots.ring("pepper"))
    except password.Busy as problem:
        raise Wire("temporarily_unavailable", "busy; try again", status=503, headers={"Retry-After": "1"}) from problem
    return Attempt(entrance, username, person if verdict.fits else None, verdict.renewed, (bucket, here))


def act_password(tx: Tx, attempt: Attempt, now: int) -> Answer:
    """POST: begin a session: half of one when a code is still to come, whole for a password alone.

    What was compared must still count: while it was, support or the person may have set something else.
    """
    entrance, compared = attempt.entrance, attempt.person
    person = None if compared is None else people.by_id(tx, compared.person_id)
    if person is None or compared is None or person.disabled or person.password_hash != compared.password_hash:
        return form_page(entrance, username=attempt.username, error="wrong", status=403)
    if attempt.renewed is not None:
        people.renew_password(tx, person.person_id, attempt.renewed)
    for bucket in attempt.buckets:
        throttle.clear(tx, *bucket)
    before = logout.replaced(tx, entrance.wired, entrance.visitor.session, person.person_id, now)
    alone, durations = person.totp_sealed is None, entrance.wired.durations
    cookie, _ = session.start(
        tx,
        person.person_id,
        state="full" if alone else "password",
        acr=acr.reached(person.proofing, one_time_code=False),
        amr=("pwd",),
        now=now,
        idle=durations.session_idle,
        longest=durations.session,
        before=before,
    )
    signed_in = (needs.set_cookie(entrance.wired, "semel", cookie, None), *logout.forgotten(entrance.wired, before))
    if not alone:
        return Redirect(entrance.path("code"), cookies=signed_in)
    known = known_browser.cookie(entrance.wired, entrance.visitor, person.person_id)
    return Redirect(entrance.onward(), cookies=(*signed_in, known))
