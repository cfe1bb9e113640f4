"""Browsers that signed in before: attempts elsewhere do not count against them, so nobody can be locked out from afar.

A browser that completed a sign-in carries a code over itself and the person; its attempts have a count of their own, and a
stranger's attempts on the same name, however many, leave it untouched (NIST SP 800-63B-4 §3.2.2).
"""

from __future__ import annotations

import math
from dataclasses import replace

from starlette.requests import Request

from broker import needs
from broker.answers import Cookie, Page
from broker.errors import Wire
from broker.parameters import Parameters
from keys import opaque
from keys.errors import Mismatch

NAME = "semel-known"


def cookie(wired: needs.Parts, visitor: needs.Visitor, person_id: str) -> Cookie:
    """The cookie that a completed sign-in leaves; it signs nobody in."""
    return needs.set_cookie(wired, NAME, _code(wired, visitor, person_id).hex(), needs.BROWSER_SECONDS)


def bucket(request: Request, kind: str, person_id: str, name: bytes) -> tuple[str, bytes]:
    """Name what counts this attempt: the person at this browser when it is known, else `name`, whoever tries it."""
    wired, visitor = needs.parts(request), needs.visitor(request)
    held = needs.cookie(request, NAME)
    known = _code(wired, visitor, person_id)
    try:
        opaque.equal(known.hex(), held)
    except Mismatch:
        return f"{kind}-account", name
    return f"{kind}-known", known


def is_known(bucket: tuple[str, bytes]) -> bool:
    """Say whether a bucket is that of a known browser."""
    return bucket[0].endswith("-known")


async def form(request: Request) -> Parameters | None:
    """Read the form; None when its token belongs to an earlier session, so that the page can be shown again."""
    try:
        return await needs.form(request)
    except Wire as problem:
        if problem.refusal.code != "form_expired":
            raise
        return None


def too_many(page: Page, wait: int) -> Page:
    """The same page with how long to wait; `wait` in seconds."""
    context = {**page.context, "error": "too_many", "minutes": math.ceil(wait / 60)}
    return replace(page, context=context, status=429, headers={"Retry-After": str(wait)})


def _code(wired: needs.Parts, visitor: needs.Visitor, person_id: str) -> bytes:
    return wired.roots.ring("cookie").mac(b"semel/known/v1\x00" + visitor.browser_hash + person_id.encode())
