"""JSON that two readers would read differently, or that costs too much: refused in the endpoint's form, nothing written (RFC 8259, RFC 8725 §2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from broker.clients import registered
from tests.actors import Agency
from tests.broker import signals
from tests.broker.untouched import untouched
from tests.broker.whole import ISSUER, Whole
from tests.conftest import NOW

JSON = "application/json"


@pytest.fixture(scope="module")
def callers(broker: Whole, agency: Agency) -> dict[str, Any]:
    """A good token for each endpoint that reads JSON."""
    receiver = signals.receiver(broker)
    receiver.create()
    maria = broker.present()
    given = agency.token(maria.shares(maria.comes_from(agency.asks())))
    with broker.parts.database.write() as tx:
        initial = registered.issue(tx, profile="baseline", uses=1000, expires=NOW + 10**15)
    return {"receiver": receiver, "agency": agency, "access": given["access_token"], "initial": initial}


# fmt: off
BODIES: list[tuple[str, bytes]] = [
    ("nothing",                   b""),
    ("no JSON",                   b"{"),
    ("a list",                    b"[]"),
    ("a number",                  b"7"),
    ("a text",                    b'"x"'),
    ("null",                      b"null"),
    ("two values",                b"{}{}"),
    ("more behind it",            b"{} x"),
    ("a comment",                 b"{/**/}"),
    ("a member twice",            b'{"stream_id":"a","stream_id":"b"}'),
    ("a member twice, spelled otherwise", b'{"stream_id":"a","stream\\u005fid":"b"}'),
    ("a member twice, deep",      b'{"delivery":{"method":"a","method":"b"}}'),
    ("not a number",              b'{"maxEvents":NaN}'),
    ("infinite",                  b'{"maxEvents":Infinity}'),
    ("minus infinite",            b'{"maxEvents":-Infinity}'),
    ("too large for a float",     b'{"default_max_age":1e400}'),
    ("a number of 5,000 digits",  b'{"maxEvents":' + b"9" * 5000 + b"}"),
    ("100 deep",                  b'{"a":' * 100 + b"1" + b"}" * 100),
    ("2,500 deep",                b'{"a":' * 2500 + b"1" + b"}" * 2500),
    ("lists 8,000 deep",          b'{"a":' + b"[" * 8000 + b"]" * 8000 + b"}"),
    ("half a character",          b'{"description":"\\ud800"}'),
    ("no UTF-8",                  b'{"description":"\xff"}'),
    ("UTF-16",                    '{"stream_id":"a"}'.encode("utf-16")),
    ("a byte order mark",         b"\xef\xbb\xbf{}"),
    ("a NUL",                     b'{"description":"\x00"}'),
]
# fmt: on
PATHS = ["/register", "/credential", "/ssf/streams", "/ssf/status", "/ssf/subjects/add", "/ssf/verify", "/ssf/poll/{}"]
CODES = {"/register": "invalid_client_metadata", "/credential": "invalid_credential_request"}


def send(callers: dict[str, Any], path: str, body: bytes, kind: str = JSON) -> Any:
    receiver, agency = callers["receiver"], callers["agency"]
    headers = {"content-type": kind}
    if path == "/register":
        headers["Authorization"] = f"Bearer {callers['initial']}"
    else:
        who, token = (agency, callers["access"]) if path == "/credential" else (receiver.agency, receiver.token)
        headers |= {"Authorization": f"DPoP {token}", "DPoP": who.proof("POST", ISSUER + path, token)}
    return agency.http.post(path, content=body, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [row[1] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body(broker: Whole, callers: dict[str, Any], path: str, body: bytes) -> None:
    path = path.format(callers["receiver"].stream_id)
    with untouched(broker.parts.database):
        answer = send(callers, path, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in {CODES.get(path, "invalid_request"), "invalid_request"}
    assert answer.json().keys() <= {"error", "error_description", "correlation_id"}
    assert answer.headers["content-type"] == JSON


@pytest.mark.parametrize("path", PATHS)
def test_a_body_too_large(broker: Whole, callers: dict[str, Any], path: str) -> None:
    with untouched(broker.parts.database):
        answer = send(callers, path.format(callers["receiver"].stream_id), b'{"a":"' + b"x" * 70_000 + b'"}')
    assert answer.status_code == 413


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/jsonp", "multipart/form-data; boundary=b"])  # fmt: skip
def test_another_type(broker: Whole, callers: dict[str, Any], path: str, kind: str) -> None:
    with untouched(broker.parts.database):
        answer = send(callers, path.format(callers["receiver"].stream_id), b"{}", kind)
    assert answer.status_code in {400, 415}
