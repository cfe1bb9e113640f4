"""The look at a page can fail: each of these pages has one thing wrong, and the look says what."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from tests.browser import window as windows
from tests.browser.window import Window
from tests.world import World

ISSUER = "http://localhost:7"
WIDTH = 1100
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"
GOOD = (
    '<!DOCTYPE html><html lang="en" dir="ltr"><head><title>Good</title><meta name="viewport" content="width=device-width">'
    '<link rel="stylesheet" href="/static/a.css"><script type="module" src="/static/a.js"></script></head>'
    "<body><main><h1>All is well</h1><p>Nothing to see.</p></main></body></html>"
)
ARABIC = GOOD.replace('lang="en" dir="ltr"', 'lang="ar" dir="rtl"').replace("Good", "جيد")
ARABIC = ARABIC.replace("All is well", "كل شيء بخير").replace("Nothing to see.", "لا شيء هنا.")
#: What is found in the second browser, or by asking the first one, where scripts are off.
ELSEWHERE = ("axe", "console", "third party", "Content", "the word 'N")
BAD = [
    ("en", GOOD.replace("Nothing to see.", "Your scope was granted."), "the word 'scope'"),
    ("ar", ARABIC.replace("لا شيء هنا.", "Nothing to see."), "the word 'Nothing'"),
    ("ar", ARABIC.replace("لا شيء هنا.", "هذا نطاقات"), "the word 'نطاقات'"),
    ("en", ARABIC, "language and direction are ['ar', 'rtl']"),
    ("en", GOOD.replace("<p>", '<p class="wide">'), "px wide in a window of 1100"),
    ("en", GOOD.replace("<p>", "<h1>Again</h1><p>"), "2 main headings"),
    ("en", GOOD.replace("<p>", '<img src="/static/a.svg"><p>'), "axe image-alt"),
    ("en", GOOD.replace("<p>", '<p class="faint">'), "axe color-contrast"),
    ("en", GOOD.replace("<p>", '<img alt="" src="https://elsewhere.example/a.svg"><p>'), "third party"),
    ("en", GOOD.replace("<p>", '<p style="color: red">'), "Content Security Policy"),
    ("en", GOOD.replace("<p>", '<img alt="" src="/static/missing.svg"><p>'), "console: Failed to load resource"),
]


class Nowhere(World):
    """A world of one address."""

    def __init__(self) -> None:
        self.issuer, self.agencies, self.visited = ISSUER, {}, []


def serve(window: Window, page: dict[str, Any]) -> None:
    """Answer at the address with whatever `page` holds at that time, and with what belongs to a page."""
    parts = {
        "/static/a.css": ("text/css", ".wide { width: 1900px } .faint { color: #ddd; background: #fff }"),
        "/static/a.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    }

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ISSUER)
        if path.endswith(".js"):
            route.fallback()
        elif path in parts:
            route.fulfill(content_type=parts[path][0], body=parts[path][1])
        elif path == "/page":
            route.fulfill(
                **page, headers={"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
            )
        else:
            route.fulfill(status=404, body="")

    window.context.route("**/*.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    for tab in filter(None, (window.page, window.reflection)):
        tab.route("**/*", answer)


@pytest.mark.parametrize("script", [True, False])
def test_the_look_can_fail(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: bool) -> None:
    monkeypatch.setattr(windows, "SCREENSHOTS", tmp_path)
    unsaid = []
    for language in ("en", "ar"):
        window, page = Window(browser, Nowhere(), language, WIDTH, script=script), dict[str, Any]()
        serve(window, page)
        good = GOOD if language == "en" else ARABIC

        def look(body: str, status: int = 200, window: Window = window, page: dict[str, Any] = page) -> list[str]:
            page |= {"body": body, "status": status}
            window.open("/page")
            window.sees("page")
            said = [problem.removeprefix("page: ") for problem in window.problems]
            window.problems.clear()
            return said

        try:
            assert look(good) == []
            assert look(good, status=403) == ["status 403 instead of 200"]
            bad = {
                wanted: body
                for one, body, wanted in BAD
                if one == language and (script or wanted.startswith(ELSEWHERE))
            }
            said = {wanted: look(body) for wanted, body in bad.items()}
            assert look(good) == [], "what was wrong before is forgotten"
        finally:
            window.close()
        unsaid += [(wanted, problems) for wanted, problems in said.items() if not any(wanted in p for p in problems)]
    assert unsaid == []
    assert len(list(tmp_path.rglob("page.png"))) == 2
