"""RP-initiated logout: who may ask, what is asked, where nobody is sent (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from broker.authorization import logout_request
from broker.database import Database
from broker.tokens import id_token
from keys import jws
from tests.broker import leaving as leavings
from tests.broker.leaving import CHILDCARE, PLANNING, Leaving
from tests.broker.whole import ISSUER

BACK = "https://norr-childcare.example/signed-out"
BACK_QUERY = "https://norr-childcare.example/out?a=1"
BACK_LOOPBACK = "http://127.0.0.1:8101/out"
STATE = 'x&y=1 #ü"<>' + "s" * 384


@pytest.fixture
def leaving(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Leaving]:
    with leavings.running(database, database_url, tmp_path, now) as running:
        running.register(CHILDCARE, post_logout_redirect_uris=(BACK, BACK_QUERY, BACK_LOOPBACK))
        yield running


@pytest.fixture
def stays(leaving: Leaving) -> Iterator[Callable[[], None]]:
    """What must hold after a refusal: nobody was signed out and nobody was told."""

    def check() -> None:
        assert leaving.sessions() == 1
        assert leaving.waiting() == []
        assert leaving.told[CHILDCARE].got == leaving.told[PLANNING].got == []

    yield check
    check()


def present(leaving: Leaving, client_id: str = CHILDCARE) -> tuple[Any, str]:
    """A person who came from an agency, and its ID token."""
    maria = leaving.whole.present()
    return maria, leaving.signs_in(maria, client_id)[1]["id_token"]


def signed_in(leaving: Leaving) -> tuple[Any, str]:
    """Somebody signed in, and an ID token of this server as an agency would hold it: without the way there."""
    maria = leaving.whole.present()
    about = {"subject": "s", "client_id": CHILDCARE, "acr": "a", "sid": "x", "now": leaving.whole.clock()}
    return maria, id_token.mint(leaving.whole.parts.keyring, issuer=ISSUER, **about)


def ask(person: Any, method: str = "GET", **given: str) -> Any:
    """An agency's link or form, followed to the question; the last answer."""
    http = person.walker.http
    if method == "GET":
        answer = http.get(f"{ISSUER}/logout", params=given)
    else:  # from another site: no cookie of ours comes along
        answer = leavings.cookieless(http).post(f"{ISSUER}/logout", data=given)
    if answer.status_code == 303 and answer.headers["location"].startswith(("/logout?", "/problem?")):
        answer = http.get(ISSUER + answer.headers["location"])
    return answer


def decide(person: Any, page: Any, button: str = "sign-out") -> Any:
    shown = person.walker._page(page)
    form = person.fields(shown, "logout") | {"action": button}
    return person.walker.http.post(ISSUER + shown.get("logout")["action"], data=form)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("uri", "state", "location"),
    [
        (BACK, None, BACK),
        (BACK, STATE, f"{BACK}?state={quote(STATE, safe='')}"),
        (BACK, "s " * 10_000, f"{BACK}?state={quote('s ' * 10_000, safe='')}"),
        (BACK_QUERY, "s", f"{BACK_QUERY}&state=s"),
        (BACK_LOOPBACK, None, BACK_LOOPBACK),
        (None, "s", "/signed-out"),
    ],
)
def test_asked_then_signed_out_and_back(
    leaving: Leaving, method: str, uri: str | None, state: str | None, location: str
) -> None:
    """§2, §3: GET and POST; `state` comes back exactly; the session is gone and its agencies are told."""
    maria, hint = present(leaving)
    given = {"id_token_hint": hint, "post_logout_redirect_uri": uri, "state": state, "logout_hint": "maria"}
    page = ask(maria, method, **{name: value for name, value in given.items() if value is not None})
    assert page.status_code == 200
    assert leaving.sessions() == 1  # not before the press
    answer = decide(maria, page)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert leaving.sessions() == 0
    leaving.logout_token(CHILDCARE)
    agency = leaving.whole.agency()
    said = agency.receives(maria.open(agency.asks(prompt="none")))
    assert said == {"error": "login_required"}


def test_nothing_of_what_was_sent_stays_in_an_address_or_on_the_page(leaving: Leaving) -> None:
    """The ID token names the person: it goes no further than the first answer."""
    maria, hint = signed_in(leaving)
    first = maria.walker.http.get(f"{ISSUER}/logout", params={"id_token_hint": hint, "logout_hint": "maria@post"})
    assert first.status_code == 303
    assert first.headers["referrer-policy"] == "no-referrer"
    assert hint.split(".")[1] not in first.headers["location"]
    page = maria.walker.http.get(ISSUER + first.headers["location"])
    assert hint.split(".")[1] not in page.text
    assert "maria@post" not in page.text + first.headers["location"]


