"""The whole story as a person sees it, page by page: in English and Arabic, wide and narrow, with JavaScript and without.

With `SEMEL_CONSENT_PICTURE=1` the walk in English at 1100 px also writes `docs/consent.png`, the picture of the README.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.actors import Citizen
from tests.browser import qr
from tests.browser.window import Window, chromium, window
from tests.world import World

CHILDCARE, PLANNING = "norr-childcare", "norr-planning"
ACCOUNT = "/account/sharing"
PICTURE = Path(__file__).parents[2] / "docs" / "consent.png"
#: Who walks: names of all kinds on pages of both directions. Anybody else has nothing special.
PEOPLE = {
    ("en", 1100, True): "maria",
    ("en", 320, True): "very-long",
    ("ar", 1100, True): "arabic",
    ("ar", 320, True): "mixed-script",
    ("en", 1100, False): "many-children",
    ("en", 320, False): "apostrophes",
    ("ar", 1100, False): "joiner",
}
REQUIRED = {"identity.given_name", "identity.family_name", "identity.birth_date", "address.registered"}


@pytest.mark.parametrize(("width", "script"), list(product((1100, 320), (True, False))))
def test_the_story(world: World, width: int, script: bool) -> None:
    """Two people walk at the same time, one in each language."""
    with ThreadPoolExecutor() as both:
        walks = [both.submit(walk, world, language, width, script) for language in ("en", "ar")]
    wrong = [problem for one in walks if (problem := one.exception())]
    if wrong:
        raise BaseExceptionGroup("the story", wrong)


def walk(world: World, language: str, width: int, script: bool) -> None:
    persona = PEOPLE.get((language, width, script))
    citizen = world.citizen(persona) if persona else world.neighbour()
    with chromium() as browser, window(browser, world, language, width, script=script) as seen:
        arrives(seen, citizen)
        decides(seen)
        permission = returns(seen)
        asks_elsewhere(seen)
        looks_after_it(seen, permission)
        takes_a_document(seen, citizen)
        leaves(seen)
        goes_astray(seen)


def arrives(seen: Window, citizen: Citizen) -> None:
    """From the start page and the agency's form to the sign-in, with a slip at every step."""
    seen.open("/")
    seen.sees("01-home")
    seen.open(f"{seen.world.agencies[CHILDCARE]}/?lang={seen.language}")
    seen.sees("02-childcare-start")
    seen.press("prefill", "fill")
    seen.sees("03-sign-in")
    seen.press("sign-in", "sign-in")
    seen.sees("04-sign-in-missing", 422)
    seen.press("sign-in", "sign-in", username=citizen.person["username"], password="not the password")
    seen.sees("05-sign-in-wrong", 403)
    seen.press("sign-in", "sign-in", password=citizen.person["password"])
    seen.sees("06-code")
    seen.press("one-time-code", "continue", code="000 000")
    seen.sees("07-code-wrong", 403)
    seen.press("one-time-code", "continue", code=citizen.codes.code())


def decides(seen: Window) -> None:
    """Every item with its value; nothing is ticked; one optional item is added, then Share."""
    seen.sees("08-consent")
    if os.environ.get("SEMEL_CONSENT_PICTURE") and (seen.language, seen.width, seen.script) == ("en", 1100, True):
        seen.page.screenshot(path=PICTURE, full_page=True)
    boxes = seen.find("form#consent input[name=item]")
    assert boxes.count() >= 1
    assert seen.find("form#consent input[name=item]:checked").count() == 0
    for item in REQUIRED:
        row = seen.find(f'[data-item="{item}"]')
        assert row.locator(".semel-row__value").inner_text().strip()
        assert seen.find(".semel-group").filter(has=row).locator(".semel-register").inner_text().strip()
    seen.tick("contact.email")
    seen.press("consent", "share")
    seen.sees("09-receipt")


def returns(seen: Window) -> str:
    """Back in the form it is filled in, and each value says where it is from; going back says what happened before."""
    seen.press("done", "continue")
    assert seen.page.url == f"{seen.world.agencies[CHILDCARE]}/form"
    seen.sees("10-childcare-filled")
    filled = {e.get_attribute("name") or "" for e in seen.find("[data-source]").all()}
    assert filled >= REQUIRED | {"contact.email"}
    assert "contact.iban" not in filled
    permission = str(seen.visit(CHILDCARE)["answer"]["grant_id"])
    seen.back()
    seen.sees("11-already-answered", 410)
    assert seen.find("#already").get_attribute("data-outcome") == "returned"
    return permission


