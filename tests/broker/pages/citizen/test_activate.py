"""An activation link: looking uses nothing up, the last form does, once; whoever has only the link gets nowhere."""

import re
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from sqlalchemy import select, update

from broker.people import activation, activity, people
from broker.people.people import Enrolment, Profile
from broker.tables import activation as table
from broker.tables import person, session
from tests.broker.pages.citizen.visiting import PASSWORD, SECRET, Browser, Site, text, token

HOUR = activation.HOUR
CHOSEN = "nine green bottles"


def made(site: Site, username: str = "nora", proofing: str = "substantial") -> str:
    """Somebody whom the support desk has just made."""
    parts = site.provider.parts
    with parts.database.write() as tx:
        new = Enrolment(username, people.UNSET, None, proofing, Profile("Nora"))
        return people.enrol(tx, parts.vault, parts.roots, new, site.provider.now)


def link(site: Site, person_id: str, purpose: str = "account", hours: int = 24) -> str:
    with site.provider.database.write() as tx:
        secret = activation.issue(tx, person_id, purpose, site.provider.now + hours * HOUR)
    return f"/activate/{secret}"


def first(browser: Browser, path: str, username: str = "nora", chosen: str = CHOSEN, **more: str):
    return browser.post(path, {"username": username, "new_password": chosen, "action": "continue", **more})


def shown_secret(page) -> str:
    return re.search(r'id="secret"[^>]*><bdi>([^<]+)', page.text)[1].replace(" ", "")


def second(browser: Browser, path: str, page, code: str | None = None):
    right = pyotp.TOTP(shown_secret(page)).at(browser.site.provider.now // 1_000_000)
    setup = re.search(r'name="setup" value="([^"]+)"', page.text)[1]
    given = {"form_token": token(page), "setup": setup, "code": right if code is None else code, "action": "confirm"}
    return browser.send(path, given)


def row(site: Site):
    with site.provider.database.read() as tx:
        return tx.execute(select(person)).one()


def sessions(site: Site) -> list[str]:
    with site.provider.database.read() as tx:
        return list(tx.execute(select(session.c.acr).where(session.c.closed == 0)).scalars())


def outcome(page) -> tuple[int, str]:
    return page.status_code, re.search(r'data-outcome="([^"]+)"', page.text)[1]


def test_a_person_sets_password_and_app_and_is_signed_in(site):
    of = made(site)
    path, browser = link(site, of), site.browser()
    page = first(browser, path)
    assert page.status_code == 200
    assert row(site).password_hash == people.UNSET, "until the code is right nothing is stored"
    answer = second(browser, path, page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/security?done=account")
    assert [acr.rsplit("/", 1)[1] for acr in sessions(site)] == ["substantial"]
    told = text(browser.get("/account/security?done=account"))
    assert 'data-state="connected"' in told
    assert "Your account is ready" in told
    with site.provider.database.read() as tx:
        assert [one["type"] for one in activity.read(tx, site.provider.parts.vault, of)] == ["account.activated"]


def test_what_was_set_signs_in(site):
    path, browser = link(site, made(site)), site.browser()
    page = first(browser, path)
    second(browser, path, page)
    site.provider.later(60)  # the code of the set-up counts no more
    other = site.browser("192.0.2.9")
    assert other.password("Nora", CHOSEN).headers["location"] == "/sign-in/code"
    used = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000 - 60)
    assert other.post("/sign-in/code", {"code": used}).status_code == 403
    fresh = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000)
    assert other.post("/sign-in/code", {"code": fresh}).headers["location"] == "/account"


def test_only_a_hash_of_the_link_is_stored(site):
    path = link(site, made(site))
    with site.provider.database.read() as tx:
        stored = tx.execute(select(table)).one()
    assert path.rsplit("/", 1)[1] not in repr(stored)


def test_looking_uses_nothing_up(site):
    """A mail program that opens the link ahead, however often and however."""
    path, mail = link(site, made(site)), site.browser("192.0.2.77", **{"sec-purpose": "prefetch"})
    for _ in range(20):
        assert mail.get(path).status_code == 200
        assert mail.client.head(path).status_code in {200, 405}
    browser = site.browser()
    assert second(browser, path, first(browser, path)).status_code == 303


def test_a_link_counts_once(site):
    path, browser = link(site, made(site)), site.browser()
    page = first(browser, path)
    assert second(browser, path, page).status_code == 303
    stored = row(site).password_hash
    assert outcome(browser.get(path)) == (410, "used")
    assert outcome(second(browser, path, page)) == (410, "used")
    assert row(site).password_hash == stored


