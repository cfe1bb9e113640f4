"""Secrets are long, never alike, and never in a log line, whether a request succeeds or is refused (protocol §2, §5)."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from tests.actors import Agency
from tests.broker.whole import Whole

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def journey(broker: Whole, agency: Agency, username: str) -> dict[str, str]:
    """Walk through everything once; every secret that was seen on the way."""
    maria = broker.present(username)
    pushed = agency.push().json()["request_uri"]
    page = maria.comes_from(agency.address(pushed))
    code = agency.receives(maria.shares(page))["code"]
    asked = dict(agency.asked)
    given = agency.redeem(code).json()
    agency.data(given["access_token"])
    waiting = agency.post("/device_authorization", {"client_id": agency.client_id, "scope": f"openid use:{agency.use}"})
    cookies = {f"cookie {name}": str(value) for name, value in maria.walker.http.cookies.items()}
    return {
        "request_uri": pushed.rsplit(":", 1)[1],
        "code": code,
        "verifier": asked["verifier"],
        "state": asked["state"],
        "nonce": asked["nonce"],
        "access token": given["access_token"],
        "ID token": given["id_token"],
        **({"refresh token": given["refresh_token"]} if "refresh_token" in given else {}),
        "device code": waiting.json()["device_code"],
        "user code": waiting.json()["user_code"],
        "assertion": agency.assertion(),
        "proof": agency.proof("GET", agency.issuer, None),
        "next nonce": str(agency.nonce),
        **cookies,
    }


def test_nothing_secret_is_logged(broker: Whole, agency: Agency, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    seen = journey(broker, agency, "logged")
    good = {name: text for name, text in seen.items() if len(text) >= 9}
    for text in good.values():  # each where it is refused
        agency.redeem(text)
        agency.post("/token", {"grant_type": "refresh_token", "refresh_token": text})
        agency.post("/revocation", {"client_id": agency.client_id, "token": text})
        agency.call("POST", "/par", form={"client_id": agency.client_id, "request": text})
        agency.call("GET", "/userinfo", token=text.replace(" ", ""))
        agency.http.get("/userinfo", params={"access_token": text})
        agency.http.get("/authorize", params={"client_id": text, "state": text})
        agency.http.post("/token", data={"client_assertion": text, "client_secret": text, "grant_type": text})
    said = capfd.readouterr()
    lines = said.out + said.err
    assert lines.count('"event": "request"') > 50, "the log is looked at"
    assert [name for name, text in good.items() if text in lines] == []


#: What must not be guessed: at least 128 bits each (RFC 6749 §10.10), of letters that all occur alike.
GUESSED = ("request_uri", "code", "refresh token", "device code")


def test_they_cannot_be_guessed(broker: Whole, agency: Agency) -> None:
    walks = [journey(broker, agency, f"guessed-{n}") for n in range(3)]
    for name in GUESSED:
        made = [walk[name] for walk in walks if name in walk]
        assert len(set(made)) == len(made)
        assert made or name == "refresh token"
        for text in made:
            assert re.fullmatch(r"[A-Za-z0-9_-]{43,}", text), name
            assert measured(text) > 128, name


def measured(text: str) -> float:
    """The bits of a text, as if each letter were drawn with the frequency it has in it."""
    counts = [text.count(letter) for letter in set(text)]
    return sum(-count * math.log2(count / len(text)) for count in counts)


@pytest.mark.parametrize("name", ["semel-browser", "semel"])
def test_cookies_cannot_be_guessed(broker: Whole, name: str) -> None:
    maria: Any = broker.present(f"cookie-{name}")
    maria.open("/account")
    held = {key.removeprefix("__Host-"): str(value) for key, value in maria.walker.http.cookies.items()}
    assert measured(held[name]) > 128
