"""In their account people see where they are signed in and end that, and change what they sign in with."""

import re

import pyotp
import pytest
from sqlalchemy import select, update

from broker.people import activity
from broker.tables import person
from tests.broker.pages.citizen.test_activate import shown_secret
from tests.broker.pages.citizen.visiting import PASSWORD, Browser, Site, text, token

NEW = "ten green bottles"
PAGE = "/account/security"


def signed_in(site: Site, address: str) -> Browser:
    browser = site.browser(address)
    assert browser.sign_in("maria").headers["location"] == "/account"
    site.provider.later(60)
    return browser


def is_in(browser: Browser) -> bool:
    return browser.get(PAGE).status_code == 200


@pytest.fixture
def two(site: Site) -> tuple[Site, Browser, Browser]:
    site.enrol("maria")
    return site, signed_in(site, "192.0.2.1"), signed_in(site, "192.0.2.2")


def noted(site: Site) -> list[str]:
    with site.provider.database.read() as tx:
        of = tx.execute(select(person.c.person_id)).scalar_one()
        return [one["type"] for one in activity.read(tx, site.provider.parts.vault, of)]


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/password", f"{PAGE}/app"])
def test_nobody_else_sees_it(site, path):
    site.enrol("maria")
    half = site.browser()
    half.password("maria")
    for browser in (site.browser(), half):
        assert browser.get(path).headers["location"] == "/sign-in"
        assert browser.send(path, {"action": "end-others"}).headers["location"] == "/sign-in"


def test_sessions_are_seen_and_one_is_ended(two):
    site, here, there = two
    page = here.get(PAGE)
    assert text(page).count("This screen") == 1
    (named,) = re.findall(r'name="session" value="([^"]+)"', page.text)
    answer = here.send(PAGE, {"form_token": token(page), "action": "end-session", "session": named})
    assert answer.headers["location"] == f"{PAGE}?done=ended"
    assert (is_in(here), is_in(there)) == (True, False)
    assert noted(site) == ["account.sessions_ended"]


def test_all_others_are_ended(two):
    _, here, there = two
    assert here.post(PAGE, {"action": "end-others"}).headers["location"] == f"{PAGE}?done=ended"
    assert (is_in(here), is_in(there)) == (True, False)


def test_a_form_of_another_site_ends_nothing(two):
    _, here, there = two
    assert here.send(PAGE, {"form_token": "0" * 64, "action": "end-others"}).status_code == 403
    given = {"form_token": token(here.get(PAGE)), "action": "end-others"}
    assert here.send(PAGE, given, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert is_in(there)


def test_somebody_elses_session_is_not_found(two):
    site, here, there = two
    site.enrol("olga")
    other = site.browser("192.0.2.3")
    other.sign_in("olga")
    (named,) = re.findall(r'id="session-([^"]+)"', here.get(PAGE).text)
    given = {"form_token": token(other.get(f"{PAGE}/password")), "action": "end-session", "session": named}
    assert other.send(PAGE, given).headers["location"] == PAGE
    assert is_in(there)


def change(browser: Browser, present: str, new: str):
    return browser.post(f"{PAGE}/password", {"password": present, "new_password": new})


def test_a_password_is_changed_by_whoever_knows_it(two):
    site, here, there = two
    assert change(here, "not the password", NEW).status_code == 403
    assert change(here, PASSWORD, "short").status_code == 422
    assert change(here, PASSWORD, "MARIA").status_code == 422
    assert change(here, PASSWORD, NEW).headers["location"] == f"{PAGE}?done=password"
    assert (is_in(here), is_in(there)) == (True, False), "everywhere else they are signed out"
    assert site.browser("192.0.2.4").password("maria", PASSWORD).status_code == 403
    assert site.browser("192.0.2.4").password("maria", NEW).headers["location"] == "/sign-in/code"
    assert noted(site) == ["account.password_changed"]


def test_the_username_is_no_password(site):
    site.enrol("maria.the.gardener")
    browser = site.browser()
    browser.sign_in("maria.the.gardener")
    assert change(browser, PASSWORD, "Maria.The.Gardener").status_code == 422


def test_guesses_at_the_present_password_are_counted(two):
    _, here, _ = two
    answers = [change(here, f"guess {n}", NEW).status_code for n in range(6)]
    assert answers == [403] * 5 + [429]
    late = change(here, PASSWORD, NEW)
    assert (late.status_code, late.headers["retry-after"].isdigit()) == (429, True)


def test_another_app_is_connected(two):
    site, here, there = two
    begin = f"{PAGE}/app"
    assert here.post(begin, {"password": PASSWORD}).status_code == 422
    assert here.post(begin, {"password": "wrong", "code": site.code()}).status_code == 403
    assert here.post(begin, {"password": PASSWORD, "code": "000000"}).status_code == 403
    page = here.post(begin, {"password": PASSWORD, "code": site.code()})
    setup = re.search(r'name="setup" value="([^"]+)"', page.text)[1]
    code = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000)
    stolen = {"form_token": token(there.get(begin)), "setup": setup, "code": code}
    assert there.send(begin, stolen).status_code == 403, "it belongs to the session that began"
    done = here.send(begin, {"form_token": token(page), "setup": setup, "code": code})
    assert done.headers["location"] == f"{PAGE}?done=second_factor"
    assert not is_in(there)
    site.provider.later(60)
    other = site.browser("192.0.2.4")
    other.password("maria")
    assert other.post("/sign-in/code", {"code": site.code()}).status_code == 403
    fresh = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000)
    assert other.post("/sign-in/code", {"code": fresh}).headers["location"] == "/account"


def test_a_first_app_is_connected(site):
    site.enrol("plain", secret=None, proofing="low")
    browser = site.browser()
    browser.password("plain")
    assert 'data-state="none"' in browser.get(PAGE).text
    page = browser.post(f"{PAGE}/app", {"password": PASSWORD})
    setup = re.search(r'name="setup" value="([^"]+)"', page.text)[1]
    code = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000)
    browser.send(f"{PAGE}/app", {"form_token": token(page), "setup": setup, "code": code})
    assert 'data-state="connected"' in browser.get(PAGE).text
    assert site.browser("192.0.2.4").password("plain").headers["location"] == "/sign-in/code"


def test_a_disabled_person_changes_nothing(two):
    site, here, _ = two
    with site.provider.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    assert here.get(f"{PAGE}/password").headers["location"] == "/sign-in"
