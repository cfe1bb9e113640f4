"""Signing in and out: half a session opens nothing, attempts are counted, nobody is locked out from afar."""

import re

import pytest
from sqlalchemy import select, update

from broker import needs
from broker.answers import Refusal
from broker.authorization import pushed
from broker.pages.citizen import sign_in
from broker.people import people
from broker.sign_in.attempts import NAMES, Counted
from broker.tables import person, session
from keys import opaque
from tests.broker.pages.citizen.visiting import PASSWORD, SECRET, text

COOKIE = "__Host-semel"


def live(site):
    with site.provider.database.read() as tx:
        return [
            (row.state, row.acr.rsplit("/", 1)[1], row.amr)
            for row in tx.execute(select(session).where(session.c.closed == 0))
        ]


def test_password_then_code_leads_to_the_account(site):
    site.enrol("maria")
    browser = site.browser()
    first = browser.password("Maria ")
    assert (first.status_code, first.headers["location"]) == (303, "/sign-in/code")
    assert live(site) == [("password", "low", "pwd")]
    half = browser.client.cookies[COOKIE]
    second = browser.post("/sign-in/code", {"code": site.code()})
    assert (second.status_code, second.headers["location"]) == (303, "/account")
    assert live(site) == [("full", "substantial", "pwd otp mfa")]
    assert browser.client.cookies[COOKIE] != half
    assert browser.get("/sign-in").headers["location"] == "/account"


def test_a_password_alone_reaches_the_low_level(site):
    site.enrol("plain", secret=None, proofing="low")
    answer = site.browser().password("plain")
    assert answer.headers["location"] == "/account"
    assert live(site) == [("full", "low", "pwd")]


def test_somebody_identified_poorly_stays_at_low_with_a_code(site):
    site.enrol("maria", proofing="low")
    site.browser().sign_in("maria")
    assert live(site) == [("full", "low", "pwd otp mfa")]


def test_cookies_follow_the_https_issuer(site):
    site.enrol("maria")
    browser = site.browser()
    answer = browser.password("maria")
    for line in answer.headers.get_list("set-cookie"):
        assert line.startswith("__Host-semel")
        assert {"httponly", "secure", "path=/", "samesite=lax"} <= set(line.lower().split("; "))
        assert "domain" not in line.lower()


@pytest.mark.parametrize(
    ("username", "secret", "status", "said"),
    [
        ("", PASSWORD, 422, "Enter your username and your password"),
        ("maria", "", 422, "Enter your username and your password"),
        ("maria", "wrong password", 403, "The username or the password is not right"),
        ("nobody", PASSWORD, 403, "The username or the password is not right"),
        ("off", PASSWORD, 403, "The username or the password is not right"),
        ("<b>x</b>", "x" * 60_000, 403, "The username or the password is not right"),
    ],
)
def test_refused(site, username, secret, status, said):
    site.enrol("maria")
    off = site.enrol("off")
    with site.provider.database.write() as tx:
        tx.execute(update(person).where(person.c.person_id == off).values(disabled=1))
    answer = site.browser().password(username, secret)
    assert answer.status_code == status
    assert said in text(answer)
    assert "<b>x</b>" not in answer.text
    assert secret not in answer.text or not secret
    assert live(site) == []


def test_half_a_session_opens_nothing_and_ends_after_ten_minutes(site):
    site.enrol("maria")
    browser = site.browser()
    browser.password("maria")
    assert browser.get("/sign-in").status_code == 200
    assert browser.get("/sign-in/code").status_code == 200
    site.provider.later(601)
    late = browser.get("/sign-in/code")
    assert (late.status_code, 'action="/sign-in"' in late.text, "ran out of time" in late.text) == (200, True, True)


