"""How a person's account is kept safe: what they sign in with, where they are signed in, and the way to end that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from broker import logout, needs, parameters
from broker.answers import Answer, Page, Redirect
from broker.database import Tx
from broker.people import activity, people
from broker.sign_in import session
from broker.sign_in.session import Session
from keys import base64url, opaque

PATH = "/account/security"
SECOND = 1_000_000  # microseconds
DONE = frozenset({"account", "password", "second_factor", "ended"})


@dataclass(frozen=True)
class Facts:
    """Who looks, with which session; the button pressed and the session it names; what was done just before."""

    wired: needs.Parts = field(repr=False)
    live: Session
    pressed: str = ""
    named: str = ""
    done: str | None = None
    stale: bool = False


async def gather(request: Request) -> Facts:
    """GET: find out whose account this is."""
    done = parameters.query(request).get("done", "")
    return Facts(needs.parts(request), needs.signed_in(request), done=done if done in DONE else None)


async def gather_end(request: Request) -> Facts:
    """POST: read which sessions are to end."""
    live, form = needs.signed_in(request), await needs.form(request)
    return Facts(needs.parts(request), live, form.get("action", ""), form.get("session", ""))


def show(tx: Tx, facts: Facts, now: int) -> Page:
    """Show what the person signs in with and where they are signed in."""
    wired, person = facts.wired, people.by_id(tx, facts.live.person_id)
    live = [one for one in session.of_person(tx, facts.live.person_id, now) if one.state == "full"]
    context = {
        "done": facts.done,
        "has_app": person is not None and person.has_app,
        "password_href": f"{PATH}/password",
        "app_href": f"{PATH}/app",
        "action": PATH,
        "sessions": [_told(one, facts.live, wired.durations.session_idle) for one in live],
    }
    return Page("security.html", context)


def end(tx: Tx, facts: Facts, now: int) -> Answer:
    """End one other session, or all others; what has ended already is only shown."""
    of, ended = facts.live.person_id, 0
    if facts.pressed == "end-others":
        ended = logout.end_all(tx, facts.wired, of, now, kept=facts.live)
    elif facts.pressed == "end-session":
        for one in session.of_person(tx, of, now):
            if handle(one) == facts.named and one.id_hash != facts.live.id_hash:
                ended += logout.end(tx, facts.wired, one, now)
    if ended:
        activity.record(tx, facts.wired.vault, of, {"type": "account.sessions_ended"}, now)
    return Redirect(f"{PATH}?done=ended" if ended else PATH)


def handle(one: Session) -> str:
    """Name a session in a form: it opens nothing."""
    return base64url.encode(opaque.digest(one.id_hash))[:22]


def _told(one: Session, own: Session, idle: int) -> dict[str, Any]:
    return {
        "handle": handle(one),
        "since": one.auth_time,
        "used": one.idle_until - idle * SECOND,
        "with_app": "otp" in one.amr,
        "this": one.id_hash == own.id_hash,
    }
