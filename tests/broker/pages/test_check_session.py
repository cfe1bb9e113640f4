"""Front-channel logout and session management: there where the operator asked for them, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.clients.metadata import ClientMetadata
from broker.database import Database
from broker.settings import Settings
from tests.broker import leaving as leavings
from tests.broker.leaving import CHILDCARE, PLANNING, Leaving
from tests.broker.relying import CALLBACK, Key, client
from tests.broker.whole import ISSUER

FRONT = "https://norr-childcare.example/front?a=1"
BACK = "https://norr-childcare.example/signed-out"
STATE = "__Host-semel-browser-state"
Started = Callable[..., Leaving]


@pytest.fixture
def start(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Started]:
    with ExitStack() as stack:

        def made(**settings: Any) -> Leaving:
            running = stack.enter_context(leavings.running(database, database_url, tmp_path, now, **settings))
            running.register(
                CHILDCARE,
                post_logout_redirect_uris=(BACK,),
                frontchannel_logout_uri=FRONT,
                frontchannel_logout_session_required=True,
            )
            return running

        yield made


def cookies(answer: Any) -> list[str]:
    return [line for line in answer.headers.get_list("set-cookie") if line.startswith(STATE)]


def press_sign_out(person: Any) -> Any:
    page = person.open("/sign-out")
    return person.walker.http.post(page.url, data=person.fields(page, "sign-out") | {"action": "sign-out"})


def test_by_default_there_is_neither(start: Started) -> None:
    leaving = start()
    maria, agency = leaving.whole.present(), leaving.whole.agency()
    told = agency.metadata()
    assert not {"check_session_iframe", "frontchannel_logout_supported"} & told.keys()
    assert leaving.whole.client().get("/session/check").status_code == 404
    said = agency.receives(maria.shares(maria.comes_from(agency.asks())))
    assert said.keys() == {"code"}
    answer = press_sign_out(maria)
    assert (answer.status_code, answer.headers["location"], cookies(answer)) == (303, "/signed-out", [])


@pytest.mark.parametrize(
    ("issuer", "offered"),
    [("https://id.example", {"frontchannel_logout", "session_management"}), ("http://localhost:8000", set())],
)
def test_neither_is_offered_over_http(issuer: str, offered: set[str]) -> None:
    asked = {"legacy_frontchannel_logout": True, "legacy_session_management": True}
    assert Settings(issuer=issuer, mode="demo", **asked).legacy == offered  # type: ignore[arg-type]  # settings by name
    assert Settings(issuer=issuer, mode="demo").legacy == set()


def test_the_agencys_address_is_shown_in_a_frame(start: Started) -> None:
    """Front-Channel Logout 1.0 §2, §3: with `iss` and `sid` where it asked for them; the letter goes out all the same."""
    leaving = start(legacy_frontchannel_logout=True)
    told = leaving.whole.agency().metadata()
    assert told["frontchannel_logout_supported"] is told["frontchannel_logout_session_supported"] is True
    maria = leaving.whole.present()
    _, known = leaving.signs_in(maria)
    leaving.signs_in(maria, PLANNING)  # registered no such address
    answer = press_sign_out(maria)
    assert answer.status_code == 200
    shown = maria.walker._page(answer)
    (frame,) = shown.content.find_all("iframe")
    address, query = frame["src"].split("&", 1)
    assert address == FRONT
    assert parse_qs(query) == {"iss": [ISSUER], "sid": [known["sid"]]}
    assert "frame-src https://norr-childcare.example" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert leaving.sessions() == 0
    leaving.logout_token(CHILDCARE)


def test_on_the_way_back_to_the_agency_too(start: Started) -> None:
    leaving = start(legacy_frontchannel_logout=True)
    maria = leaving.whole.present()
    _, known = leaving.signs_in(maria)
    answer = maria.walker.http.get(
        f"{ISSUER}/logout",
        params={"id_token_hint": known["id_token"], "post_logout_redirect_uri": BACK, "state": "s"},
    )
    page = maria.open(ISSUER + answer.headers["location"])
    form = maria.fields(page, "logout") | {"action": "sign-out"}
    gone = maria.walker.http.post(ISSUER + page.get("logout")["action"], data=form)
    assert gone.status_code == 200
    shown = maria.walker._page(gone)
    assert len(list(shown.content.find_all("iframe"))) == 1
    assert f"{BACK}?state=s" in [e["href"] for e in shown.content.find_all("a")]


def test_without_sessions_names_where_none_is_asked_for(start: Started) -> None:
    leaving = start(legacy_frontchannel_logout=True)
    leaving.register(CHILDCARE, frontchannel_logout_session_required=False, backchannel_logout_uri=None)
    maria = leaving.whole.present()
    leaving.signs_in(maria)
    (frame,) = maria.walker._page(press_sign_out(maria)).content.find_all("iframe")
    assert frame["src"] == FRONT
    assert leaving.told[CHILDCARE].got == []


def test_a_disabled_clients_address_is_not_shown(start: Started) -> None:
    leaving = start(legacy_frontchannel_logout=True)
    maria = leaving.whole.present()
    leaving.signs_in(maria)
    leaving.register(CHILDCARE, disabled=True)
    assert press_sign_out(maria).status_code == 303


@pytest.mark.parametrize(
    "uri", ["https://evil.example/out", "https://rp.example:8443/out", "http://127.0.0.1/out", "javascript:alert(1)"]
)
def test_an_address_in_a_frame_is_the_clients_own(uri: str) -> None:
    """§2: domain, port and scheme are those of a registered redirect URI."""
    assert client(Key(), frontchannel_logout_uri=f"{CALLBACK}/out").frontchannel_logout_uri
    with pytest.raises(ValueError, match=r"frontchannel_logout_uri|https|address"):
        client(Key(), frontchannel_logout_uri=uri)
    assert "frontchannel_logout_uri" in ClientMetadata.model_fields


def test_session_state_comes_with_the_code_and_fits_the_cookie(start: Started) -> None:
    """Session Management 1.0 §2, §3.2."""
    leaving = start(legacy_session_management=True)
    maria, agency = leaving.whole.present(), leaving.whole.agency()
    page = maria.press(maria.comes_from(agency.asks()), "consent", "share", item=[])
    answer = maria.walker.http.post(page.url, data=maria.fields(page, "done") | {"action": "continue"})
    (line,) = cookies(answer)
    assert "SameSite=none" in line
    assert "Secure" in line
    assert "HttpOnly" not in line
    assert "Domain" not in line
    state = line.partition("=")[2].partition(";")[0]
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert said.keys() == {"code", "iss", "state", "session_state"}
    found, salt = said["session_state"][0].split(".")
    text = f"{CHILDCARE} https://norr-childcare.example {state} {salt}"
    assert found == hashlib.sha256(text.encode()).hexdigest()
    assert agency.metadata()["check_session_iframe"] == f"{ISSUER}/session/check"


def test_the_cookie_authorises_nothing(start: Started) -> None:
    leaving = start(legacy_session_management=True)
    maria, agency = leaving.whole.present(), leaving.whole.agency()
    maria.shares(maria.comes_from(agency.asks()))
    (kept,) = [one for one in maria.walker.http.cookies.jar if one.name == STATE]
    stranger = leaving.whole.client()
    stranger.cookies.set(STATE, kept.value, domain="id.norr.example", path="/")
    stranger.cookies.set("__Host-semel", kept.value, domain="id.norr.example", path="/")
    assert stranger.get("/account").headers["location"] == "/sign-in"


def test_signing_out_takes_it_away(start: Started) -> None:
    leaving = start(legacy_session_management=True)
    maria, agency = leaving.whole.present(), leaving.whole.agency()
    maria.shares(maria.comes_from(agency.asks()))
    (line,) = cookies(press_sign_out(maria))
    assert line.startswith((f'{STATE}="";', f"{STATE}=;"))
    assert "Max-Age=0" in line
    assert "SameSite=none" in line


def test_the_frame_may_be_framed_and_nothing_else(start: Started) -> None:
    leaving = start(legacy_session_management=True)
    http = leaving.whole.client()
    answer = http.get("/session/check")
    assert answer.status_code == 200
    assert "x-frame-options" not in answer.headers
    assert "frame-ancestors https:;" in answer.headers["content-security-policy"]
    assert not answer.headers.get_list("set-cookie")
    assert f'data-cookie="{STATE}"' in answer.text
    script = answer.text.split('src="')[1].split('"')[0]
    assert "postMessage" in http.get(script).text
    for path in ("/", "/sign-in", "/signed-out", "/logout"):
        shown = http.get(path)
        if shown.status_code == 200:
            assert shown.headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
