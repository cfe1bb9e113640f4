"""The pages that no story comes to, as a browser draws them: accessible (WCAG 2.2 AA by axe), within 320 px, silent."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from broker.pages import files, render
from tests.broker.pages.samples import ASKING, NAMES, sample
from tests.browser.window import RULES, accessibility, chromium

OUTPUT = Path(__file__).parents[2] / "test-output" / "pages"
ORIGIN = "http://localhost:7"
RENDERER = render.Renderer()
#: The templates of pages that people come to in the stories.
IN_STORIES = {
    *(
        "home.html",
        "sign_in.html",
        "one_time_code.html",
        "consent.html",
        "receipt.html",
        "already.html",
        "problem.html",
    ),
    *(
        "account.html",
        "sharing.html",
        "permission.html",
        "stop.html",
        "stopped.html",
        "activity.html",
        "documents.html",
    ),
    *("add_to_wallet.html", "offer.html", "fresh_code.html", "tx_code.html", "sign_out.html", "signed_out.html"),
}
#: Every other template, and the states that take time, a fault or another person.
LOOKS = [
    *{sample(name, "en")[0]: name for name in NAMES if sample(name, "en")[0] not in IN_STORIES}.values(),
    *(name for name in ASKING if name != "consent"),
    *("already-shared", "already-expired", "already-other_browser", "problem-server_error", "stopped-already"),
    *("account-empty", "sharing-empty", "activity-empty", "sign-in-stale", "code-used", "phone-not-yet"),
]
QR = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'


def serve(route: Route) -> None:
    """Answer from the renderer, with the headers of the product and no network at all."""
    path = route.request.url.removeprefix(ORIGIN).split("?")[0]
    if path.startswith("/static/"):
        content, media_type = files.files().get(path[8:], (QR, "image/svg+xml"))
        if path.startswith("/static/form-post-"):
            content = b""  # this script sends the page's form at once; here somebody wants to look at it
        route.fulfill(body=content, headers={**files.HEADERS, "Content-Type": media_type})
        return
    _, language, name = path.split("/")
    template, context = sample(name, language)
    text = RENDERER.render(template, context, language=language)
    route.fulfill(body=text, headers={**render.headers(), "Content-Type": "text/html; charset=utf-8"})


def opened(browser: Browser, width: int, *, script: bool = True) -> tuple[Page, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=script)
    context.route("**/*", serve)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda problem: said.append(str(problem)))
    return page, said


@pytest.mark.parametrize("width", [1100, 320])
def test_every_page_is_accessible_and_fits(width):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as all_languages:
        looks = all_languages.map(lambda language: problems(language, width), render.languages())
    assert [problem for found in looks for problem in found] == []


def problems(language: str, width: int) -> list[str]:
    """What is wrong with the pages in one language, in a browser of its own."""
    found: list[str] = []
    with chromium() as browser:
        page, said = opened(browser, width)
        for name in LOOKS:
            page.goto(f"{ORIGIN}/{language}/{name}")
            page.screenshot(path=OUTPUT / f"{name}-{language}-{width}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found.append(f"{name}: scrolls sideways")
            found += [f"{name}: {one}" for one in accessibility(page, RULES)]
    return [f"{language} {one}" for one in [*found, *said]]


@pytest.mark.parametrize("language", render.languages())
def test_pages_are_whole_without_script(browser, language):
    page, said = opened(browser, 320, script=False)
    for name in LOOKS:
        page.goto(f"{ORIGIN}/{language}/{name}")
        expect(page.locator("h1")).to_be_visible()
        for button in page.locator("main button[type=submit]:not([hidden])").all():
            expect(button).to_be_visible()
            expect(button).to_be_enabled()
    page.context.close()
    assert said == []
