"""Every way an interaction can end, in Chromium under our own policy: the first visit, the next in the same browser, and in a fresh one.

A browser follows the redirects of a form's answer only as far as the page's `form-action` lets it. So what counts is where the browser
is in the end, with scripts and without. The agency is played by the test; its address is the demo's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Request
from sqlalchemy.engine import make_url

from examples.browse import Element, Page
from tests.actors import Agency, Citizen
from tests.browser.window import Window
from tests.world import World

FIRST, SAME, FRESH = "first", "same browser", "fresh browser"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SIGN_IN: dict[str, str | None] = {"scope": "openid", "acr_values": None}
SOMEBODY_ELSE = json.dumps({"id_token": {"sub": {"value": "somebody-else"}}})


@dataclass
class Visit:
    """One visit of a person to an agency in a window; `phone` is where they are signed in besides, if anywhere."""

    seen: Window
    world: World
    agency: Agency
    person: Citizen
    which: str
    posted: list[str] = field(default_factory=list)
    phone: Window | None = None

    def asks(self, **changed: str | None) -> None:
        """Arrive from the agency with a request."""
        self.seen.open(self.agency.asks(**changed))

    def shows(self, form: str) -> bool:
        return self.seen.find(f"form#{form}").count() == 1

    def enters(self) -> None:
        """Sign in where a form asks for it."""
        if self.shows("sign-in"):
            person = self.person.person
            self.seen.press("sign-in", "sign-in", username=person["username"], password=person["password"])
        if self.shows("one-time-code"):
            self.seen.press("one-time-code", "continue", code=self.person.codes.code())

    def shares(self) -> None:
        self.seen.press("consent", "share")
        if self.shows("done"):
            self.seen.press("done", "continue")

    def goes_back(self, reason: str) -> None:
        """Read why nothing can be shared, and press the button that leads back."""
        assert self.seen.find("#not-possible").get_attribute("data-reason") == reason
        self.seen.press("not-possible-back", "continue")

    def told(self) -> dict[str, str]:
        """What the browser brings to the agency; it must be there."""
        url = self.seen.page.url
        assert url.split("?")[0] == self.agency.callback, f"the browser stayed at {url}"
        query = urlsplit(url).query or (self.posted[-1] if self.posted else "")
        back = Page(f"{self.agency.callback}?{query}", 200, Element("page", {}))
        return self.agency.receives(back)

    def code(self) -> dict[str, Any]:
        """The token response for the code that the browser brings."""
        answer = self.agency.redeem(self.told()["code"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def error(self, code: str) -> None:
        assert self.told()["error"] == code


def shared_with_a_receipt(visit: Visit) -> None:
    visit.asks(prompt="consent")
    visit.enters()
    visit.shares()
    visit.code()


def shared_with_a_direct_return(visit: Visit) -> None:
    visit.asks(**SIGN_IN, prompt="consent")
    visit.enters()
    visit.seen.press("consent", "share")
    visit.code()


def a_live_permission(visit: Visit, **changed: str | None) -> None:
    """Asked at the first visit; from then on signing in leads straight to the agency."""
    visit.asks(**changed)
    visit.enters()
    assert visit.shows("consent") is (visit.which == FIRST)
    if visit.which == FIRST:
        visit.shares()
    visit.code()


def a_sign_in_alone(visit: Visit) -> None:
    a_live_permission(visit, **SIGN_IN)


def sent_as_a_form(visit: Visit) -> None:
    """OAuth 2.0 Form Post Response Mode: the last page has a form that ends at the agency."""
    visit.seen.page.on("request", lambda request: visit.posted.extend(_posted(request, visit.agency.callback)))
    visit.asks(response_mode="form_post", prompt="consent")
    visit.enters()
    visit.seen.press("consent", "share")
    visit.seen.find("form#done button").click()
    if not visit.seen.script:
        visit.seen.find("form#form-post button").click()
    visit.seen.page.wait_for_url(visit.agency.callback)
    visit.code()


def _posted(request: Request, to: str) -> Iterator[str]:
    if request.method == "POST" and request.url == to:
        yield request.post_data or ""


def refused(visit: Visit) -> None:
    visit.asks()
    visit.enters()
    visit.seen.press("consent", "refuse")
    visit.error("access_denied")


def declined_before_signing_in(visit: Visit) -> None:
    visit.asks(prompt="login")
    visit.seen.press("decline", "decline")
    visit.error("access_denied")


def declined_half_signed_in(visit: Visit) -> None:
    person = visit.person.person
    visit.asks(prompt="login")
    visit.seen.press("sign-in", "sign-in", username=person["username"], password=person["password"])
    visit.seen.press("decline", "decline")
    visit.error("access_denied")


def not_served_for_want_of_proof(visit: Visit) -> None:
    visit.asks()
    visit.enters()
    visit.goes_back("proof")
    visit.error("unmet_authentication_requirements")


def not_served_since_a_register_says_so(visit: Visit) -> None:
    visit.asks()
    visit.enters()
    visit.goes_back("not_eligible")
    visit.error("access_denied")


def somebody_else_expected(visit: Visit) -> None:
    visit.asks(claims=SOMEBODY_ELSE)
    visit.enters()
    visit.goes_back("other_person")
    visit.error("login_required")


def an_error_without_a_page(visit: Visit) -> None:
    if visit.which == SAME:
        visit.seen.open("/sign-in")
        visit.enters()
    visit.asks(prompt="none")
    visit.error("consent_required" if visit.which == SAME else "login_required")


def expired(visit: Visit) -> None:
    """The page that was open for too long says so, and leads to where the person starts again."""
    visit.asks(prompt="consent")
    visit.enters()
    tx = urlsplit(visit.seen.page.url).path.split("/")[2]
    with sqlite3.connect(make_url(visit.world.database_url).database or "", timeout=10) as database:
        database.execute("UPDATE journey SET expires = 1 WHERE journey_id = ?", [tx])
    visit.seen.press("consent", "share")
    assert visit.seen.find("#already").get_attribute("data-outcome") == "expired"
    visit.seen.follow(f'#already a[href="{visit.agency.url}/"]')
    assert visit.seen.page.url.startswith(visit.agency.url)


def a_device(visit: Visit, button: str, outcome: str) -> None:
    said = {"client_id": visit.agency.client_id, "scope": f"openid use:{visit.agency.use}"}
    asked = visit.agency.post("/device_authorization", said).json()
    visit.seen.open(asked["verification_uri_complete"])
    visit.seen.press("device", "continue")
    visit.seen.press("request", button)
    if button == "continue":
        visit.enters()
        visit.seen.press("consent", "share")
    assert visit.seen.find("#answered").get_attribute("data-outcome") == outcome
    answer = visit.agency.post("/token", {"grant_type": DEVICE, "device_code": asked["device_code"]})
    assert answer.status_code == (200 if outcome == "shared" else 400), answer.text


def a_device_is_let_in(visit: Visit) -> None:
    a_device(visit, "continue", "shared")


def a_device_is_refused(visit: Visit) -> None:
    a_device(visit, "refuse", "refused")


def signed_in_with_a_phone(visit: Visit) -> None:
    """The phone says yes; what the screen's next press leads to is the decision, and later the agency itself."""
    phone, seen = visit.phone, visit.seen
    assert phone is not None
    visit.asks()
    if visit.which != SAME:
        seen.follow('a[href$="/phone"]')
        seen.press("phone", "show-code")
        number, typed = (seen.find(selector).inner_text().strip() for selector in ("#number", "#typed"))
        phone.open("/x")
        phone.press("phone-code", "continue", typed=typed)
        phone.find(f'form#phone-confirm input[name=number][value="{number}"]').check()
        phone.press("phone-confirm", "continue")
        seen.press("phone", "continue")
    if visit.which == FIRST:
        visit.shares()
    visit.code()