def test_the_code_page_is_for_the_half_signed_in(site):
    site.enrol("maria")
    browser = site.browser()
    assert browser.get("/sign-in/code").headers["location"] == "/sign-in"
    assert browser.post("/sign-in", {}).status_code == 422
    browser.sign_in("maria")
    assert browser.get("/sign-in/code").headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    ("code", "status", "said"), [("", 422, "code"), ("000000x", 403, "code"), ("12 34 5", 403, "code")]
)
def test_wrong_codes(site, code, status, said):
    site.enrol("maria")
    browser = site.browser()
    browser.password("maria")
    answer = browser.post("/sign-in/code", {"code": code})
    assert answer.status_code == status
    assert 'id="one-time-code"' in answer.text
    assert live(site) == [("password", "low", "pwd")]


def test_a_code_that_was_used_opens_no_second_session(site):
    site.enrol("maria")
    site.browser().sign_in("maria")
    other = site.browser()
    other.password("maria")
    assert other.post("/sign-in/code", {"code": site.code()}).status_code == 403
    assert ("password", "low", "pwd") in live(site)


def test_a_form_of_another_browser_or_site_is_refused(site):
    site.enrol("maria")
    browser = site.browser()
    stolen = re.search(r'name="form_token"[^>]*?value="(\w+)"', site.browser().get("/sign-in").text)[1]
    given = {"username": "maria", "password": PASSWORD, "form_token": stolen}
    browser.get("/sign-in")
    stale = browser.send("/sign-in", given)
    assert (stale.status_code, 'id="sign-in"' in stale.text) == (403, True)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        answer = browser.post("/sign-in", given, headers=headers)
        assert (answer.status_code, 'id="problem"' in answer.text) == (403, True)
    assert live(site) == []


