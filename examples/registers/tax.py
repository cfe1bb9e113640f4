"""The sample tax register: a small web service of its own that answers about one person a time to a client it knows.

POST /token      client credentials (RFC 6749 §4.4) for a bearer token (RFC 6750)
POST /evidence   {"person_number", "items", "phase", "reference"} -> {"items": {name: {"status", "value", "as_of"}}}
PUT  /fault      {"fault": "slow" | "down" | "malformed" | null, "seconds"} makes everything fail so: for tests and demonstrations
GET  /healthz    whether it is up
"""

import base64
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote_plus

from examples.registers.people import Person

CLIENT_ID = "semel"
TOKEN_SECONDS = 300
FAULTS = ("slow", "down", "malformed")
SLOW_SECONDS = 12.0
ITEMS = ("taxable_band", "iban")
LONGEST = 16_384


class TaxRegister:
    """The service: starts on a port of loopback (0: any free one), knows its people, can be told to fail."""

    def __init__(self, people: Iterable[Person], secret: str, *, port: int = 0) -> None:
        self._known = {person.number: person.tax for person in people if person.tax is not None}
        self._secret = secret
        self._tokens: dict[str, float] = {}
        self._fault: str | None = None
        self._seconds = SLOW_SECONDS
        self.asked: list[tuple[str, tuple[str, ...]]] = []  # phase and items of every question; never whose
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"register": self}))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "TaxRegister":
        """Serve in a thread, until `stop`."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def serve(self) -> None:
        """Serve here, until interrupted."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def fault(self, kind: str | None, *, seconds: float = SLOW_SECONDS) -> None:
        """From now on fail for everyone in this way (see FAULTS), or no more."""
        if kind is not None and kind not in FAULTS:
            raise ValueError(f"a fault is one of {', '.join(FAULTS)}")
        self._fault, self._seconds = kind, seconds

    def forget_tokens(self) -> None:
        """End every access token before its time."""
        self._tokens.clear()

    def token(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """The token endpoint's status and body."""
        scheme, _, basic = authorization.partition(" ")
        try:
            name, _, secret = base64.b64decode(basic, validate=True).decode().partition(":")
        except ValueError:
            name = secret = ""
        known = hmac.compare_digest(unquote_plus(secret).encode(), self._secret.encode())
        if scheme.lower() != "basic" or unquote_plus(name) != CLIENT_ID or not known:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        made = secrets.token_urlsafe(32)
        self._tokens[made] = time.monotonic() + TOKEN_SECONDS
        return 200, {"access_token": made, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    def evidence(self, authorization: str, question: dict[str, Any]) -> tuple[int, dict[str, Any] | bytes]:
        """The data endpoint's status and body; bytes are sent as they are."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or self._tokens.get(token, 0.0) < time.monotonic():
            return 401, {"error": "invalid_token"}
        items = question.get("items")
        if not isinstance(items, list) or not items or not set(items) <= set(ITEMS):
            return 400, {"error": "invalid_request"}
        self.asked.append((str(question.get("phase")), tuple(items)))
        known = self._known.get(str(question.get("person_number")))
        fault = self._fault or (known or {}).get("fault")
        if fault == "slow":
            time.sleep(self._seconds)
        elif fault == "down":
            return 503, {"error": "temporarily_unavailable"}
        elif fault == "malformed":
            return 200, b'{"items": {"taxable_band": {"status": "provided", "value": ["B'
        if known is None:
            return 404, {"error": "unknown_person"}
        return 200, {"items": {name: _item(known, name) for name in items}}


def _item(known: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in known:
        return {"status": "not_held"}
    return {"status": "provided", "value": known[name], "as_of": known["as_of"]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked went away before the answer; nothing to say about it."""


class _Handler(BaseHTTPRequestHandler):
    register: ClassVar[TaxRegister]
    protocol_version = "HTTP/1.1"
    timeout = 20
    server_version, sys_version = "tax", ""

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, {"status": "up"})
        elif self.path == "/asked":
            self._answer(200, {"count": len(self.register.asked)})
        else:
            self._answer(404, {"error": "not_found"})

    def do_POST(self) -> None:
        body, authorization = self._body(), self.headers.get("Authorization", "")
        if self.path == "/token":
            self._answer(*self.register.token(authorization, parse_qs(body.decode("utf-8", "replace"))))
        elif self.path == "/evidence":
            self._answer(*self.register.evidence(authorization, _object(body)))
        else:
            self._answer(404, {"error": "not_found"})

    def do_PUT(self) -> None:
        told = _object(self._body())
        if self.path != "/fault":
            self._answer(404, {"error": "not_found"})
            return
        try:
            self.register.fault(told.get("fault"), seconds=float(told.get("seconds", SLOW_SECONDS)))
        except (TypeError, ValueError):
            self._answer(400, {"error": "invalid_request"})
        else:
            self._answer(200, {"fault": told.get("fault")})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        return self.rfile.read(min(int(length), LONGEST)) if length.isdecimal() else b""

    def _answer(self, status: int, body: dict[str, Any] | bytes) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """A register keeps no access log here."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def secret(path: Path) -> str:
    """The client secret that the broker is given: made at the first start, in a file only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    return path.read_text("utf-8").strip()
