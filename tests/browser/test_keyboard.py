"""Everything can be done without a mouse (WCAG 2.2 §2.1.1), in an order that makes sense, and one sees where one is."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.window import Window, window
from tests.world import World

#: What has the focus: whether it is what is looked for, whether it lies in the window, whether the focus shows.
FOCUS = """selector => {
  const it = document.activeElement, box = it.getBoundingClientRect();
  const drawn = [getComputedStyle(it), ...[...(it.labels || [])].map(label => getComputedStyle(label, '::before'))];
  return {
    here: it.matches(selector),
    name: it.outerHTML.slice(0, 120),
    inside: box.bottom > 0 && box.top < innerHeight,
    shows: drawn.some(s => (s.outlineStyle !== 'none' && s.outlineColor !== 'rgba(0, 0, 0, 0)') || s.boxShadow !== 'none'),
  };
}"""
SKIP = ".govuk-skip-link"


def tab_to(seen: Window, selector: str, most: int = 40) -> int:
    """Press Tab until the focus is there; how often it took. Every stop on the way lies in the window and shows."""
    for times in range(1, most + 1):
        seen.page.keyboard.press("Tab")
        stop = seen.page.evaluate(FOCUS, selector)
        assert stop["inside"], f"out of sight: {stop['name']}"
        assert stop["shows"], f"no sign of the focus: {stop['name']}"
        if stop["here"]:
            return times
    raise AssertionError(f"{selector} is not reached with {most} presses of Tab")


def enter(seen: Window) -> None:
    """Press Enter; the next page is there when this returns."""
    with seen.page.expect_navigation():
        seen.page.keyboard.press("Enter")


@pytest.mark.parametrize(("language", "width"), [("en", 1100), ("ar", 320)])
def test_the_whole_decision_by_keyboard(browser: Browser, world: World, language: str, width: int) -> None:
    citizen = world.neighbour()
    with window(browser, world, language, width) as seen:
        seen.open(f"{world.agencies['norr-childcare']}/?lang={language}")
        tab_to(seen, "form#prefill button")
        enter(seen)
        tab_to(seen, "#username")
        seen.page.keyboard.type(citizen.person["username"])
        tab_to(seen, "#password")
        seen.page.keyboard.type(citizen.person["password"])
        enter(seen)
        tab_to(seen, "#code")
        seen.page.keyboard.type(citizen.codes.code())
        enter(seen)
        tab_to(seen, 'input[value="contact.email"]')
        seen.page.keyboard.press("Space")
        expect(seen.find('input[value="contact.email"]')).to_be_checked()
        assert tab_to(seen, "input[name=duration]") == 2, "past “Is this wrong?”"
        seen.page.keyboard.press("ArrowDown")
        tab_to(seen, "button[value=share]", most=2)
        assert tab_to(seen, "button[value=refuse]") == 1
        seen.page.keyboard.press("Shift+Tab")
        enter(seen)
        tab_to(seen, "form#done button")
        enter(seen)
        assert seen.page.url == f"{world.agencies['norr-childcare']}/form"
        expect(seen.find('input[name="contact.email"]')).to_have_value(world.inside.declared(citizen)["email"])
        answer = seen.visit("norr-childcare")["answer"]
        given = world.inside.permission(citizen, answer["grant_id"])
        assert given.valid_to - given.valid_from > 300 * 86_400_000_000, (
            "the longer period was chosen with the arrow key"
        )


def test_dont_share_by_keyboard(browser: Browser, world: World) -> None:
    citizen = world.neighbour()
    with window(browser, world) as seen:
        seen.arrive("norr-childcare")
        seen.sign_in(citizen)
        tab_to(seen, "button[value=refuse]")
        seen.page.keyboard.press("Space")
        expect(seen.find("#refused")).to_be_visible()
        assert [one["type"] for one in world.inside.activity(citizen)][:1] == ["permission.refused"]


@pytest.mark.parametrize("script", [True, False])
def test_enter_in_a_field_decides_nothing(browser: Browser, world: World, script: bool) -> None:
    """Enter in a box or a choice presses a form's first button (HTML §4.10.21.2): nobody shares by that."""
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        seen.arrive("norr-childcare")
        seen.sign_in(citizen)
        seen.tick("contact.email")
        seen.find("input[name=duration]").last.check()
        for field in ('input[value="contact.email"]', "input[name=duration]:checked"):
            seen.find(field).focus()
            enter(seen)
            seen.sees("50-consent-enter", 422)
            assert seen.find("form#consent input[name=item]:checked").get_attribute("value") == "contact.email"
            assert seen.find("form#consent input[name=duration]:checked").get_attribute("value") == "365"
        assert [event.type for event in world.inside.events(citizen)] == ["access.previewed"]
        seen.press("consent", "share")
        seen.find("form#done").wait_for()


