"""The page of an activation link: a person sets their password and their authenticator app (NIST SP 800-63B-4 §4.2).

Looking at the page uses nothing up, so a mail program that opens links ahead does no harm; the last form does, in one
statement. Whoever holds the link must also know the name that the person signs in with, which the link does not say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from starlette.requests import Request

from broker import logout, needs, throttle
from broker.answers import Answer, Page, Redirect
from broker.database import Tx
from broker.pages.citizen import credentials, known_browser
from broker.parameters import Parameters
from broker.people import activation, activity, people
from broker.people.activation import Activation
from broker.people.people import Person
from broker.sign_in import acr, authenticator, one_time_code, session
from broker.sign_in.authenticator import Setup

KIND, CODES = "activation", "activation-code"
NOTED = {
    "account": "account.activated",
    "password": "account.password_changed",
    "second_factor": "account.second_factor_changed",
}


@dataclass(frozen=True)
class Entrance:
    """An open link, whose it is, and the browser that opened it."""

    wired: needs.Parts
    visitor: needs.Visitor
    path: str
    link: Activation
    person: Person = field(repr=False)

    @property
    def bound(self) -> bytes:
        """What the form of the second page belongs to."""
        return authenticator.bound(self.link.token_hash, self.visitor.browser_hash)

    @property
    def asks_code(self) -> bool:
        """Whether the first page asks for a code of the app that the person has."""
        return self.link.purpose == "password" and self.person.totp_sealed is not None


@dataclass(frozen=True)
class Answered:
    """A complete answer: the hash of a new password, the app that is set up, the code that was entered.

    `again` is the page to show when the code is wrong, drawn before any transaction.
    """

    entrance: Entrance
    password_hash: str | None = field(repr=False)
    setup: Setup | None
    code: str = field(repr=False)
    again: Page


async def gather(request: Request) -> Entrance:
    """GET: find the link."""
    return _enter(request)


def act(entrance: Entrance, _now: int) -> Page:
    """GET: show the form; nothing is used up."""
    return form_page(entrance)


def form_page(
    entrance: Entrance, *, username: str = "", error: str | None = None, minutes: int | None = None, status: int = 200
) -> Page:
    """The first page; `error` one of the template's."""
    context = {
        "action": entrance.path,
        "purpose": entrance.link.purpose,
        "asks_code": entrance.asks_code,
        "alone": entrance.link.purpose == "password" and not entrance.asks_code,
        "username": username,
        "error": error,
        "minutes": minutes,
    }
    return Page("activate.html", context, status=status)


async def gather_answer(request: Request) -> Answered | Answer:
    """POST: count the attempt, then read the first page or the second one."""
    entrance = _enter(request)
    given = await known_browser.form(request)
    if given is None:
        return form_page(entrance, error="stale_form", status=403)
    kind = CODES if "setup" in given else KIND
    wait = credentials.count(request, kind, entrance.link.token_hash)
    if wait is not None:
        return known_browser.too_many(form_page(entrance), wait)
    if "setup" in given:
        return _second_page(entrance, given)
    return await _first_page(entrance, given)


def _second_page(entrance: Entrance, given: Parameters) -> Answered | Answer:
    wired = entrance.wired
    setup = authenticator.open_(wired.roots, given.get("setup", ""), entrance.bound, wired.clock())
    if setup is None:
        return form_page(entrance, error="stale_form", status=403)
    code = given.get("code", "").strip()
    if not code:
        return _app_page(entrance, setup, error="missing", status=422)
    again = _app_page(entrance, setup, error="wrong", status=403)
    return Answered(entrance, setup.password_hash, setup, code, again)


async def _first_page(entrance: Entrance, given: Parameters) -> Answered | Answer:
    wired, purpose = entrance.wired, entrance.link.purpose
    username, code = given.get("username", "").strip(), given.get("code", "").strip()
    if not username or (entrance.asks_code and not code):
        return form_page(entrance, username=username, error="missing", status=422)
    named = entrance.person.is_named(wired.roots, username)
    if purpose == "second_factor":
        return await _known_password(entrance, username, given.get("password", ""), named=named)
    chosen = given.get("new_password", "")
    why = credentials.misfit(chosen, (username,), alone=purpose == "password" and not entrance.asks_code)
    if not named or why is not None:
        error, status = ("wrong_name", 403) if not named else (f"password_{why}", 422)
        return form_page(entrance, username=username, error=error, status=status)
    stored = await credentials.hashed(wired, chosen)
    if purpose == "password":
        return Answered(entrance, stored, None, code, form_page(entrance, username=username))
    return _onward(entrance, authenticator.begin(username, stored))