def test_the_question_says_who_asks_and_lets_the_form_end_there_only(leaving: Leaving) -> None:
    maria, hint = signed_in(leaving)
    page = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK)
    shown = maria.walker._page(page)
    assert {e["value"] for e in shown.get("logout").find_all("button", name="action")} == {"sign-out", "stay"}
    assert CHILDCARE in page.text
    assert "form-action 'self' https://norr-childcare.example;" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    plain = ask(maria, id_token_hint=hint)
    assert "form-action 'self';" in plain.headers["content-security-policy"]


def test_staying_changes_nothing(leaving: Leaving, stays: Callable[[], None]) -> None:
    maria, hint = signed_in(leaving)
    answer = decide(maria, ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK), "stay")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_with_nothing_at_all(leaving: Leaving) -> None:
    """§2: every parameter is optional."""
    maria, _ = present(leaving)
    page = ask(maria)
    assert page.status_code == 200
    assert decide(maria, page).headers["location"] == "/signed-out"
    assert leaving.sessions() == 0
    assert ask(maria).headers["location"] == "/signed-out"


def test_whoever_is_not_signed_in_goes_straight_back(leaving: Leaving) -> None:
    maria, hint = present(leaving)
    decide(maria, ask(maria))
    answer = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK, state="s", client_id=CHILDCARE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BACK}?state=s")


def test_an_id_token_that_has_expired_still_counts(leaving: Leaving) -> None:
    """§2: the OP should accept ID tokens that have expired; of a month, here."""
    maria, hint = signed_in(leaving)
    leaving.whole.clock.later(29 * 86_400)
    assert ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK).headers["location"] == BACK
    leaving.whole.clock.later(2 * 86_400)
    refused = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert refused.status_code == 400


