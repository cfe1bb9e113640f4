"""The frame of session management in a real browser: another site's page asks it (OpenID Connect Session Management 1.0 §3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from broker.database import Database
from broker.sign_in import browser_state
from tests.broker import whole as wholes
from tests.broker.whole import ISSUER, Whole

SECRET = bytes(range(32))
RP = "https://rp.norr.example"  # another origin of the same site: across sites this browser keeps the cookie back
PAGE = """<!DOCTYPE html><title>RP</title><iframe src="%s/session/check"></iframe><script>
window.ask = (said) => new Promise((done) => {
  addEventListener("message", (event) => done([event.origin, event.data]), { once: true });
  document.querySelector("iframe").contentWindow.postMessage(said, "%s");
});
</script>"""


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    with wholes.running(database, database_url, tmp_path, now, legacy_session_management=True) as running:
        yield running


def test_it_says_unchanged_changed_or_error(browser: Browser, whole: Whole) -> None:
    context, http = browser.new_context(), whole.client()
    kept = {"name": "__Host-semel-browser-state", "value": browser_state.of(SECRET), "url": f"{ISSUER}/"}

    def answer(route: Route) -> None:
        url = route.request.url
        if url.startswith(RP):
            route.fulfill(body=PAGE % (ISSUER, ISSUER), content_type="text/html")
            return
        found = http.get(url)
        route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    context.route("**/*", answer)
    context.add_cookies([{**kept, "secure": True, "sameSite": "None"}])  # type: ignore[list-item]  # names as Playwright's
    page = context.new_page()
    page.goto(f"{RP}/page", wait_until="networkidle")
    good = browser_state.session_state("rp", RP, SECRET)

    def ask(said: object) -> list[str]:
        told: list[str] = page.evaluate("said => window.ask(said)", said)
        return told

    assert ask(f"rp {good}") == [ISSUER, "unchanged"]
    assert ask(f"other {good}") == [ISSUER, "changed"]
    assert ask(f"rp {browser_state.session_state('rp', 'https://else.example', SECRET)}") == [ISSUER, "changed"]
    for bad in ("", "rp", f"rp {good} x", f"rp {good[:-30]}", 5, {"a": 1}, "r" * 2000 + f" {good}"):
        assert ask(bad) == [ISSUER, "error"]
    context.clear_cookies()
    assert ask(f"rp {good}") == [ISSUER, "changed"]
    context.close()
