"""A problem's page at an address of its own, where the address it arose at tells of a person (OpenID Connect RP-Initiated Logout 1.0 §2).

An ID token or a login name in a refused address would stay in the browser's history, and go on as a referrer within our pages.
What the page shows travels sealed, so that nobody else can put words on a page of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Answer, Page, Redirect
from broker.errors import Wire
from keys import base64url, canonical
from keys import errors as keys_errors

PATH = "/problem"
ABOUT_PEOPLE = frozenset({"id_token_hint", "login_hint", "logout_hint"})
KEPT = 3600 * 1_000_000  # microseconds
_BELONGS = b"semel/problem/v1"


def moved(request: Request, page: Page) -> Answer:
    """Return the page itself, or the way to it where the address at which it arose tells of a person."""
    names = {name for name, _ in parse_qsl(request.url.query, keep_blank_values=True)}
    if request.method != "GET" or not names & ABOUT_PEOPLE:
        return page
    wired = needs.parts(request)
    shown = {"template": page.template, "context": dict(page.context), "status": page.status}
    sealed = wired.roots.ring("cookie").seal(canonical.dumps({**shown, "until": wired.clock() + KEPT}), _BELONGS)
    headers = {**page.headers, "Referrer-Policy": "no-referrer"}
    return Redirect(f"{PATH}?about={base64url.encode(sealed)}", headers=headers)


@dataclass(frozen=True)
class Facts:
    """The page to show."""

    page: Page


async def gather(request: Request) -> Facts:
    """Open what the address carries; raises `Wire` `not_found` (404) for what is not ours or too old."""
    wired = needs.parts(request)
    try:
        about = base64url.decode(parameters.query(request).get("about", ""))
        shown = canonical.loads(wired.roots.ring("cookie").open(about, _BELONGS))
    except keys_errors.KeysError as problem:
        raise Wire("not_found", status=404) from problem
    if shown["until"] <= wired.clock():
        raise Wire("not_found", status=404)
    return Facts(Page(shown["template"], shown["context"], status=shown["status"]))


def act(facts: Facts, _now: int) -> Page:
    """Show it."""
    return facts.page
