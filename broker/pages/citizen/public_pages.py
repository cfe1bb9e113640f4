"""The pages and files that every public service has: help, privacy, contact and the like; what machines ask for (RFC 9116, RFC 9309)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from starlette.requests import Request

from broker import needs
from broker.answers import Page, Raw
from broker.database import Tx
from broker.evidence.breaker import Guarded
from broker.pages import render
from broker.pages.operator_texts import NAMES, OperatorTexts, PageName

SECOND = 1_000_000  # microseconds
GOOD_FOR = timedelta(days=180)  # RFC 9116 §2.5.5: less than a year
ROBOTS = "User-agent: *\n" + "".join(
    f"Disallow: {path}\n"
    for path in ("/account", "/authorize", "/device", "/i/", "/logout", "/sign-in", "/sign-out", "/x")
)
DAY = "public, max-age=86400"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": DAY,
}


@dataclass(frozen=True)
class Facts:
    """Which page is asked for, in which language, and what the operator says."""

    wired: needs.Parts
    texts: OperatorTexts
    name: PageName
    language: str


def gather(name: PageName) -> Callable[[Request], Awaitable[Facts]]:
    """Make what gathers one of these pages."""
    if name not in NAMES:
        raise ValueError(name)

    async def gathered(request: Request) -> Facts:
        language = needs.visitor(request).language
        return Facts(needs.parts(request), request.app.state.operator_texts, name, language)

    return gathered


def act(facts: Facts, _now: int) -> Page:
    """GET: the page, as the operator wrote it or as the product has it."""
    return Page("public.html", facts.texts.context(facts.name, facts.language))


def act_status(tx: Tx, facts: Facts, now: int) -> Page:
    """GET: what works at this moment: the database has just answered, and the registers that are left alone do not."""
    tx.execute(text("SELECT 1"))
    registers = [
        {"name": facts.wired.catalogue.register(name, facts.language), "answers": source.answers}
        for name, source in facts.wired.registers.by_id.items()
        if isinstance(source, Guarded) and name != "account"
    ]
    context = {**facts.texts.context("status", facts.language), "registers": registers, "at": now}
    return Page("public.html", context)


async def gather_security(request: Request) -> tuple[str, str]:
    """Say what stands before a path here, and where weaknesses are reported: the operator's place, else the contact page."""
    issuer = needs.parts(request).issuer
    return issuer, request.app.state.operator_texts.security or f"{issuer}/contact"


def act_security(facts: tuple[str, str], now: int) -> Raw:
    """GET: `security.txt` (RFC 9116). Its end is counted from now, so that it is never stale."""
    issuer, contact = facts
    ends = datetime.fromtimestamp(now // SECOND, UTC).replace(hour=0, minute=0, second=0) + GOOD_FOR
    lines = [
        f"Contact: {contact}",
        f"Expires: {ends:%Y-%m-%dT%H:%M:%SZ}",
        f"Preferred-Languages: {', '.join(needs.LANGUAGES)}",
        f"Canonical: {issuer}/.well-known/security.txt",
    ]
    return Raw("".join(f"{line}\n" for line in lines).encode(), "text/plain; charset=utf-8", headers=HEADERS)


async def gather_nothing(request: Request) -> None:
    """Need nothing."""
    del request


def act_robots(facts: None, _now: int) -> Raw:
    """GET: what search engines leave alone (RFC 9309)."""
    del facts
    return Raw(ROBOTS.encode(), "text/plain; charset=utf-8", headers=HEADERS)


def act_favicon(facts: None, _now: int) -> Raw:
    """GET: the mark, for browsers that ask for it without having read a page."""
    del facts
    name = render.statics()["mark.svg"].removeprefix("/static/")
    return Raw((render.STATIC / name).read_bytes(), "image/svg+xml", headers=HEADERS)