async def _known_password(entrance: Entrance, username: str, present: str, *, named: bool) -> Page:
    """Lead on to the app only somebody who knows the present password; a wrong name costs what a right one costs."""
    if not present:
        return form_page(entrance, username=username, error="missing", status=422)
    stored = entrance.person.password_hash if named else people.UNSET
    if (await credentials.compare(entrance.wired, stored, present)).fits:
        return _onward(entrance, authenticator.begin(username))
    return form_page(entrance, username=username, error="wrong", status=403)


def _onward(entrance: Entrance, setup: Setup) -> Page:
    """Lead on to the second page; what was tried on the first counts no more."""
    with entrance.wired.database.write() as tx:
        throttle.clear(tx, KIND, entrance.link.token_hash)
    return _app_page(entrance, setup)


def act_answer(tx: Tx, answered: Answered, now: int) -> Answer:
    """POST: use the link up and store what was set; begin a session, the earlier ones end."""
    entrance, wired, setup = answered.entrance, answered.entrance.wired, answered.setup
    person = people.by_id(tx, entrance.person.person_id)
    if person is None or person.disabled:
        return _over("unknown")
    step = None
    if setup is not None:
        step = one_time_code.step_of(setup.secret, answered.code, now)
        if step is None:
            return answered.again
    elif entrance.asks_code:
        outcome = one_time_code.check(tx, wired.roots, person, answered.code, now)
        if outcome != "accepted":
            return replace(answered.again, context={**answered.again.context, "error": f"code_{outcome}"}, status=403)
    if not activation.spend(tx, entrance.link, now):
        return _over("used")
    if answered.password_hash is not None:
        people.renew_password(tx, person.person_id, answered.password_hash)
    if setup is not None and step is not None:
        people.set_second_factor(tx, wired.roots, person.person_id, setup.secret, step)
    activity.record(tx, wired.vault, person.person_id, {"type": NOTED[entrance.link.purpose]}, now)
    throttle.clear(tx, KIND, entrance.link.token_hash)
    return _signed_in(tx, entrance, person, now, one_time_code=setup is not None or entrance.asks_code)


def _signed_in(tx: Tx, entrance: Entrance, person: Person, now: int, *, one_time_code: bool) -> Redirect:
    wired, before = entrance.wired, entrance.visitor.session
    logout.end_all(tx, wired, person.person_id, now)
    if before is not None and before.person_id != person.person_id:
        logout.end(tx, wired, before, now)
    cookie, _ = session.start(
        tx,
        person.person_id,
        state="full",
        acr=acr.reached(person.proofing, one_time_code=one_time_code),
        amr=("pwd", "otp", "mfa") if one_time_code else ("pwd",),
        now=now,
        idle=wired.durations.session_idle,
        longest=wired.durations.session,
    )
    known = known_browser.cookie(wired, entrance.visitor, person.person_id)
    done = f"/account/security?done={entrance.link.purpose}"
    held = needs.set_cookie(wired, "semel", cookie, None)
    return Redirect(done, cookies=(held, known, *logout.forgotten(wired, None)))


def _app_page(entrance: Entrance, setup: Setup, *, error: str | None = None, status: int = 200) -> Page:
    return credentials.app_page(entrance.wired, setup, entrance.bound, action=entrance.path, error=error, status=status)


def _enter(request: Request) -> Entrance:
    """Find an open link and whose it is; stops with a page that says why it does not work."""
    wired, token = needs.parts(request), str(request.path_params["token"])
    with wired.database.read() as tx:
        link = activation.find(tx, token, wired.clock())
        person = None if link is None else people.by_id(tx, link.person_id)
    if link is None or person is None or person.disabled:
        raise needs.Stop(_over("unknown"))
    if link.state != "open":
        raise needs.Stop(_over(link.state))
    return Entrance(wired, needs.visitor(request), f"/activate/{token}", link, person)


def _over(outcome: str) -> Page:
    return Page("activation_over.html", {"outcome": outcome}, status=404 if outcome == "unknown" else 410)
