"""The one page that asks: both answers weigh the same, and whatever a browser does to it, one answer is given once."""

from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from tests.actors import Citizen
from tests.browser.window import Window, window
from tests.world import World

CHILDCARE = "norr-childcare"
SAME = (
    "(e) => { const s = getComputedStyle(e); return [s.fontSize, s.fontWeight, s.padding, s.borderWidth, s.opacity] }"
)


def asked(seen: Window, citizen: Citizen) -> None:
    """Come to the page that asks."""
    seen.arrive(CHILDCARE)
    seen.sign_in(citizen)
    expect(seen.find("form#consent")).to_be_visible()


def types(world: World, citizen: Citizen) -> list[str]:
    return [event.type for event in world.inside.events(citizen)]


@pytest.mark.parametrize(("language", "width"), list(product(("en", "ar"), (1100, 320))))
def test_both_answers_weigh_the_same(browser: Browser, world: World, language: str, width: int) -> None:
    """EDPB 03/2022 §4.1; GDPR art. 7(3): same size, side by side, each one press away."""
    with window(browser, world, language, width) as seen:
        asked(seen, world.neighbour())
        share, refuse = seen.button("consent", "share"), seen.button("consent", "refuse")
        one, other = share.bounding_box(), refuse.bounding_box()
        assert one
        assert other
        assert one["width"] == pytest.approx(other["width"], abs=1)
        assert one["height"] == pytest.approx(other["height"], abs=1)
        assert min(one["width"], one["height"]) >= 44
        assert one["y"] == pytest.approx(other["y"], abs=1), "one is farther than the other"
        edge = min(one["x"], other["x"])
        assert width - max(one["x"] + one["width"], other["x"] + other["width"]) == pytest.approx(edge, abs=1)
        assert (one["x"] < other["x"]) == (language == "en")
        assert share.evaluate(SAME) == refuse.evaluate(SAME)
        assert seen.find("form#consent :checked:not([name=duration])").count() == 0
        first, *_ = seen.find("input[name=duration]").all()
        assert [first.is_checked(), first.get_attribute("value")] == [True, "90"]


@pytest.mark.parametrize("script", [True, False])
def test_no_is_one_press_and_final(browser: Browser, world: World, script: bool) -> None:
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        asked(seen, citizen)
        seen.press("consent", "refuse")
        assert seen.page.url.startswith(f"{world.agencies[CHILDCARE]}/callback?")
        seen.sees("40-childcare-refused")
        assert seen.find("#refused").is_visible()
        assert seen.find("[data-source]").count() == 0
        seen.back()
        seen.sees("41-already-refused")
        assert seen.find("#already").get_attribute("data-outcome") == "refused"
        assert "permission.given" not in types(world, citizen)


def test_another_language_in_the_middle_keeps_the_journey(browser: Browser, world: World) -> None:
    citizen = world.neighbour()
    with window(browser, world) as seen:
        asked(seen, citizen)
        address = seen.page.url
        before = len(types(world, citizen))
        seen.follow("a[hreflang=ar]")
        assert seen.page.url == f"{address}?lang=ar"
        seen.language = "ar"
        seen.sees("42-consent-in-the-other-language")
        assert len(types(world, citizen)) == before, "it was shown once, in two languages"
        seen.tick("contact.email")
        seen.press("consent", "share")
        seen.sees("43-receipt-in-the-other-language")
        seen.press("done", "continue")
        assert seen.page.url == f"{world.agencies[CHILDCARE]}/form"
        expect(seen.find('input[name="contact.email"]')).to_have_value(world.inside.declared(citizen)["email"])
        given = next(event for event in world.inside.events(citizen) if event.type == "permission.given")
        assert given.private["language"] == "ar"
        seen.open("/account")
        expect(seen.find("html")).to_have_attribute("lang", "ar")


@pytest.mark.parametrize("script", [True, False])
def test_a_double_press_shares_once(browser: Browser, world: World, script: bool) -> None:
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        asked(seen, citizen)
        seen.button("consent", "share").dblclick()
        expect(seen.find("form#done")).to_be_visible()
        assert types(world, citizen).count("permission.given") == 1
        seen.button("done", "continue").dblclick()
        expect(seen.find("[data-source]").first.or_(seen.find("#already"))).to_be_visible()
        seen.open(f"{world.agencies[CHILDCARE]}/form")
        assert seen.find("[data-source]").count() >= 7, "the form is filled, however often one presses"
        seen.press("refresh", "refresh")
        assert seen.find("#refreshed").is_visible(), "and the agency may go on asking"
        seen.visit(CHILDCARE)


