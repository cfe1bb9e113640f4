"""Signing out from an agency in a real browser: the answer to our form leads to another site, and the policy lets it."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.browser.window import window
from tests.world import World

PLANNING = "norr-planning"


@pytest.mark.parametrize(("language", "width"), [("en", 1100), ("ar", 320)])
def test_the_question_and_the_way_back(browser: Browser, world: World, language: str, width: int) -> None:
    person, form = world.neighbour(), world.agencies[PLANNING]
    with window(browser, world, language, width) as seen:
        seen.arrive(PLANNING)
        seen.sign_in(person)
        seen.press("consent", "share")
        seen.press("done", "continue")
        hint = seen.visit(PLANNING)["id_token"]
        said = {"id_token_hint": hint, "post_logout_redirect_uri": f"{form}/", "state": "abc"}
        seen.open(f"{world.issuer}/logout?{urlencode(said)}")
        seen.sees("logout")
        assert hint.split(".")[1] not in seen.page.url
        seen.press("logout", "sign-out")
        assert seen.page.url == f"{form}/?state=abc"
        seen.open(f"{world.issuer}/account")
        assert seen.page.url.endswith("/sign-in")
        seen.open(f"{world.issuer}/signed-out")
        seen.sees("signed-out")