@pytest.mark.parametrize("script", [True, False])
def test_enter_in_the_box_stops_nothing(browser: Browser, world: World, script: bool) -> None:
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        seen.arrive("norr-childcare")
        seen.sign_in(citizen)
        seen.press("consent", "share")
        seen.follow('main a[href^="/account/sharing/"]')
        seen.follow('a[href$="/stop"]')
        seen.find("input[name=ask_erasure]").check()
        seen.find("input[name=ask_erasure]").focus()
        enter(seen)
        expect(seen.find("form#stop input[name=ask_erasure]")).to_be_checked()
        assert "permission.withdrawn" not in [event.type for event in world.inside.events(citizen)]
        seen.press("stop", "stop-sharing")
        expect(seen.find("#stopped")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_first_tab_skips_to_the_content(browser: Browser, world: World, language: str) -> None:
    citizen = world.neighbour()
    with window(browser, world, language) as seen:
        for page in ("/", "/sign-in"):
            seen.open(page)
            skips(seen)
        seen.arrive("norr-childcare")
        seen.sign_in(citizen)
        skips(seen)
        seen.press("consent", "share")
        skips(seen)
        for page in (
            "/account",
            "/account/sharing",
            "/account/activity",
            "/account/documents",
            "/sign-out",
            "/nowhere",
        ):
            seen.open(page)
            skips(seen)


def skips(seen: Window) -> None:
    """The first Tab shows the link past the header; following it, the next stop is in the content."""
    assert tab_to(seen, SKIP) == 1, f"something comes before the skip link on {seen.page.url}"
    expect(seen.find(SKIP)).to_be_in_viewport()
    seen.page.keyboard.press("Enter")
    expect(seen.find("main")).to_be_focused()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('main')")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_an_error_takes_the_focus_and_leads_to_its_field(browser: Browser, world: World, language: str) -> None:
    citizen = world.neighbour()
    with window(browser, world, language) as seen:
        seen.open("/sign-in")
        seen.press("sign-in", "sign-in", username=citizen.person["username"], password="something else")
        error(seen, "#username")
        expect(seen.find("#username")).to_have_value(citizen.person["username"])
        expect(seen.find("#password")).to_have_value("")
        seen.press("sign-in", "sign-in", password=citizen.person["password"])
        seen.press("one-time-code", "continue", code="12345")
        error(seen, "#code")


def error(seen: Window, field: str) -> None:
    """The page's name begins with the error, its summary has the focus, and its link leads to the field."""
    beginning = {"en": "Error:", "ar": "خطأ:"}[seen.language]
    assert seen.page.title().startswith(beginning)
    expect(seen.find(".govuk-error-summary")).to_be_focused()
    tab_to(seen, ".govuk-error-summary a")
    seen.page.keyboard.press("Enter")
    expect(seen.find(field)).to_be_focused()
    described = seen.find(field).get_attribute("aria-describedby") or ""
    assert f"{field[1:]}-error" in described.split()
