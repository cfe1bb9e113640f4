"""Who is calling: browser, session, form, and language, each believed only as far as it is proven."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import Request

from broker import needs
from broker.answers import Cookie, Redirect
from broker.errors import Wire
from broker.sign_in import session
from broker.tables import session as sessions
from tests.broker.whole import ISSUER, Whole

MINUTE = 60
FORM = "application/x-www-form-urlencoded"


def asked(whole: Whole, query: str = "", body: str = "", address: str = "192.0.2.7", **headers: str) -> Request:
    """A request to the running broker; `headers` with underscores for hyphens."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    given = {"content-type": FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": (address, 5000) if address else None,
        "app": whole.app,
    }
    return Request(scope, receive)


def started(whole: Whole, state: Any = "full") -> tuple[str, session.Session]:
    """A session of `maria`, as a sign-in leaves it."""
    person_id = whole.person_ids.setdefault("maria", "") or whole.enrol("maria")
    whole.person_ids["maria"] = person_id
    with whole.parts.database.write() as tx:
        return session.start(
            tx, person_id, state=state, acr="x", amr=("pwd", "otp"), now=whole.clock(), idle=1800, longest=43_200
        )


def cookies(**values: str) -> str:
    return "; ".join(f"__Host-{name.replace('_', '-')}={value}" for name, value in values.items())


# fmt: off
LANGUAGES = [
    # ?lang=        cookie      Accept-Language                     language
    ("",            "",         "",                                 "en"),
    ("lang=ar",     "",         "",                                 "ar"),
    ("lang=ar",     "en",       "en",                               "ar"),
    ("",            "ar",       "en",                               "ar"),
    ("",            "",         "ar",                               "ar"),
    ("",            "",         "fr, ar-EG;q=0.8, en;q=0.7",        "ar"),
    ("",            "",         "fr, de",                           "en"),
    ("",            "",         "en;q=0.1, ar;q=0.9",               "ar"),
    ("",            "",         "en;q=0",                           "ar"),
    ("lang=xx",     "",         "ar",                               "ar"),
    ("lang=../ar",  "",         "",                                 "en"),
    ("",            "xx",       "",                                 "en"),
    ("",            "",         "fr," * 200 + "ar",                 "en"),  # the rest of an endless list is not read
]
# fmt: on


@pytest.mark.parametrize(("query", "cookie", "accepted", "language"), LANGUAGES)
def test_the_language(whole: Whole, query: str, cookie: str, accepted: str, language: str) -> None:
    request = asked(whole, query, cookie=cookies(semel_lang=cookie), accept_language=accepted)
    assert needs.language(request) == language


@pytest.mark.parametrize(("query", "kept"), [("lang=ar", True), ("lang=xx", False), ("", False)])
def test_a_chosen_language_is_kept(whole: Whole, query: str, *, kept: bool) -> None:
    named = [cookie for cookie in needs.visitor(asked(whole, query)).cookies if cookie.name == "__Host-semel-lang"]
    assert named == ([Cookie("__Host-semel-lang", "ar", needs.LANGUAGE_SECONDS)] if kept else [])


def test_a_browser_is_known_by_a_cookie_of_256_bits(whole: Whole) -> None:
    first = needs.visitor(asked(whole))
    assert [cookie.name for cookie in first.cookies] == ["__Host-semel-browser"]
    assert len(first.browser) == 43
    again = needs.visitor(asked(whole, cookie=cookies(semel_browser=first.browser)))
    assert (again.browser, again.cookies) == (first.browser, ())
    assert needs.visitor(asked(whole, cookie=cookies(semel_browser="short"))).browser != "short"
    assert first.browser.encode() not in first.browser_hash


def test_a_form_of_another_site_replaces_no_browser(whole: Whole) -> None:
    """It comes without our cookies (SameSite=Lax); a new one would end what the browser's own began."""
    assert needs.visitor(asked(whole, body="a=b")).cookies == ()


@pytest.mark.parametrize("state", ["full", "password"])
def test_a_session_is_looked_up_once_a_request(whole: Whole, state: str) -> None:
    held, live = started(whole, state)
    request = asked(whole, cookie=cookies(semel=held))
    assert needs.visitor(request).session == live
    with whole.parts.database.write() as tx:
        session.end(tx, live)
    assert needs.visitor(request).session == live, "one answer for the whole of a request"
    assert needs.visitor(asked(whole, cookie=cookies(semel=held))).session is None


@pytest.mark.parametrize("state", ["password", None])
def test_half_a_session_and_none_open_nothing(whole: Whole, state: str | None) -> None:
    held = started(whole, state)[0] if state else ""
    with pytest.raises(needs.Stop) as stop:
        needs.signed_in(asked(whole, cookie=cookies(semel=held)))
    assert stop.value.answer == Redirect("/sign-in")