@pytest.mark.parametrize("script", [True, False])
def test_back_from_the_receipt_shows_the_receipt(browser: Browser, world: World, script: bool) -> None:
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        asked(seen, citizen)
        seen.press("consent", "share")
        seen.back()
        expect(seen.find("form#done")).to_be_visible()
        assert types(world, citizen).count("permission.given") == 1
        seen.press("done", "continue")
        assert seen.page.url == f"{world.agencies[CHILDCARE]}/form"
        seen.visit(CHILDCARE)


def test_back_from_the_decision_leads_forward_again(browser: Browser, world: World) -> None:
    """Somebody who is signed in and presses Back on the page that asks comes back to it; nothing is begun anew."""
    citizen = world.neighbour()
    with window(browser, world) as seen:
        asked(seen, citizen)
        address = seen.page.url
        for page in ("code", "sign-in", "continue"):
            seen.open(address.replace("/consent", f"/{page}"))
            assert seen.page.url == address, page
        seen.press("consent", "share")
        expect(seen.find("form#done")).to_be_visible()
        assert types(world, citizen).count("access.previewed") == 1


@pytest.mark.parametrize(
    ("first", "second", "outcome"), [("share", "refuse", "#done"), ("refuse", "share", "#already")]
)
def test_two_tabs_one_answer(browser: Browser, world: World, first: str, second: str, outcome: str) -> None:
    """The first answer counts; the other tab is told what it was."""
    citizen = world.neighbour()
    with window(browser, world) as seen:
        asked(seen, citizen)
        tab = seen.context.new_page()
        tab.goto(seen.page.url)
        seen.press("consent", first)
        tab.locator(f"button[value={second}]").click()
        expect(tab.locator(outcome)).to_be_visible()
        assert types(world, citizen).count("permission.given") == (first == "share")


@pytest.mark.parametrize("script", [True, False])
def test_nothing_personal_comes_back_after_signing_out(browser: Browser, world: World, script: bool) -> None:
    citizen = world.neighbour()
    with window(browser, world, script=script) as seen:
        asked(seen, citizen)
        value = world.inside.declared(citizen)["population"]["family_name"]
        assert value in seen.find("main").inner_text()
        seen.open("/sign-out")
        seen.press("sign-out", "sign-out")
        for _ in range(2):
            seen.back()
            assert value not in seen.find("body").inner_text()


@pytest.mark.parametrize(
    ("persona", "language", "width", "script"),
    [
        ("tax-down", "en", 320, True),
        ("protected", "ar", 1100, True),
        ("no-record", "en", 1100, False),
        ("stale", "ar", 320, False),
    ],
)
def test_what_a_register_may_say(
    browser: Browser, world: World, persona: str, language: str, width: int, script: bool
) -> None:
    """A register that is down, holds nothing, protects or is old: the row says so, and the rest can be decided."""
    with window(browser, world, language, width, script=script) as seen:
        asked(seen, world.citizen(persona))
        seen.sees(f"44-consent-{persona}")
        assert seen.find(".semel-row__value--down, .semel-row__value--none, .semel-row__note").count() >= 1
        seen.press("consent", "share")
        seen.sees(f"45-receipt-{persona}")
        seen.press("done", "continue")
        seen.sees(f"46-childcare-{persona}")
        seen.visit(CHILDCARE)


@pytest.mark.parametrize(("language", "width", "script"), [("en", 320, True), ("ar", 1100, False)])
def test_too_many_codes(browser: Browser, world: World, language: str, width: int, script: bool) -> None:
    """Guessing is slowed down, and the page says for how long."""
    citizen = world.neighbour()
    with window(browser, world, language, width, script=script) as seen:
        seen.open("/sign-in")
        known = {"username": citizen.person["username"], "password": citizen.person["password"]}
        seen.press("sign-in", "sign-in", **known)
        for _ in range(5):
            seen.press("one-time-code", "continue", code="000000")
        seen.press("one-time-code", "continue", code="000000")
        seen.sees("47-too-many-codes", 429)
