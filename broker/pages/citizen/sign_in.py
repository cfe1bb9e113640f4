"""Sign-in, first step: username and password (`pages` §3; NIST SP 800-63B-4 §3.1.1, §3.2.2).

An attempt is counted and committed before the password is looked at; an unknown name costs what a known one costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import logout, needs, outcome, sender
from broker.answers import Answer, Page, Redirect
from broker.authorization import hints, journey, pushed, session_check
from broker.authorization import sign_in as sign_in_alone
from broker.authorization.journey import Journey
from broker.authorization.pushed import PushedRequest
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import already, client_logo, known_browser
from broker.people import people
from broker.people.people import Person
from broker.sign_in import acr, attempts, password, session
from broker.sign_in.attempts import Counted
from broker.sign_in.session import Session
from consent import intended_use

SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Entrance:
    """Where somebody signs in: on their own, or on the way to a service (`public_id` of its pushed request).

    `username` is what the service believes they are called here (OpenID Connect Core §3.1.2.1 `login_hint`); `use` names
    what it wants: its client, the use and the version; `until` (microseconds) the sign-in may take. `lapsed`: the browser
    still has the cookie of a session that is over. `cause`: why somebody who is signed in already must sign in again.
    """

    wired: needs.Parts
    visitor: needs.Visitor
    public_id: str | None
    service: dict[str, Any] | None
    username: str = ""
    use: tuple[str, str, int] | None = None
    until: int | None = None
    lapsed: bool = False
    cause: session_check.Cause = "half"

    @property
    def terms(self) -> dict[str, str]:
        """The service's own pages about what it does with what it gets (RFC 7591 §2): `policy` and `tos`, as far as registered."""
        client = None if self.use is None else self.wired.registry.get(self.use[0])
        if client is None:
            return {}
        pages = {"policy": client.policy_uri, "tos": client.tos_uri}
        spoken = {name: client.wordings.get(f"{name}_uri#{self.visitor.language}", uri) for name, uri in pages.items()}
        return {name: uri for name, uri in spoken.items() if uri is not None}

    @property
    def decline_href(self) -> str | None:
        """Where the no of somebody goes who does not want to sign in to the service at all."""
        return None if self.public_id is None else self.path("decline")

    def path(self, page: str) -> str:
        """The path of `sign-in`, `code` or `phone` here."""
        if self.public_id is not None:
            return f"/i/{self.public_id}/{page}"
        return "/sign-in" if page == "sign-in" else f"/sign-in/{page}"

    def onward(self) -> str:
        """Where a complete sign-in leads."""
        return "/account" if self.public_id is None else f"/i/{self.public_id}/continue"


@dataclass(frozen=True)
class Interaction:
    """A browser on the way to a service: its request while that is open, and the journey once it was begun."""

    wired: needs.Parts
    visitor: needs.Visitor
    public_id: str
    claimed: PushedRequest | None
    begun: Journey | None

    @property
    def service(self) -> dict[str, Any] | None:
        """Who asks, as pages name them; None when there is nothing to be asked any more."""
        asked = self.claimed.request if self.claimed is not None else None
        if asked is None:
            return None
        named = asked.client_id, asked.data.use_id, asked.data.version
        use = sign_in_alone.use_of(self.wired.uses, self.wired.registry, *named, redirect_uri=asked.redirect_uri)
        logo = client_logo.href(self.wired, self.wired.registry.active(asked.client_id))
        return {**intended_use.describe(use, self.visitor.language), "logo": logo}

    @property
    def until(self) -> int:
        """Until when somebody may sign in for it; in microseconds."""
        begun = 0 if self.claimed is None else self.claimed.pushed_at
        return begun + 2 * self.wired.durations.journey * SECOND

    def path(self, page: str) -> str:
        """The path of one of its pages."""
        return f"/i/{self.public_id}/{page}"

    def lacking(self, live: Session) -> session_check.Lack | None:
        """Name what a session lacks for the request, and why (`session_check`)."""
        if self.claimed is None:
            return None
        with self.wired.database.read() as tx:
            return outcome.lacking(tx, self.wired, self.claimed, live, self.wired.clock())


@dataclass(frozen=True)
class Attempt:
    """A name and a password that were compared; `person` is None unless they fit."""

    entrance: Entrance
    username: str
    person: Person | None
    renewed: str | None
    counted: Counted


def interaction(request: Request) -> Interaction:
    """Find what this browser is on its way to, before or after it was begun; `no_cookies` for a browser without any."""
    wired, visitor, public_id = needs.parts(request), needs.visitor(request), request.path_params["tx"]
    needs.recognised(request)
    with wired.database.read() as tx:
        claimed = needs.brought(request, public_id) or pushed.find(tx, public_id, visitor.browser_hash)
        begun = journey.get(tx, public_id)
    if claimed is not None:
        needs.ends_at(request, claimed.request)
    return Interaction(wired, visitor, public_id, claimed, begun)


def enter(request: Request) -> Entrance:
    """Say where this is; `invalid_request_uri` when the request is not this browser's or has ended.

    Stops with the way on when a session suffices, from whatever tab it comes, or the decision was reached before.
    """
    lapsed = needs.visitor(request).session is None and needs.cookie(request, "semel") != ""
    if "tx" not in request.path_params:
        return Entrance(needs.parts(request), needs.visitor(request), None, None, lapsed=lapsed)
    here = interaction(request)
    wired, visitor, live = here.wired, here.visitor, here.visitor.session
    half = live is not None and live.state == "password"
    if here.begun is not None and not half:
        raise needs.Stop(Redirect(here.path("consent")))  # its own page says what is next
    if here.claimed is None:
        raise Wire("invalid_request_uri", "the request is unknown, used or too old")
    if here.until <= wired.clock():
        raise needs.Stop(already.bare("expired", 410))
    lacks: session_check.Lack | None = ("", "half") if live is None or half else here.lacking(live)
    if lacks is None or lacks[0]:
        raise needs.Stop(Redirect(here.path("continue")))  # signed in meanwhile, in another tab
    asked = here.claimed.request
    named = asked.client_id, asked.data.use_id, asked.data.version
    login = hints.of(asked, wired.roots.ring("cookie")).login
    return Entrance(wired, visitor, here.public_id, here.service, login or "", named, here.until, lapsed, lacks[1])


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
        "until": entrance.until,
        "terms": entrance.terms,
        "decline_href": entrance.decline_href,
        "again": None if entrance.cause == "half" else entrance.cause,
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
    with entrance.wired.database.write() as tx:
        person = people.by_username(tx, roots, username)
        bucket = known_browser.bucket(request, "sign-in", person.person_id if person else "", name)
        known = known_browser.is_known(bucket)
        wait, counted = attempts.count(tx, bucket, sender.codes(request), now, known=known)
    if wait is not None:
        return known_browser.too_many(form_page(entrance, username=username, error="too_many"), wait)
    stored = person.password_hash if person is not None and not person.disabled else None
    try:
        verdict = await password.verify(stored, secret, roots.ring("pepper"))
    except password.Busy as problem:
        raise Wire("temporarily_unavailable", "busy; try again", status=503, headers={"Retry-After": "1"}) from problem
    return Attempt(entrance, username, person if verdict.fits else None, verdict.renewed, counted)


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
    attempts.forget(tx, attempt.counted)
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