def test_attempts_on_a_name_are_limited_and_the_limit_passes(site):
    site.enrol("maria")
    strangers = site.browser()
    answers = [strangers.password("maria", "wrong password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "300"
    assert "Too many attempts. Wait 5 minutes" in text(answers[-1])
    assert strangers.password("maria").status_code == 429
    site.provider.later(301)
    assert strangers.password("maria").status_code == 303


def test_attempts_on_a_name_are_limited_wherever_they_come_from(site):
    site.enrol("maria")
    crowd = [site.browser(f"198.51.100.{n}") for n in range(11)]
    answers = [browser.password("maria", "wrong password") for browser in crowd]
    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    assert answers[-1].headers["retry-after"] == "120"
    assert site.browser().password("MARIA").status_code == 429
    site.provider.later(121)
    assert site.browser().password("MARIA").status_code == 303


def test_one_stranger_cannot_keep_anyone_out(site):
    """NIST SP 800-63B-4 §3.2.2: whoever hammers a name from one place uses up that place's tries, not the person's."""
    site.enrol("maria")
    stranger = site.browser("198.51.100.9")
    for _ in range(4):
        for _ in range(30):
            stranger.password("maria", "wrong password")
        assert (
            site.browser(f"192.0.2.{site.provider.now % 200 + 1}").password("maria", "mistyped once").status_code == 403
        )
        site.provider.later(301)
    assert site.browser().password("maria").status_code == 303


def test_an_unknown_name_is_limited_just_the_same(site):
    browser = site.browser()
    assert [browser.password("nobody", "x").status_code for _ in range(6)] == [403] * 5 + [429]


def test_strangers_cannot_lock_out_a_browser_that_signed_in_before(site):
    site.enrol("maria")
    own, strangers = site.browser(), site.browser("198.51.100.9")
    own.sign_in("maria")
    own.post("/sign-out", {"action": "sign-out"})
    for n in range(12):
        site.browser(f"198.51.100.{n}").password("maria", "wrong password")
    assert strangers.password("maria").status_code == 429
    site.provider.later(31)
    assert own.sign_in("maria").headers["location"] == "/account"


def test_being_known_does_not_carry_over_to_another_person_or_browser(site):
    site.enrol("maria")
    site.enrol("paul")
    own, other = site.browser(), site.browser("198.51.100.9")
    own.sign_in("maria")
    own.post("/sign-out", {"action": "sign-out"})
    for n in range(12):
        stranger = site.browser(f"198.51.100.{n}")
        stranger.password("paul", "wrong password")
        stranger.password("maria", "wrong password")
    assert own.password("paul").status_code == 429
    other.client.cookies.set("__Host-semel-known", own.client.cookies["__Host-semel-known"], domain="broker.example")
    assert other.password("maria").status_code == 429


def test_codes_are_limited_too(site):
    site.enrol("maria")
    browser = site.browser()
    browser.password("maria")
    answers = [browser.post("/sign-in/code", {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert browser.post("/sign-in/code", {"code": site.code()}).status_code == 429
    site.provider.later(301)
    assert browser.post("/sign-in/code", {"code": site.code()}).status_code == 303


def test_one_address_cannot_try_many_names(site):
    browser = site.browser()
    statuses = []
    with site.provider.database.write() as tx:
        from broker import throttle
        from broker.sign_in import attempts

        address = site.provider.parts.roots.ring("pepper").mac(b"semel/address/v1\x00192.0.2.1")
        while throttle.allow(tx, "sign-in-address", address, attempts.ADDRESS, site.provider.now) is None:
            statuses.append(None)
    assert len(statuses) == 100
    assert browser.password("somebody", "x").status_code == 429
    assert site.browser("198.51.100.9").password("somebody", "x").status_code == 403


def test_one_guess_at_each_of_many_names(site):
    """Password spraying: a network's names are counted, a name that was tried before or led in is none more."""
    site.enrol("maria")
    browser = site.browser()
    for n in range(NAMES.burst - 1):
        assert browser.password(f"name-{n}", "summer2026").status_code == 403
        assert site.browser().password("maria").headers["location"] == "/sign-in/code"
    assert browser.password("one-more", "summer2026").status_code == 403
    assert browser.password("too-many", "summer2026").status_code == 429
    assert browser.password("one-more", "summer2026").status_code == 403, "mistyping once more is no other name"
    assert site.browser("198.51.100.9").password("too-many", "summer2026").status_code == 403


def test_a_known_browser_is_let_in_whatever_its_network_does(site):
    """Never locked out: neither by names tried in the same network, nor by that network's attempts as a whole."""
    site.enrol("maria")
    own = site.browser()
    own.sign_in("maria")
    own.post("/sign-out", {"action": "sign-out"})
    stranger = site.browser()
    for n in range(NAMES.burst + 1):
        stranger.password(f"name-{n}", "summer2026")
    assert stranger.password("maria", "summer2026").status_code == 429
    site.provider.later(31)
    assert own.sign_in("maria").headers["location"] == "/account"


def test_a_session_in_use_stays_alive(site):
    site.enrol("maria")
    browser = site.browser()
    browser.sign_in("maria")
    for _ in range(4):
        site.provider.later(1000)
        assert browser.get("/sign-in").headers["location"] == "/account"
    site.provider.later(1801)
    assert browser.get("/sign-in").status_code == 200


def test_signing_in_again_ends_the_session_before(site):
    site.enrol("maria")
    browser = site.browser()
    browser.sign_in("maria")
    site.provider.later(31)
    path = _push(site, browser, prompt="login")
    browser.sign_in("maria", path=f"/i/{path}/sign-in")
    assert live(site) == [("full", "substantial", "pwd otp mfa")]


def test_signing_out(site):
    site.enrol("maria")
    browser = site.browser()
    browser.sign_in("maria")
    assert browser.post("/sign-out", {"action": "stay"}).headers["location"] == "/account"
    assert len(live(site)) == 1
    before = browser.client.cookies[COOKIE]
    answer = browser.post("/sign-out", {"action": "sign-out"})
    assert answer.headers["location"] == "/signed-out"
    assert COOKIE not in browser.client.cookies
    assert live(site) == []
    browser.client.cookies.set(COOKIE, before, domain="broker.example")
    assert browser.get("/sign-in").status_code == 200
    assert browser.get("/sign-out").headers["location"] == "/signed-out"
    assert browser.get("/signed-out").status_code == 200


def test_a_stale_sign_out_asks_again(site):
    site.enrol("maria")
    browser = site.browser()
    browser.sign_in("maria")
    answer = browser.send("/sign-out", {"action": "sign-out", "form_token": "00"})
    assert answer.headers["location"] == "/sign-out"
    assert len(live(site)) == 1


def _push(site, browser, **changed):
    provider, uri = site.provider, pushed.new_uri()
    browser.get("/sign-in")
    with provider.database.write() as tx:
        pushed.store(tx, provider.asked(**changed), uri, provider.now)
        own = opaque.digest(browser.client.cookies["__Host-semel-browser"])
        claimed = pushed.claim(tx, uri, "rp", own, provider.now)
    assert not isinstance(claimed, Refusal)
    return claimed.tx


def test_on_the_way_to_a_service_the_pages_say_which_and_lead_on(site):
    site.enrol("maria")
    browser = site.browser()
    public_id = _push(site, browser)
    use = site.provider.parts.uses.get("town.permit")
    for page in ("sign-in", "code"):
        seen = browser.get(f"/i/{public_id}/{page}")
        if page == "code":
            browser.password("maria", path=f"/i/{public_id}/sign-in")
            seen = browser.get(f"/i/{public_id}/code")
        assert use.controller.name["en"] in text(seen)
        assert f'action="/i/{public_id}/{page}"' in seen.text
    answer = browser.post(f"/i/{public_id}/code", {"code": site.code()})
    assert answer.headers["location"] == f"/i/{public_id}/continue"


def test_another_browser_or_an_ended_request_is_told_on_a_page(site):
    browser = site.browser()
    public_id = _push(site, browser)
    assert browser.get(f"/i/{public_id}/sign-in").status_code == 200
    other = site.browser()
    other.get("/sign-in")
    page = other.get(f"/i/{public_id}/sign-in")
    assert (page.status_code, 'data-code="invalid_request_uri"' in page.text) == (400, True)
    with site.provider.database.write() as tx:
        pushed.close(tx, public_id)
    assert browser.get(f"/i/{public_id}/sign-in").status_code == 400


def test_in_arabic(site):
    page = site.browser(**{"accept-language": "ar"}).get("/sign-in")
    assert '<html lang="ar"' in page.text.replace("'", '"')
    assert 'dir="rtl"' in page.text


@pytest.mark.parametrize("meanwhile", ["reset", "disabled", "app", "nothing"])
def test_what_changed_while_a_password_was_compared(site, meanwhile):
    """A reset is not undone by a sign-in that was under way, and an app that was just connected is asked for."""
    of = site.enrol("plain", secret=None, proofing="low")
    parts, roots = site.provider.parts, site.provider.parts.roots
    with parts.database.write() as tx:
        compared = people.by_id(tx, of)
        if meanwhile == "reset":
            people.renew_password(tx, of, people.UNSET)
        elif meanwhile == "disabled":
            tx.execute(update(person).values(disabled=1))
        elif meanwhile == "app":
            people.set_second_factor(tx, roots, of, SECRET, 0)
    seen = needs.Visitor("b" * 43, None, "en", "t", ())
    attempt = sign_in.Attempt(sign_in.Entrance(parts, seen, None, None), "plain", compared, "an old one", Counted(()))
    with parts.database.write() as tx:
        answer = sign_in.act_password(tx, attempt, site.provider.now)
        stored = people.by_id(tx, of).password_hash
    if meanwhile in {"reset", "disabled"}:
        assert (answer.status, live(site)) == (403, [])
        assert stored != "an old one"
    else:
        assert answer.location == ("/sign-in/code" if meanwhile == "app" else "/account")
        assert [state for state, *_ in live(site)] == ["password" if meanwhile == "app" else "full"]