def test_another_persons_hint_ends_nothing_without_a_press(leaving: Leaving) -> None:
    """§2: the OP must ask when the ID token is not of the current session."""
    _, hint = present(leaving)
    other = leaving.whole.citizen("other")
    leaving.signs_in(other, PLANNING)
    page = ask(other, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert other.walker._page(page).has("logout")
    assert leaving.sessions() == 2
    assert decide(other, page).headers["location"] == BACK
    assert leaving.sessions() == 1
    leaving.logout_token(PLANNING)
    assert leaving.told[CHILDCARE].got == []


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def altered(hint: str) -> str:
    head, _, signature = hint.split(".")
    claims = jwt.decode(hint, options={"verify_signature": False})
    return f"{head}.{_b64(claims | {'sub': 'x'})}.{signature}"


def unsigned(hint: str) -> str:
    return f"{_b64({'alg': 'none', 'typ': 'JWT'})}.{hint.split('.')[1]}."


def foreign(hint: str) -> str:
    claims = jwt.decode(hint, options={"verify_signature": False})
    kid = jwt.get_unverified_header(hint)["kid"]
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": kid})


def symmetric(hint: str) -> str:
    claims = jwt.decode(hint, options={"verify_signature": False})
    return jwt.encode(claims, "k" * 32, "HS256", headers={"kid": jwt.get_unverified_header(hint)["kid"]})


BAD_HINTS = [altered, unsigned, foreign, symmetric, lambda hint: hint + "x", lambda _: "x", lambda hint: "x" * 17_000]


@pytest.mark.parametrize("spoil", BAD_HINTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_hint_is_a_page(
    leaving: Leaving, stays: Callable[[], None], method: str, spoil: Callable[[str], str]
) -> None:
    """§2, §4: other issuer's, altered, unsigned, no token at all: no redirect, nobody signed out."""
    maria, hint = signed_in(leaving)
    answer = ask(maria, method, id_token_hint=spoil(hint), post_logout_redirect_uri=BACK)
    refused(answer)


def refused(answer: Any, code: str = "invalid_logout") -> None:
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert f'data-code="{code}"' in answer.text
    assert 'id="correlation-id"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["logout", "response", "access"])
def test_another_token_of_ours_is_no_hint(leaving: Leaving, stays: Callable[[], None], kind: str) -> None:
    """Signed by the same key for the same client (RFC 8725 §3.11)."""
    maria, hint = signed_in(leaving)
    claims = jwt.decode(hint, options={"verify_signature": False})
    typ = {"logout": "logout+jwt", "response": "JWT", "access": "at+jwt"}[kind]
    if kind == "response":  # a signed authorization response (JARM) names nobody
        claims.pop("sub")
    key = leaving.whole.parts.keyring.signer()
    refused(ask(maria, id_token_hint=jws.sign(key, claims, typ=typ), post_logout_redirect_uri=BACK))


#: §3 and `redirect_uri`'s own table: only what was registered, character for character.
NOT_REGISTERED = [
    "https://norr-childcare.example/Signed-out", "https://norr-childcare.example/signed-out/", f"{BACK}?x=1",
    f"{BACK}#", f"{BACK};x", "https://norr-childcare.example/./signed-out", "https://norr-childcare.example:443/signed-out",
    "https://norr-childcare.example/%73igned-out", "HTTPS://norr-childcare.example/signed-out", "//norr-childcare.example/signed-out",
    "https://norr-childcare.example@evil.example/signed-out", "https://norr-childcare.example\\@evil.example", "/signed-out",
    "https://norr-childcare.example/signed-out\t", "https://norr-childcare.example/signed-out%0d%0aSet-Cookie:x=1",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "https://norr-planning.example/callback",
    "https://norr-childcare.example/callback", "http://127.0.0.1:8102/out", "http://localhost:8101/out", "https://n\u043err-childcare.example/signed-out",
]  # fmt: skip


@pytest.mark.parametrize("uri", NOT_REGISTERED)
def test_nobody_is_sent_where_nobody_registered(leaving: Leaving, stays: Callable[[], None], uri: str) -> None:
    maria, hint = signed_in(leaving)
    refused(ask(maria, id_token_hint=hint, post_logout_redirect_uri=uri))


@pytest.mark.parametrize(
    "given",
    [
        {"post_logout_redirect_uri": BACK},
        {"post_logout_redirect_uri": BACK, "client_id": CHILDCARE},
        {"post_logout_redirect_uri": BACK, "client_id": CHILDCARE, "logout_hint": "maria"},
        {"client_id": "nobody"},
        {"client_id": PLANNING, "id_token_hint": "{hint}"},
        {"client_id": PLANNING, "id_token_hint": "{hint}", "post_logout_redirect_uri": BACK},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_does_not_hold_together_is_a_page(
    leaving: Leaving, stays: Callable[[], None], method: str, given: dict[str, str]
) -> None:
    maria, hint = signed_in(leaving)
    refused(ask(maria, method, **{name: value.replace("{hint}", hint) for name, value in given.items()}))


@pytest.mark.parametrize("name", ["id_token_hint", "post_logout_redirect_uri", "state", "client_id", "logout_request"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_given_twice(leaving: Leaving, stays: Callable[[], None], method: str, name: str) -> None:
    maria, _ = signed_in(leaving)
    sent, form = f"{name}=a&{name}=b", {"content-type": "application/x-www-form-urlencoded"}
    if method == "GET":
        answer = maria.walker.http.get(f"{ISSUER}/logout?{sent}")
        if answer.status_code == 303:  # an address with an ID token in it does not stay
            assert name == "id_token_hint"
            answer = maria.walker.http.get(ISSUER + answer.headers["location"])
    else:
        answer = maria.walker.http.post(f"{ISSUER}/logout", content=sent, headers=form)
    refused(answer, "invalid_request")


def test_a_disabled_clients_hint_leads_nowhere(leaving: Leaving, stays: Callable[[], None]) -> None:
    maria, hint = signed_in(leaving)
    kept = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK)
    leaving.register(CHILDCARE, disabled=True)
    refused(ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK))
    again = maria.walker.http.get(str(kept.url))  # asked before, looked at after
    assert CHILDCARE not in again.text
    assert "https://norr-childcare" not in again.headers["content-security-policy"]


@pytest.mark.parametrize("late", [False, True])
def test_what_was_registered_when_it_was_asked_must_be_registered_when_it_is_pressed(
    leaving: Leaving, late: bool
) -> None:
    maria, hint = signed_in(leaving)
    page = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK)
    if late:
        leaving.whole.clock.later(logout_request.KEPT_SECONDS - 3000)
    leaving.register(CHILDCARE, post_logout_redirect_uris=(BACK_QUERY,))
    assert decide(maria, page).headers["location"] == "/signed-out"


NOT_OURS = [
    "x",
    "AAAA",
    "",
    "é",
    "a" * 5000,
    "a" * 9000,
    "x\r\nSet-Cookie: a=b",
    "x&action=stay",
    '"><script>',
    "\u202e",
]


@pytest.mark.parametrize("sealed", NOT_OURS)
def test_what_we_did_not_keep_goes_into_no_address(leaving: Leaving, stays: Callable[[], None], sealed: str) -> None:
    """An aged form leads back to the question, by an address that holds nothing of a stranger's."""
    maria, _ = signed_in(leaving)
    maria.open("/logout")  # a browser that sends no cookie of ours is told so instead
    form = {"action": "sign-out", "form_token": "00" * 32}
    answer = maria.walker.http.post(f"{ISSUER}/logout/decision", params={"logout_request": sealed}, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] in {"/logout?logout_request=", f"/logout?logout_request={sealed}"}
    assert answer.headers["location"].isascii()
    assert not any(mark in answer.headers["location"] for mark in '\r\n&"<> ')


@pytest.mark.parametrize("sealed", NOT_OURS)
def test_a_request_that_we_did_not_keep_is_an_empty_one(
    leaving: Leaving, stays: Callable[[], None], sealed: str
) -> None:
    maria, _ = signed_in(leaving)
    page = maria.walker.http.get(f"{ISSUER}/logout", params={"logout_request": sealed})
    assert page.status_code == 200
    assert "form-action 'self';" in page.headers["content-security-policy"]


def test_what_was_kept_is_good_for_an_hour(leaving: Leaving) -> None:
    maria, hint = signed_in(leaving)
    url = str(ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK).url)
    decide(maria, ask(maria))
    assert maria.walker.http.get(url).headers["location"] == BACK
    leaving.whole.clock.later(logout_request.KEPT_SECONDS)
    assert maria.walker.http.get(url).headers["location"] == "/signed-out"


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"form_token": ""}, {}, 303),
        ({"form_token": "00" * 32}, {}, 303),
        ({}, {"sec-fetch-site": "cross-site"}, 403),
        ({}, {"sec-fetch-site": "same-site"}, 403),
        ({}, {"origin": "https://evil.example"}, 403),
    ],
)
def test_no_other_page_presses_the_button(
    leaving: Leaving, stays: Callable[[], None], changed: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """A form that is not ours records nothing; an old one of ours asks again."""
    maria, hint = signed_in(leaving)
    shown = maria.walker._page(ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK))
    form = maria.fields(shown, "logout") | {"action": "sign-out"} | changed
    answer = maria.walker.http.post(ISSUER + shown.get("logout")["action"], data=form, headers=headers)
    assert answer.status_code == status
    if status == 303:
        assert answer.headers["location"] == shown.get("logout")["action"].replace("/decision", "")