def asks_elsewhere(seen: Window) -> None:
    """The planning office: no second sign-in, a decision of its own, and a document no longer asked for."""
    seen.open(f"{seen.world.agencies[PLANNING]}/?lang={seen.language}")
    seen.sees("12-planning-start")
    seen.press("prefill", "fill")
    seen.sees("13-planning-consent")
    seen.press("consent", "share")
    seen.sees("14-planning-receipt")
    seen.press("done", "continue")
    seen.sees("15-planning-filled")
    assert seen.find("input[name=proof-of-address]").count() == 0
    assert seen.find("#proof-of-address-not-needed").is_visible()
    seen.visit(PLANNING)


def looks_after_it(seen: Window, permission: str) -> None:
    """The account: who may see what; one permission is stopped, and that agency is told so."""
    seen.open("/account")
    seen.sees("16-account")
    seen.follow(f'main a[href="{ACCOUNT}"]')
    seen.sees("17-sharing")
    seen.follow(f'a[href="{ACCOUNT}/{permission}"]')
    seen.sees("18-permission")
    assert seen.find("[data-permission]").get_attribute("data-state") == "live"
    seen.follow('a[href$="/stop"]')
    seen.sees("19-stop")
    seen.find("form#stop input[name=ask_erasure]").check()
    seen.press("stop", "stop-sharing")
    seen.sees("20-stopped")
    seen.open(f"{ACCOUNT}/{permission}")
    seen.sees("21-permission-ended")
    assert seen.find("[data-permission]").get_attribute("data-state") == "withdrawn"
    seen.open(f"{seen.world.agencies[CHILDCARE]}/form")
    seen.press("refresh", "refresh")
    seen.sees("22-childcare-stopped")
    assert seen.find("#stopped #reason").inner_text().strip()
    seen.open("/account/activity")
    seen.sees("23-activity")
    assert seen.find("ol.semel-events > li").count() >= 6


def takes_a_document(seen: Window, citizen: Citizen) -> None:
    """Proof of residence by a square code, and a number that a fresh one-time code opens; a wallet takes it up."""
    seen.open("/account/documents")
    seen.sees("24-documents")
    seen.follow('a[href$="/add-to-wallet"]')
    seen.sees("25-add-to-wallet")
    seen.press("add-to-wallet", "offer")
    seen.sees("26-offer")
    offer = seen.find("#credential-offer").get_attribute("href") or ""
    scanned = qr.read(seen.find("img.semel-qr").screenshot())
    assert scanned == offer
    assert offered(scanned).startswith(f"{seen.world.issuer}/offers/")
    seen.follow('a[href$="/code"]')
    seen.sees("27-fresh-code")
    seen.press("one-time-code", "continue")
    seen.sees("28-fresh-code-missing", 422)
    seen.press("one-time-code", "continue", code=citizen.codes.code())
    seen.sees("29-number-for-wallet")
    number = seen.find("#tx-code").inner_text().strip()
    seen.open("/account/documents")
    seen.sees("30-documents-waiting")
    seen.world.holder.takes(scanned, number)
    seen.open("/account/documents")
    seen.sees("31-documents-added")
    assert seen.find('[data-state="issued"]').count() == 1


def offered(link: str) -> str:
    """Where an offer by reference lies (OpenID4VCI 1.0 §4.1.3): the link says that and nothing else."""
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("openid-credential-offer", "", "", "")
    said = parse_qs(parts.query, strict_parsing=True)
    assert said.keys() == {"credential_offer_uri"}
    (uri,) = said["credential_offer_uri"]
    assert not urlsplit(uri).query
    return uri


def leaves(seen: Window) -> None:
    """Signs out; the back button shows nothing of the account any more."""
    seen.open("/account")
    seen.follow('a[href="/sign-out"]')
    seen.sees("32-sign-out")
    seen.press("sign-out", "sign-out")
    seen.sees("33-signed-out")
    seen.open("/account")
    seen.sees("34-sign-in-alone")
    assert seen.find("form#sign-in").is_visible()


def goes_astray(seen: Window) -> None:
    """Whatever leads nowhere is told on a page of ours: a service nobody knows, a spent link, an address that is none."""
    seen.open("/authorize?client_id=nobody&request_uri=urn:ietf:params:oauth:request_uri:none")
    seen.sees("35-problem", 400)
    assert seen.find("#problem #correlation-id").inner_text().strip()
    seen.open("/there-is-no-such-page")
    seen.sees("36-not-found", 404)
