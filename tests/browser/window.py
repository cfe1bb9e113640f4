"""A browser window on the demo, and everything that must hold of every page it shows.

`sees` looks at a page: its status, language and direction, its words, its width, what the browser complained about, whom
it asked for anything, and what axe finds. What is wrong is collected in `problems`, so that one walk tells all of it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    Route,
    sync_playwright,
)

from tests.actors import Citizen
from tests.world import World

CHROMIUM = os.environ.get("SEMEL_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking"]
SCREENSHOTS = Path(__file__).parents[2] / "test-output" / "screenshots"
DIRECTIONS = {"en": "ltr", "ar": "rtl"}
PATIENCE = 15_000  # milliseconds
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,  # style sheets are ours; no media
}
#: Words of our trade, and what a program says when a text is missing: never on a page for everybody.
FORBIDDEN = {
    "en": r"\b(scopes?|claims?|relying part(y|ies)|grant(s|ed|ing)?|revo(ke|ked|king|cation)|tokens?|credentials?"
    r"|attributes?|clients?|endpoints?|redirect\w*|issuers?|OAuth|OpenID|JSON|undefined|None|null)\b",
    "ar": r"(الطرف المعتمد|الطرف المعو[ّ]?ل|إبطال|المطالبات|نطاقات|رمز الوصول|رمز مميز|بيانات اعتماد|(?<![A-Za-z])[A-Za-z]{3,})",
}
#: Latin letters that belong on an Arabic page outside of anybody's data.
LATIN = {"Semel", "IBAN", "GDPR", "art"}
#: What a page is, at one look. `text` is without data (which is wrapped in `bdi`) and words marked as of another language.
PAGE = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), said = [document.title];
  while (texts.nextNode()) {
    if (!texts.currentNode.parentElement.closest('bdi, script, body [lang]')) said.push(texts.currentNode.data);
  }
  const root = document.documentElement;
  return {
    tongue: [root.lang, root.dir], headings: document.querySelectorAll('h1').length, wide: root.scrollWidth,
    text: said.join(' '),
  };
}"""


