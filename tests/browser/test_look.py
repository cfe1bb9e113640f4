"""Every page as a browser draws it: accessible (WCAG 2.2 AA by axe), within 320 px, silent under the policy, answers alike."""

from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from broker.pages import files, render
from tests.broker.pages.samples import ASKING, NAMES, sample

OUTPUT = Path(__file__).parents[2] / "test-output" / "pages"
ORIGIN = "http://localhost:7"
RENDERER = render.Renderer()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
#: one of each template, and every state of the decision
LOOKS = [*{sample(name, "en")[0]: name for name in reversed(NAMES) if name not in ASKING}.values(), *ASKING]
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


@pytest.mark.parametrize(("language", "width"), list(product(render.languages(), (1100, 320))))
def test_every_page_is_accessible_and_fits(browser, language, width):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    page, said = opened(browser, width)
    problems: list[str] = []
    for name in LOOKS:
        page.goto(f"{ORIGIN}/{language}/{name}")
        page.screenshot(path=OUTPUT / f"{name}-{language}-{width}.png", full_page=True)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            problems.append(f"{name}: scrolls sideways")
        found = Axe().run(page, options=RULES)
        problems += [
            f"{name}: {one['id']} {[node['html'] for node in one['nodes']]}" for one in found.response["violations"]
        ]
    page.context.close()
    assert problems == []
    assert said == []


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


@pytest.mark.parametrize(("language", "width"), list(product(render.languages(), (1100, 320))))
def test_refusing_is_as_easy_as_sharing(browser, language, width):
    page, _ = opened(browser, width)
    page.goto(f"{ORIGIN}/{language}/consent")
    share, refuse = page.locator("button[value=share]"), page.locator("button[value=refuse]")
    one, other = share.bounding_box(), refuse.bounding_box()
    assert one is not None
    assert other is not None
    assert abs(one["width"] - other["width"]) < 1
    assert abs(one["height"] - other["height"]) < 1
    assert one["height"] >= 44
    if width == 1100:
        assert one["y"] == other["y"]
        assert (one["x"] < other["x"]) == (language != "ar")
    sizes = [
        button.evaluate("e => getComputedStyle(e).fontSize + getComputedStyle(e).fontWeight")
        for button in (share, refuse)
    ]
    assert sizes[0] == sizes[1]
    assert page.locator("input[type=checkbox]:checked").count() == 0
    page.context.close()


def test_the_first_tab_skips_to_the_content_and_an_error_takes_the_focus(browser):
    page, _ = opened(browser, 1100)
    page.goto(f"{ORIGIN}/en/account")
    page.keyboard.press("Tab")
    expect(page.locator(".govuk-skip-link")).to_be_focused()
    page.goto(f"{ORIGIN}/en/sign-in-wrong")
    expect(page.locator(".govuk-error-summary")).to_be_focused()
    assert page.title().startswith("Error:")
    page.context.close()
