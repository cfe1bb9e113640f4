"""The frame that an agency's page asks whether somebody is still signed in (OpenID Connect Session Management 1.0 §3.2).

The only page of ours that may be framed. It shows nothing, takes nothing, and says one of three words to the page that asks;
it is there only where the operator asked for it.
"""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.errors import Wire
from broker.pages import render
from broker.sign_in import browser_state

POLICY = "default-src 'none'; script-src 'self'; frame-ancestors https:; base-uri 'none'; form-action 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


async def gather(request: Request) -> str:
    """Name the cookie the script reads; 404 where there is no session management."""
    wired = needs.parts(request)
    if "session_management" not in wired.legacy:
        raise Wire("not_found", status=404)
    return needs.cookie_name(wired.secure, browser_state.NAME)


def act(cookie: str, _now: int) -> Raw:
    """Give the frame."""
    address = render.statics()["check-session.js"]
    script = f'<script type="module" src="{address}" data-cookie="{cookie}"></script>'
    page = f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Session</title>{script}</html>"
    return Raw(page.encode(), "text/html", headers=HEADERS)
