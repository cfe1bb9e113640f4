"""The pages that no story comes to, as a browser draws them: accessible (WCAG 2.2 AA by axe), within 320 px, silent."""

import re
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
#: Whether all of the element with the focus is in the window and nothing else stands on it.
FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), bar = document.querySelector('.semel-answer');
  if (one === document.body) return null;
  const clear = bar.contains(one) || box.bottom <= bar.getBoundingClientRect().top || box.top >= bar.getBoundingClientRect().bottom;
  return {name: one.id + one.tagName + (one.href || '') + one.textContent.slice(0, 60), clear: clear && box.top >= 0};
}"""
CONTRAST = RULES | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
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


@pytest.mark.parametrize("language", render.languages())
def test_a_receipt_fits_one_sheet_of_paper(browser, language):
    """Printed: one page (A4), dark on white in either scheme, its address whole."""
    page, _ = opened(browser, 1100)
    page.goto(f"{ORIGIN}/{language}/receipt")
    sheets = page.pdf(format="A4").count(b"/Type /Page\n") or page.pdf(format="A4").count(b"/Type /Page ")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_text("https://id.norr.example/account/sharing/")).to_be_visible()
    expect(page.locator("form#done button")).not_to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(232, 239, 240)"
    page.context.close()
    assert sheets == 1


@pytest.mark.parametrize("language", render.languages())
def test_the_decision_is_always_within_reach_and_covers_no_focus(browser, language):
    """Small screens: both answers stay in the window; whatever gets the focus is wholly clear of them (WCAG 2.2 §2.4.11)."""
    page, _ = opened(browser, 320)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{ORIGIN}/{language}/consent")
    share, refuse = page.locator("button[value=share]"), page.locator("button[value=refuse]")
    for where in ("0", "document.body.scrollHeight / 3"):
        page.evaluate(f"window.scrollTo(0, {where})")
        for button in (share, refuse):
            expect(button).to_be_in_viewport(ratio=1)
    assert share.bounding_box()["width"] == refuse.bounding_box()["width"]
    page.evaluate("window.scrollTo(0, 0)")
    seen, covered = set(), []
    for _ in range(60):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUS)
        if told is None or told["name"] in seen:
            break
        seen.add(told["name"])
        if not told["clear"]:
            covered.append(told["name"])
    page.context.close()
    assert len(seen) > 15
    assert covered == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_focused_link_of_the_header_can_be_read(browser, scheme):
    page, _ = opened(browser, 1100)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{ORIGIN}/en/account")
    for link in page.locator("header a").all():
        link.focus()
        colours = link.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
        assert contrast(*colours) >= 4.5, colours
    page.context.close()


@pytest.mark.parametrize("language", render.languages())
def test_every_page_is_accessible_on_a_dark_screen(browser, language):
    """`prefers-color-scheme`: contrast is measured by axe on every template of the product, in every state of the page that asks."""
    found, dark = [], "rgb(20, 37, 43)"
    page, said = opened(browser, 1100)
    page.emulate_media(color_scheme="dark")
    for name in {**{sample(name, "en")[0]: name for name in NAMES}, **dict(zip(ASKING, ASKING, strict=True))}.values():
        page.goto(f"{ORIGIN}/{language}/{name}")
        if page.evaluate("getComputedStyle(document.querySelector('.semel-body')).backgroundColor") != dark:
            found.append(f"{name}: not dark")
        found += [f"{name}: {one}" for one in accessibility(page, CONTRAST)]
    page.context.close()
    assert [*found, *said] == []


def contrast(*colours: str) -> float:
    """The contrast of two opaque colours (WCAG 2.2, definition of contrast ratio)."""
    light = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light[0] + 0.05) / (light[1] + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    assert "rgba" not in colour, "a background of its own"
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