class Window:
    """One person's browser: a language, a width, JavaScript or none, and cookies of its own."""

    def __init__(
        self, browser: Browser, world: World, language: str = "en", width: int = 1100, *, script: bool = True
    ) -> None:
        self.browser, self.world, self.language, self.width, self.script = browser, world, language, width, script
        self.context = self._context(java_script_enabled=script)
        self.page: Page = self.context.new_page()
        self.folder = SCREENSHOTS / f"{language}-{width}-{'js' if script else 'nojs'}"
        self.problems: list[str] = []
        self._said: list[str] = []
        self._answer: Response | None = None
        self.reflection = None if script else self._reflecting()
        self._hear(self.context)
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)

    # -- what a person does -----------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to an address; a path is one of the broker's."""
        self.page.goto(urljoin(self.world.issuer, url))

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def fill(self, form: str, **filled: str) -> None:
        """Type into the fields of a form."""
        for name, value in filled.items():
            self.find(f"form#{form} [name={name}]").fill(value)

    def tick(self, *items: str) -> None:
        """Tick optional items on the consent page."""
        for item in items:
            self.find(f'form#consent input[name=item][value="{item}"]').check()

    def press(self, form: str, button: str, **filled: str) -> None:
        """Fill in a form and press one of its buttons; the next page is there when this returns."""
        self.fill(form, **filled)
        with self.page.expect_navigation():
            self.button(form, button).click()

    def button(self, form: str, button: str) -> Locator:
        return self.find(f"form#{form} button[value={button}]")

    def follow(self, selector: str) -> None:
        """Press a link."""
        with self.page.expect_navigation():
            self.find(selector).first.click()

    def back(self) -> None:
        """Press the browser's back button."""
        self.page.go_back()

    def arrive(self, client_id: str) -> None:
        """Open an agency's form in this language and press "Fill with my government data"."""
        self.open(f"{self.world.agencies[client_id]}/?lang={self.language}")
        self.press("prefill", "fill")

    def sign_in(self, citizen: Citizen) -> None:
        """Name and password, then a code."""
        person = citizen.person
        self.press("sign-in", "sign-in", username=person["username"], password=person["password"])
        self.press("one-time-code", "continue", code=citizen.codes.code())

    def visit(self, client_id: str) -> dict[str, Any]:
        """What the agency holds about this window's visit; noted for the last look at the world."""
        held = dict(self.context.request.get(f"{self.world.agencies[client_id]}/visit.json").json())
        if held.get("answer"):
            self.world.answers.append(held["answer"] | {"client": client_id})
        return held

    # -- what must hold of what they see ----------------------------------------------------------------------

    def sees(self, name: str, status: int = 200) -> None:
        """Look at the page as it stands now."""
        self.page.wait_for_load_state()
        found = [*self._look(status), *self._said]
        found += accessibility(self.page, RULES) if self.script else self._reflected(status)
        self._said.clear()
        self.picture(name)
        self.problems += [f"{name}: {one}" for one in found]

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)

    def _look(self, status: int) -> Iterator[str]:
        answer, page = self._answer, self.page.evaluate(PAGE)
        if answer is None or answer.status != status:
            yield f"status {answer.status if answer else 'unknown'} instead of {status}"
        if page["tongue"] != [self.language, DIRECTIONS[self.language]]:
            yield f"language and direction are {page['tongue']}"
        if page["headings"] != 1:
            yield f"{page['headings']} main headings"
        if page["wide"] > self.width:
            yield f"{page['wide']} px wide in a window of {self.width}"
        if origin(self.page.url) == self.world.issuer:
            words = re.finditer(FORBIDDEN[self.language], page["text"], re.IGNORECASE)
            yield from (f"the word {word[0]!r}" for word in words if word[0] not in LATIN)

    def _reflected(self, status: int) -> list[str]:
        """What axe finds in the same document in a second browser: JavaScript for axe, but every script file kept away.

        Contrast, the slowest rule, is looked at in the wide window: colours do not depend on the width.
        """
        assert self._answer is not None
        assert self.reflection is not None
        body, headers = self._answer.body(), self._answer.headers
        told = {name: headers[name] for name in ("content-type", "content-security-policy") if name in headers}

        def answer(route: Route) -> None:
            route.fulfill(status=status, headers=told, body=body)

        url = self._answer.url
        context = self.reflection.context
        context.clear_cookies()
        context.add_cookies(self.context.cookies())  # type: ignore[arg-type]  # what it gave is what it takes
        self.reflection.route(url, answer)
        self.reflection.goto(url)
        self.reflection.unroute(url)
        less = {} if self.width > 1000 else {"rules": {"color-contrast": {"enabled": False}}}
        return accessibility(self.reflection, RULES | less)

    # -- what the browser lets slip ---------------------------------------------------------------------------

    def _context(self, **more: Any) -> BrowserContext:
        locale = {"en": "en-GB", "ar": "ar"}[self.language]
        context = self.browser.new_context(viewport={"width": self.width, "height": 900}, locale=locale, **more)
        context.set_default_timeout(PATIENCE)
        return context

    def _reflecting(self) -> Page:
        context = self._context()
        context.route("**/*.js", lambda route: route.abort())
        self._hear(context)
        return context.new_page()

    def _hear(self, context: BrowserContext) -> None:
        context.on("console", self._heard)
        context.on("weberror", lambda problem: self._said.append(f"script error: {problem.error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        """Note whatever stands in the console, but for the answer's own status and the scripts we keep away ourselves."""
        url = str(message.location.get("url", ""))
        kept_away = message.page is self.reflection and url.endswith(".js") and "ERR_FAILED" in message.text
        status = "the server responded with a status of" in message.text and message.page is not None
        if not kept_away and not (status and message.page is not None and url == message.page.url):
            self._said.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        """Every request goes to somebody of this world; what a page is made of comes from its own origin."""
        self.world.visited.append(request.url)
        asked = origin(request.url)
        if asked == "data://":
            return
        if asked not in {self.world.issuer, *self.world.agencies.values()}:
            self._said.append(f"third party: {request.url}")
        elif not request.is_navigation_request() and asked != origin(request.frame.url):
            self._said.append(f"a part from elsewhere: {request.url}")

    def _answered(self, answer: Response) -> None:
        if answer.request.is_navigation_request() and not 300 <= answer.status < 400:
            self._answer = answer

    def close(self) -> None:
        self.context.close()
        if self.reflection is not None:
            self.reflection.context.close()


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser of this thread's own, with further flags of the command line."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield started
        started.close()


@contextmanager
def window(
    browser: Browser, world: World, language: str = "en", width: int = 1100, *, script: bool = True
) -> Iterator[Window]:
    """A window that is closed in the end; nothing it was shown may have been wrong."""
    opened = Window(browser, world, language, width, script=script)
    try:
        yield opened
        assert not opened.problems, "\n".join(opened.problems)
    finally:
        opened.close()


def accessibility(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds against WCAG 2.2 AA and good practice."""
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(rules).then(result => result.violations)", rules)
    return [f"axe {one['id']}: {[node['html'][:160] for node in one['nodes']]}" for one in found]


def origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