def test_the_language_of_the_agencys_page_goes_on(leaving: Leaving) -> None:
    maria, hint = signed_in(leaving)
    page = ask(maria, id_token_hint=hint, ui_locales="fr ar-EG en")
    assert '<html lang="ar" dir="rtl"' in page.text
    chosen = maria.walker.http.get(f"{page.url}&lang=en")
    assert '<html lang="en"' in chosen.text
    assert '<html lang="en"' in ask(maria, id_token_hint=hint, ui_locales="ar").text


def test_pressed_twice_is_told_once(leaving: Leaving) -> None:
    maria, hint = present(leaving)
    page = ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert decide(maria, page).headers["location"] == BACK
    again = decide(maria, page)  # its token was the ended session's: asked again, and nobody is there to be asked
    assert maria.walker.http.get(ISSUER + again.headers["location"]).headers["location"] == BACK
    leaving.logout_token(CHILDCARE)


def test_discovery_names_it(leaving: Leaving) -> None:
    told = leaving.whole.agency().metadata()
    assert urlsplit(told["end_session_endpoint"]).path == "/logout"
    assert told["backchannel_logout_supported"] is told["backchannel_logout_session_supported"] is True


def test_the_address_says_nothing_readable(leaving: Leaving) -> None:
    maria, hint = signed_in(leaving)
    url = str(ask(maria, id_token_hint=hint, post_logout_redirect_uri=BACK, state="readable").url)
    (sealed,) = parse_qs(urlsplit(url).query)["logout_request"]
    opened = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert not any(word in opened for word in (b"readable", b"norr-childcare", hint.split(".")[1].encode()))