def test_of_two_at_the_same_moment_one_counts(site):
    path = link(site, made(site))
    browsers = [site.browser(f"192.0.2.{n}") for n in range(4)]
    pages = [first(browser, path, chosen=f"{CHOSEN} {n}") for n, browser in enumerate(browsers)]
    with ThreadPoolExecutor(4) as hands:
        answers = list(hands.map(lambda pair: second(pair[0], path, pair[1]), zip(browsers, pages, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [303, 410, 410, 410]
    assert len(sessions(site)) == 1


@pytest.mark.parametrize(
    ("after", "expected"), [("newer", (404, "unknown")), ("expired", (410, "expired")), ("disabled", (404, "unknown"))]
)
def test_a_link_that_counts_no_more(site, after, expected):
    of = made(site)
    path, browser = link(site, of), site.browser()
    page = first(browser, path)
    if after == "newer":
        link(site, of)
    elif after == "expired":
        site.provider.later(24 * 3600)
    else:
        with site.provider.database.write() as tx:
            tx.execute(update(person).values(disabled=1))
    assert outcome(browser.get(path)) == expected
    assert outcome(second(browser, path, page)) == expected
    assert row(site).password_hash == people.UNSET


def test_nobody_knows_a_link_that_never_was(site):
    assert outcome(site.browser().get("/activate/" + "A" * 43)) == (404, "unknown")
    assert outcome(site.browser().get("/activate/x")) == (404, "unknown")


def test_the_link_alone_is_not_enough(site):
    """Whoever finds it must know the username, too; the page does not say it, and guesses are counted."""
    path, thief = link(site, made(site)), site.browser()
    assert "nora" not in thief.get(path).text.lower()
    answers = [first(thief, path, username=guess).status_code for guess in ("maria", "n", "norah", "x", "y", "nora")]
    assert answers == [403] * 5 + [429]
    assert row(site).password_hash == people.UNSET


def test_what_a_password_must_be(site):
    path, browser = link(site, made(site, "nora.lind")), site.browser()
    for chosen, why in [
        ("", "Enter a new password"),
        ("short 7", "too short"),
        ("password1234", "Choose another"),
        ("nora.lind2026", "guess from your name"),
    ]:
        answer = first(browser, path, username="nora.lind", chosen=chosen)
        site.provider.later(1800)  # the attempts are counted
        assert answer.status_code == 422, chosen
        assert why in text(answer), chosen


def test_a_wrong_first_code_shows_the_same_app_again(site):
    path, browser = link(site, made(site)), site.browser()
    page = first(browser, path)
    for wrong, status in (("000000", 403), ("", 422)):
        again = second(browser, path, page, wrong)
        assert again.status_code == status
        assert shown_secret(again) == shown_secret(page), "nobody has to scan twice"
    assert second(browser, path, again).status_code == 303


def test_what_the_form_carries_is_this_browsers_and_this_links(site):
    """The sealed set-up of one link opens nothing elsewhere, and not after a quarter of an hour."""
    path, browser = link(site, made(site)), site.browser()
    page = first(browser, path)
    other_path, other = link(site, made(site, "olga")), site.browser()
    other.get(other_path)
    stolen = re.search(r'name="setup" value="([^"]+)"', page.text)[1]
    code = pyotp.TOTP(shown_secret(page)).at(site.provider.now // 1_000_000)
    for where, by in ((other_path, other), (path, other)):
        given = {"form_token": token(by.get(where)), "setup": stolen, "code": code}
        assert by.send(where, given).status_code == 403
    site.provider.later(16 * 60)
    assert second(browser, path, page).status_code == 403
    assert browser.send(path, {"form_token": "0" * 64, "setup": stolen, "code": code}).status_code == 403


def test_a_new_password_needs_the_app_that_is_left(site):
    """NIST SP 800-63B-4 §4.2: one recovery method and a remaining authenticator."""
    of = site.enrol("maria")
    other = site.browser("192.0.2.9")
    other.sign_in("maria")
    site.provider.later(60)
    path, browser = link(site, of, "password"), site.browser()
    assert first(browser, path, "maria").status_code == 422
    assert first(browser, path, "maria", code="000000").status_code == 403
    answer = first(browser, path, "maria", code=site.code())
    assert answer.headers["location"] == "/account/security?done=password"
    assert other.get("/account/security").headers["location"] == "/sign-in", "whatever was signed in is no more"
    site.provider.later(60)
    third = site.browser("192.0.2.10")
    assert third.password("maria", PASSWORD).status_code == 403
    assert third.password("maria", CHOSEN).headers["location"] == "/sign-in/code"


def test_a_new_app_needs_the_password_that_is_left(site):
    of = site.enrol("maria")
    path, browser = link(site, of, "second_factor"), site.browser()
    for given in ({"username": "maria", "password": "wrong"}, {"username": "other", "password": PASSWORD}):
        assert browser.post(path, given).status_code == 403
    page = browser.post(path, {"username": "maria", "password": PASSWORD})
    assert shown_secret(page) != SECRET
    assert second(browser, path, page).headers["location"] == "/account/security?done=second_factor"
    site.provider.later(60)
    other = site.browser("192.0.2.10")
    assert other.password("maria").headers["location"] == "/sign-in/code"
    assert other.post("/sign-in/code", {"code": site.code()}).status_code == 403, "the old app counts no more"


def test_a_password_alone_is_longer(site):
    of = site.enrol("plain", secret=None, proofing="low")
    path, browser = link(site, of, "password"), site.browser()
    assert "15 characters" in text(first(browser, path, "plain", "nine bottles"))
    answer = first(browser, path, "plain")
    assert answer.headers["location"] == "/account/security?done=password"
    assert [acr.rsplit("/", 1)[1] for acr in sessions(site)] == ["low"]


def test_an_account_that_waits_lets_nobody_in(site):
    made(site)
    assert site.browser().password("nora", "").status_code == 422
    assert site.browser().password("nora", "anything at all").status_code == 403
