"""Signing out: asked on a page, done by a form, told on a page; sharing goes on (it is stopped in the account)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import logout, needs
from broker.answers import Answer, Page, Redirect
from broker.database import Tx
from broker.pages.citizen import known_browser
from broker.sign_in.session import Session


@dataclass(frozen=True)
class Leaving:
    """What somebody signed in has decided."""

    wired: needs.Parts
    live: Session
    frames: tuple[str, ...]


async def gather(request: Request) -> Session | None:
    """GET: who is it."""
    return needs.visitor(request).session


def act(live: Session | None, _now: int) -> Answer:
    """GET: ask; whoever is not signed in is told so."""
    return Redirect(logout.SIGNED_OUT) if live is None else Page("sign_out.html", {"action": "/sign-out"})


async def gather_decision(request: Request) -> Leaving | Answer:
    """POST: stay or go; a form that has aged asks again."""
    given, live = await known_browser.form(request), needs.visitor(request).session
    if live is None:
        return Redirect(logout.SIGNED_OUT)
    if given is None:
        return Redirect("/sign-out")
    if given.get("action") != "sign-out":
        return Redirect("/account")
    return Leaving(needs.parts(request), live, logout.frames(needs.parts(request), live))


def act_decision(tx: Tx, leaving: Leaving, now: int) -> Answer:
    """POST: end the session, tell the agencies it signed in to, and take its cookie away."""
    logout.end(tx, leaving.wired, leaving.live, now)
    return logout.gone(leaving.wired, leaving.frames, logout.SIGNED_OUT)


async def gather_signed_out(_request: Request) -> None:
    """GET: nothing to find out."""


def act_signed_out(_facts: None, _now: int) -> Answer:
    """GET: say that it is done."""
    return Page("signed_out.html", {"frames": (), "onward": None})