def signed_out_at_the_agency(visit: Visit) -> None:
    """OpenID Connect RP-Initiated Logout 1.0 §3: back where the agency wants its people."""
    visit.asks(prompt="consent")
    visit.enters()
    visit.shares()
    hint = visit.code()["id_token"]
    home = f"{visit.agency.url}/"
    visit.seen.open("/logout?" + urlencode({"id_token_hint": hint, "post_logout_redirect_uri": home, "state": "s"}))
    visit.seen.press("logout", "sign-out")
    url = urlsplit(visit.seen.page.url)
    assert (f"{url.scheme}://{url.netloc}/", parse_qs(url.query)) == (home, {"state": ["s"]})


CHILDCARE, PLANNING = "norr-childcare", "norr-planning"
# fmt: off
ENDINGS: list[tuple[Callable[[Visit], None], str, str | None]] = [
    # what happens                           at whom       who (None: somebody nobody else uses)
    (shared_with_a_receipt,                  CHILDCARE,    None),
    (shared_with_a_direct_return,            PLANNING,     None),
    (a_live_permission,                      CHILDCARE,    None),
    (a_sign_in_alone,                        PLANNING,     None),
    (sent_as_a_form,                         CHILDCARE,    None),
    (refused,                                CHILDCARE,    None),
    (declined_before_signing_in,             CHILDCARE,    None),
    (declined_half_signed_in,                CHILDCARE,    None),
    (not_served_for_want_of_proof,           CHILDCARE,    "plain"),
    (not_served_since_a_register_says_so,    CHILDCARE,    "deceased"),
    (somebody_else_expected,                 CHILDCARE,    None),
    (an_error_without_a_page,                CHILDCARE,    None),
    (expired,                                CHILDCARE,    None),
    (a_device_is_let_in,                     CHILDCARE,    None),
    (a_device_is_refused,                    CHILDCARE,    None),
    (signed_in_with_a_phone,                 CHILDCARE,    None),
    (signed_out_at_the_agency,               CHILDCARE,    None),
]
# fmt: on


@contextmanager
def opened(browser: Browser, world: World, *, script: bool) -> Iterator[Window]:
    """A fresh browser; nothing that it was shown may have broken our policy."""
    window = Window(browser, world, script=script)
    try:
        yield window
        assert not [said for said in window._said if "Content Security Policy" in said or "form-action" in said]
    finally:
        window.close()


@pytest.mark.parametrize("script", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize(("ends", "client_id", "persona"), ENDINGS, ids=[row[0].__name__ for row in ENDINGS])
def test_it_ends_where_it_should(
    browser: Browser, world: World, ends: Callable[[Visit], None], client_id: str, persona: str | None, *, script: bool
) -> None:
    person = world.citizen(persona) if persona else world.neighbour()
    agency = world.agency(client_id)
    with ExitStack() as windows:
        phone = windows.enter_context(opened(browser, world, script=script)) if ends is signed_in_with_a_phone else None
        if phone is not None:
            phone.open("/sign-in")
            phone.sign_in(person)
        seen = windows.enter_context(opened(browser, world, script=script))
        ends(Visit(seen, world, agency, person, FIRST, phone=phone))
        ends(Visit(seen, world, agency, person, SAME, phone=phone))
        seen = windows.enter_context(opened(browser, world, script=script))
        ends(Visit(seen, world, agency, person, FRESH, phone=phone))
