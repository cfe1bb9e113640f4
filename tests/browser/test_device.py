"""A device's code in a real browser: entered, compared, decided, in both languages, wide and narrow, with and without script."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.window import Window
from tests.world import World

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(("language", "width", "script"), [("en", 1100, True), ("ar", 320, False)])
def test_a_device_is_let_in(browser: Browser, world: World, language: str, width: int, script: bool) -> None:
    person, agency = world.neighbour(), world.agency()
    said = {"client_id": agency.client_id, "scope": f"openid use:{agency.use}"}
    asked = agency.post("/device_authorization", said).json()
    window = Window(browser, world, language, width, script=script)
    window.open(f"/device?lang={language}")
    window.sees("device")
    window.press("device", "continue", user_code="BCDF-GHJK")
    window.sees("device-wrong", 403)
    window.press("device", "continue", user_code=asked["user_code"].lower())
    window.sees("device-request")
    expect(window.find("#user-code")).to_have_text(asked["user_code"])
    window.press("request", "continue")
    window.sign_in(person)
    window.sees("device-consent")
    with window.page.expect_navigation():
        window.find("form#consent button[value=share]").click()
    window.sees("device-answered")
    expect(window.find("#answered")).to_have_attribute("data-outcome", "shared")
    window.back()
    window.page.wait_for_load_state()
    token = agency.post("/token", {"grant_type": DEVICE, "device_code": asked["device_code"]}).json()
    assert agency.items(token["access_token"])["identity.given_name"]["status"] == "provided"
    assert window.problems == []
