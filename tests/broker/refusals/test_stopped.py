"""A client that is stopped is stopped everywhere at once, whatever it still holds (protocol §4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.actors import Agency
from tests.broker.allowed import change
from tests.broker.untouched import untouched
from tests.broker.whole import Whole

DEVICE, CIBA = "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"


@pytest.fixture(scope="module")
def held(broker: Whole, agency: Agency) -> dict[str, str]:
    """Everything a client can hold, got while it could."""
    maria = broker.present()
    given = agency.token(maria.shares(maria.comes_from(agency.asks())))
    data = agency.data(given["access_token"]).json()
    code = agency.receives(maria.open(agency.asks()))["code"]
    waiting = agency.post("/device_authorization", {"client_id": agency.client_id, "scope": f"openid use:{agency.use}"})
    return {
        "access token": given["access_token"],
        "refresh token": given.get("refresh_token", "none"),
        "grant": data["grant_id"],
        "own token": agency.own_token(),
        "code": code,
        "device code": waiting.json()["device_code"],
        "request": agency.push().json()["request_uri"],
        "hint": given["id_token"],
    }


@pytest.fixture(scope="module", autouse=True)
def stopped(broker: Whole, agency: Agency, held: dict[str, str]) -> Iterator[None]:
    change(broker, agency.client_id, disabled=True)
    yield
    change(broker, agency.client_id, disabled=False)


def post(path: str, **given: str) -> Callable[[Agency, dict[str, str]], httpx2.Response]:
    def send(agency: Agency, held: dict[str, str]) -> httpx2.Response:
        form = {name: held.get(value, value) for name, value in given.items()}
        return agency.post(path, {"client_id": agency.client_id, **form})

    return send


def ask(method: str, path: str, token: str) -> Callable[[Agency, dict[str, str]], httpx2.Response]:
    def send(agency: Agency, held: dict[str, str]) -> httpx2.Response:
        body: Any = {} if method in {"POST", "PATCH", "PUT"} else None
        return agency.call(method, path.format(**held), token=held[token], json=body)

    return send


def push(agency: Agency, _held: dict[str, str]) -> httpx2.Response:
    return agency.push()


def redeem(agency: Agency, held: dict[str, str]) -> httpx2.Response:
    return agency.redeem(held["code"])


# fmt: off
EVERYWHERE: list[tuple[str, Callable[[Agency, dict[str, str]], httpx2.Response], str]] = [
    ("push",                    push,                                                                              "invalid_client"),
    ("device",                  post("/device_authorization", scope="openid"),                                    "invalid_client"),
    ("code",                    redeem,                                                                            "invalid_client"),
    ("refresh",                 post("/token", grant_type="refresh_token", refresh_token="refresh token"),         "invalid_client"),
    ("client credentials",      post("/token", grant_type="client_credentials", scope="ssf.manage"),               "invalid_client"),
    ("device code",             post("/token", grant_type=DEVICE, device_code="device code"),                      "invalid_client"),
    ("behind the front",        post("/backchannel_authentication", scope="openid", login_hint="maria"),           "invalid_client"),
    ("behind the front: token", post("/token", grant_type=CIBA, auth_req_id="x"),                                  "invalid_client"),
    ("introspection",           post("/introspection", token="access token"),                                      "invalid_client"),
    ("revocation",              post("/revocation", token="access token"),                                         "invalid_client"),
    ("userinfo",                ask("GET", "/userinfo", "access token"),                                           "invalid_token"),
    ("userinfo by POST",        ask("POST", "/userinfo", "access token"),                                          "invalid_token"),
    ("prefill",                 ask("GET", "/prefill", "access token"),                                            "invalid_token"),
    ("credential",              ask("POST", "/credential", "access token"),                                        ""),
    ("grant",                   ask("GET", "/grants/{grant}", "own token"),                                        "invalid_token"),
    ("grant, its own",          ask("GET", "/grants/{grant}", "access token"),                                     "invalid_token"),
    ("grant given back",        ask("DELETE", "/grants/{grant}", "access token"),                                  "invalid_token"),
    ("stream",                  ask("GET", "/ssf/streams", "own token"),                                           "invalid_token"),
    ("stream made",             ask("POST", "/ssf/streams", "own token"),                                          "invalid_token"),
    ("stream changed",          ask("PATCH", "/ssf/streams", "own token"),                                         "invalid_token"),
    ("stream deleted",          ask("DELETE", "/ssf/streams", "own token"),                                        "invalid_token"),
    ("status",                  ask("GET", "/ssf/status", "own token"),                                            "invalid_token"),
    ("verification",            ask("POST", "/ssf/verify", "own token"),                                           "invalid_token"),
    ("poll",                    ask("POST", "/ssf/poll/x", "own token"),                                           "invalid_token"),
]
# fmt: on
#: Where the client is looked up in the act itself: the proof is used up, as by any refusal that comes so late.
JUDGED_LAST = [row[1] for row in EVERYWHERE if row[0].startswith("userinfo")]


@pytest.mark.parametrize(("send", "code"), [row[1:] for row in EVERYWHERE], ids=[row[0] for row in EVERYWHERE])
def test_whatever_it_holds(broker: Whole, agency: Agency, held: dict[str, str], send: Any, code: str) -> None:
    spent = {"replay"} if send in JUDGED_LAST else set()
    with untouched(broker.parts.database, *spent):
        answer = send(agency, held)
    if code:
        assert (answer.status_code, answer.json()["error"]) == (401, code)
    else:
        assert answer.status_code in {400, 401, 403}


def test_every_endpoint_that_asks_who_is_there_is_in_the_table() -> None:
    """A new one is a row above."""
    from broker.openapi.operations import OPERATIONS

    callers = {"client", "client or wallet", "access token", "own token"}
    wanted = {one.path.split("{")[0].rstrip("/") for one in OPERATIONS if one.caller in callers}
    named = {"/par", "/token", "/device_authorization", "/introspection", "/revocation", "/userinfo", "/prefill"}
    named |= {"/backchannel_authentication"}
    named |= {"/credential", "/grants", "/ssf/streams", "/ssf/status", "/ssf/verify", "/ssf/poll"}
    assert wanted - named - {"/ssf/subjects/add", "/ssf/subjects/remove"} == set()


@pytest.mark.parametrize("query", ["client_id={client}&request_uri={request}", "client_id={client}&request_uri=urn:x"])
def test_nobody_is_sent_there(broker: Whole, agency: Agency, held: dict[str, str], query: str) -> None:
    """A page, no redirect, and no journey."""
    browser = broker.client()
    with untouched(broker.parts.database):
        answer = browser.get("/authorize?" + query.format(client=agency.client_id, request=held["request"]))
    assert answer.status_code in {400, 403}
    assert "location" not in answer.headers
    assert 'id="correlation-id"' in answer.text


def test_another_that_asks_about_its_token(broker: Whole, held: dict[str, str]) -> None:
    other = broker.agency("norr-planning")
    assert other.push().status_code == 201
    for kind in ("access token", "own token"):
        with untouched(broker.parts.database, "replay"):
            answer = other.call("POST", "/introspection", form={"client_id": other.client_id, "token": held[kind]})
        assert answer.json() == {"active": False}