def test_a_full_session_opens(whole: Whole) -> None:
    held, live = started(whole)
    assert needs.signed_in(asked(whole, cookie=cookies(semel=held))) == live


def test_nobody_is_looked_up_when_the_database_does_not_answer(whole: Whole) -> None:
    held, live = started(whole)
    request = asked(whole, cookie=cookies(semel=held))
    assert needs.anybody(request).session is None
    assert needs.visitor(request).session == live
    assert needs.anybody(request).session == live, "known already"


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (59, False), (60, True), (1799, True)])
def test_that_a_session_is_used_is_noted_once_a_minute(whole: Whole, seconds: int, *, due: bool) -> None:
    held, live = started(whole)
    whole.clock.later(seconds)
    request = asked(whole, cookie=cookies(semel=held))
    needs.visitor(request)
    assert (needs.unnoted(request) is not None) == due
    with whole.parts.database.write() as tx:
        needs.note_use(tx, request, whole.clock())
        until = tx.execute(select(sessions.c.idle_until)).scalar_one()
    assert until == live.idle_until + (seconds * 1_000_000 if due else 0)


def test_a_look_that_asked_for_nobody_is_not_noted(whole: Whole) -> None:
    held, _ = started(whole)
    whole.clock.later(MINUTE)
    assert needs.unnoted(asked(whole, cookie=cookies(semel=held))) is None


def filled(whole: Whole, token: str | None = None, held: str = "", browser: str = "b" * 43, **headers: str) -> Any:
    """Send a form; without a token the one that the page would have carried."""
    known = cookies(semel=held, semel_browser=browser)
    if token is None:
        token = needs.visitor(asked(whole, cookie=known)).form_token
    request = asked(whole, body=f"form_token={token}&x=1", cookie=known, **headers)
    return asyncio.run(needs.form(request))


# fmt: off
SITES = [
    # Sec-Fetch-Site        Origin                      accepted    (Fetch Metadata §2.4, RFC 9110 §4.3)
    ("same-origin",         ISSUER,                     True),
    ("same-origin",         "",                         True),
    ("same-origin",         "null",                     True),  # what a strict referrer policy makes of it
    ("",                    ISSUER,                     True),
    ("",                    "",                         True),
    ("cross-site",          ISSUER,                     False),
    ("same-site",           ISSUER,                     False),
    ("none",                "",                         False),
    ("cross-site",          "",                         False),
    ("",                    "https://evil.example",     False),
    ("",                    "null",                     False),
    ("",                    ISSUER + ".evil.example",   False),
    ("",                    ISSUER.upper(),             False),
]
# fmt: on


@pytest.mark.parametrize(("site", "origin", "accepted"), SITES)
def test_where_a_form_comes_from(whole: Whole, site: str, origin: str, *, accepted: bool) -> None:
    headers = {name: value for name, value in {"sec_fetch_site": site, "origin": origin}.items() if value}
    if accepted:
        assert filled(whole, **headers)["x"] == "1"
        return
    with pytest.raises(Wire) as problem:
        filled(whole, **headers)
    assert (problem.value.refusal.code, problem.value.refusal.status) == ("cross_site", 403)


@pytest.mark.parametrize("token", ["", "zz", "00" * 32, "é", "ab"])
def test_a_form_without_its_token_changes_nothing(whole: Whole, token: str) -> None:
    with pytest.raises(Wire) as problem:
        filled(whole, token)
    assert (problem.value.refusal.code, problem.value.refusal.status) == ("form_expired", 403)


def test_a_form_belongs_to_one_browser_and_one_session(whole: Whole) -> None:
    held, _ = started(whole)
    other, _ = started(whole)
    token = needs.visitor(asked(whole, cookie=cookies(semel=held, semel_browser="b" * 43))).form_token
    assert filled(whole, token, held)["x"] == "1"
    for elsewhere in ({"held": other}, {"held": ""}, {"held": held, "browser": "c" * 43}):
        with pytest.raises(Wire, match="form_expired"):
            filled(whole, token, **elsewhere)


def test_a_form_is_good_after_a_restart(whole: Whole) -> None:
    token = needs.visitor(asked(whole, cookie=cookies(semel_browser="b" * 43))).form_token
    whole.restart()
    assert filled(whole, token)["x"] == "1"


def test_cookies_are_named_by_the_policy_in_force(whole: Whole) -> None:
    assert needs.cookie_name(True, "semel") == "__Host-semel"
    assert needs.cookie_name(False, "semel") == "semel"
    assert needs.set_cookie(whole.parts, "semel", "v", 5) == Cookie("__Host-semel", "v", 5)
    assert needs.drop_cookie(whole.parts, "semel") == Cookie("__Host-semel", delete=True)
    assert needs.cookie(asked(whole, cookie="semel=plain"), "semel") == "", "a plain cookie is not ours on https"
