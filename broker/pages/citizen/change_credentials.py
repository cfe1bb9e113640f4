"""A person changes their password or their authenticator app, proving first that they know the present one (NIST SP 800-63B-4 §4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from broker import logout, needs, throttle
from broker.answers import Answer, Page, Redirect
from broker.database import Tx
from broker.pages.citizen import credentials, known_browser
from broker.pages.citizen.security import PATH
from broker.parameters import Parameters
from broker.people import activity, people
from broker.people.people import Person
from broker.sign_in import authenticator, one_time_code
from broker.sign_in.authenticator import Setup
from broker.sign_in.session import Session


@dataclass(frozen=True)
class Account:
    """Who is signed in, and the row they sign in with."""

    wired: needs.Parts = field(repr=False)
    live: Session
    person: Person = field(repr=False)
    name: str = field(repr=False)

    @property
    def bound(self) -> bytes:
        """What the form of the app's second page belongs to."""
        return authenticator.bound(self.live.id_hash, self.person.person_id)


@dataclass(frozen=True)
class Change:
    """A password that was compared, and what is to be stored; or the app that is set up, with a code of it.

    `next` is the page that shows a new app's secret, or shows it again; drawn before any transaction.
    """

    account: Account
    password_hash: str | None = field(default=None, repr=False)
    setup: Setup | None = None
    code: str = field(default="", repr=False)
    next: Page | None = None


async def gather(request: Request) -> Account:
    """GET: find out whose account this is."""
    return _account(request)


def show_password(account: Account, _now: int) -> Page:
    """GET: ask for the present password and the new one."""
    return password_page(account)


def show_app(account: Account, _now: int) -> Page:
    """GET: ask for the present password, and for a code of the present app if there is one."""
    return begin_page(account)


def password_page(account: Account, *, error: str | None = None, status: int = 200) -> Page:
    """The form for another password; `error` one of the template's."""
    context = {"action": f"{PATH}/password", "back_href": PATH, "alone": not account.person.has_app, "error": error}
    return Page("change_password.html", context, status=status)


def begin_page(account: Account, *, error: str | None = None, status: int = 200) -> Page:
    """The form before an app is set up; `error` one of the template's."""
    context = {"action": f"{PATH}/app", "back_href": PATH, "has_app": account.person.has_app, "error": error}
    return Page("change_app.html", context, status=status)


async def gather_password(request: Request) -> Change | Answer:
    """POST: count the attempt, compare the present password, judge the new one."""
    account = _account(request)
    given = await known_browser.form(request)
    if given is None:
        return password_page(account, error="stale_form", status=403)
    wait = credentials.count(request, credentials.KIND, account.person.person_id.encode())
    if wait is not None:
        return known_browser.too_many(password_page(account), wait)
    present, chosen = given.get("password", ""), given.get("new_password", "")
    if not present:
        return password_page(account, error="missing", status=422)
    if not (await credentials.compare(account.wired, account.person.password_hash, present)).fits:
        return password_page(account, error="wrong", status=403)
    why = credentials.misfit(chosen, (account.name,), alone=not account.person.has_app)
    if why is None and account.person.is_named(account.wired.roots, chosen):
        why = "context"
    if why is not None:
        return password_page(account, error=f"password_{why}", status=422)
    return Change(account, await credentials.hashed(account.wired, chosen))


def act_password(tx: Tx, change: Change, now: int) -> Answer:
    """POST: store the new password and end every other session."""
    if not _same(tx, change.account) or change.password_hash is None:
        return password_page(change.account, error="wrong", status=403)
    people.renew_password(tx, change.account.person.person_id, change.password_hash)
    return _done(tx, change.account, "password", now)


async def gather_app(request: Request) -> Change | Answer:
    """POST: read the first page, where the present password is compared, or the second one."""
    account = _account(request)
    given = await known_browser.form(request)
    if given is None:
        return begin_page(account, error="stale_form", status=403)
    wait = credentials.count(request, credentials.KIND, account.person.person_id.encode())
    if wait is not None:
        return known_browser.too_many(begin_page(account), wait)
    if "setup" in given:
        return _second_page(account, given)
    present, code = given.get("password", ""), given.get("code", "").strip()
    if not present or (account.person.has_app and not code):
        return begin_page(account, error="missing", status=422)
    if not (await credentials.compare(account.wired, account.person.password_hash, present)).fits:
        return begin_page(account, error="wrong", status=403)
    return Change(account, code=code, next=_app_page(account, authenticator.begin(account.name)))


def _second_page(account: Account, given: Parameters) -> Change | Answer:
    setup = authenticator.open_(account.wired.roots, given.get("setup", ""), account.bound, account.wired.clock())
    if setup is None:
        return begin_page(account, error="stale_form", status=403)
    code = given.get("code", "").strip()
    if not code:
        return _app_page(account, setup, error="missing", status=422)
    return Change(account, setup=setup, code=code, next=_app_page(account, setup, error="wrong", status=403))


def act_app(tx: Tx, change: Change, now: int) -> Answer:
    """POST: after the first page show a new secret; after the second store it, once its first code is right."""
    account, setup = change.account, change.setup
    if not _same(tx, account) or change.next is None:
        return begin_page(account, error="wrong", status=403)
    if setup is None:
        if account.person.has_app:
            outcome = one_time_code.check(tx, account.wired.roots, account.person, change.code, now)
            if outcome != "accepted":
                return begin_page(account, error=f"code_{outcome}", status=403)
        throttle.clear(tx, credentials.KIND, account.person.person_id.encode())
        return change.next
    step = one_time_code.step_of(setup.secret, change.code, now)
    if step is None:
        return change.next
    people.set_second_factor(tx, account.wired.roots, account.person.person_id, setup.secret, step)
    return _done(tx, account, "second_factor", now)


def _done(tx: Tx, account: Account, what: str, now: int) -> Redirect:
    """Note what was changed, and end whatever else is signed in."""
    of = account.person.person_id
    logout.end_all(tx, account.wired, of, now, kept=account.live)
    activity.record(tx, account.wired.vault, of, {"type": f"account.{what}_changed"}, now)
    throttle.clear(tx, credentials.KIND, of.encode())
    return Redirect(f"{PATH}?done={what}")


def _same(tx: Tx, account: Account) -> bool:
    """Whether the password that was compared is still the person's: support may have reset it meanwhile."""
    person = people.by_id(tx, account.person.person_id)
    return person is not None and person.password_hash == account.person.password_hash


def _app_page(account: Account, setup: Setup, *, error: str | None = None, status: int = 200) -> Page:
    action = f"{PATH}/app"
    return credentials.app_page(
        account.wired, setup, account.bound, action=action, back_href=PATH, error=error, status=status
    )


def _account(request: Request) -> Account:
    wired, live = needs.parts(request), needs.signed_in(request)
    with wired.database.read() as tx:
        person = people.by_id(tx, live.person_id)
        name = people.profile(tx, wired.vault, live.person_id).display_name
    if person is None or person.disabled:
        raise needs.Stop(Redirect("/sign-in"))
    return Account(wired, live, person, name)
