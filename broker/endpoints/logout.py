"""The logout endpoint: an agency asks, the person decides, and goes back (OpenID Connect RP-Initiated Logout 1.0 §2, §3).

Nobody is signed out without a press of their own, so a foreign page's link or form achieves nothing but the question. A form
from another site comes without our cookies (SameSite=Lax): it is answered 303 to the question. What the agency sent, the ID token
above all, does not stay in an address: the question's own address carries what is needed, sealed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from broker import logout, needs, parameters
from broker.answers import Answer, Page, Redirect
from broker.authorization import logout_request
from broker.authorization.logout_request import LogoutRequest
from broker.clients import web_address
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Malformed, Wire
from broker.parameters import Parameters
from broker.sign_in.session import Session

PATH = "/logout"
DECISION = "/logout/decision"
SEALED = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
MAX_SEALED = parameters.MAX_BODY - 100  # characters: it comes back in the query of an address


@dataclass(frozen=True)
class Facts:
    """Who is asked, by whom; `sealed` is the request as its address carries it, empty for one that says nothing."""

    wired: needs.Parts
    visitor: needs.Visitor
    asked: LogoutRequest
    client: Client | None
    sealed: str
    language: str | None


async def gather(request: Request) -> Facts | Answer:
    """GET: an agency's request is checked and put away; what is then asked has an address of its own."""
    given = parameters.query(request)
    if "logout_request" in given:
        return _facts(request, _kept(given))
    return _put_away(request, given)


async def gather_post(request: Request) -> Facts | Answer:
    """POST: the same, from an agency's form."""
    return _put_away(request, await parameters.read(request))


def act(facts: Facts, _now: int) -> Answer:
    """Ask whoever is signed in; anyone else goes on."""
    if facts.visitor.session is None:
        return Redirect(facts.asked.location or logout.SIGNED_OUT)
    language = facts.language or facts.visitor.language
    redirect_uri = facts.asked.redirect_uri
    return Page(
        "logout.html",
        {
            "action": f"{DECISION}?logout_request={facts.sealed}",
            "agency": None if facts.client is None else facts.client.name(language),
            "back": redirect_uri is not None,
        },
        form_action=None if redirect_uri is None else web_address.policy_source(redirect_uri),
        language=language,
    )


@dataclass(frozen=True)
class Decided:
    """A press of Sign out, in a session if there still is one."""

    wired: needs.Parts
    live: Session | None
    location: str
    frames: tuple[str, ...]


async def gather_decision(request: Request) -> Decided | Answer:
    """POST of our own form: stay or go; a form that has aged asks again."""
    wired, sealed = needs.parts(request), _kept(parameters.query(request))
    try:
        given = await needs.form(request)
    except Wire as problem:
        if problem.refusal.code != "form_expired":
            raise
        return Redirect(f"{PATH}?logout_request={sealed}")
    if given.get("action") != "sign-out":
        return Redirect("/account")
    asked = logout_request.open_(sealed, wired.roots.ring("cookie"), wired.registry.active, wired.clock())
    live = needs.visitor(request).session
    return Decided(wired, live, asked.location or logout.SIGNED_OUT, logout.frames(wired, live))


def act_decision(tx: Tx, decided: Decided, now: int) -> Answer:
    """End the session, tell the agencies it signed in to, and go where the one that asked wants the browser."""
    if decided.live is not None:
        logout.end(tx, decided.wired, decided.live, now)
    return logout.gone(decided.wired, decided.frames, decided.location)


def _kept(given: Parameters) -> str:
    """The request that an address of ours carries; empty for what cannot be one, since it goes back into an address."""
    sealed = given.get("logout_request", "")
    return sealed if SEALED.fullmatch(sealed) else ""


def _put_away(request: Request, given: Parameters) -> Facts | Answer:
    wired, now = needs.parts(request), needs.parts(request).clock()
    asked = logout_request.read(
        given,
        wired.registry.active,
        keys=wired.keyring.verification_keys("token"),
        issuer=wired.issuer,
        now=now,
    )
    if asked == LogoutRequest() and request.method == "GET":
        return _facts(request, "")
    sealed = logout_request.seal(asked, wired.roots.ring("cookie"), now)
    if len(sealed) > MAX_SEALED:
        raise Malformed("the request is too long for an address", status=414)
    return Redirect(f"{PATH}?logout_request={sealed}", headers={"Referrer-Policy": "no-referrer"})


def _facts(request: Request, sealed: str) -> Facts:
    wired, seen = needs.parts(request), needs.visitor(request)
    asked = logout_request.open_(sealed, wired.roots.ring("cookie"), wired.registry.active, wired.clock())
    client = None if asked.client_id is None else wired.registry.active(asked.client_id)
    return Facts(wired, seen, asked, client, sealed, _spoken(request, asked))


def _spoken(request: Request, asked: LogoutRequest) -> str | None:
    """The first language of the agency's page that we speak (`ui_locales`); None where the person chose one here."""
    if request.query_params.get("lang") or needs.cookie(request, "semel-lang"):
        return None
    tags = (one.lower().split("-")[0] for one in asked.ui_locales)
    return next((tag for tag in tags if tag in needs.LANGUAGES), None)
