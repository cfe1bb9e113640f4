"""An agency's developer registers and runs their own client while the demo is being served (RFC 7591 §3)."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.broker.relying import Key, credentials
from tests.world import World

CALLBACK = "http://127.0.0.1:9876/callback"


class Keys(BaseHTTPRequestHandler):
    """A developer's program: it serves its keys on this machine."""

    key = Key()

    def do_GET(self) -> None:
        body = json.dumps({"keys": [self.key.jwk]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/jwk-set+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def key_set() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()


def semel(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, with the lines that the demo prints for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    settings = {"MODE": "demo", "ISSUER": world.issuer, "DATA_DIR": world.data, "CONFIG_DIR": world.data / "config"}
    settings["DATABASE_URL"] = world.database_url
    env = kept | {f"SEMEL_{name}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "broker.cli", "clients", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def exports(said: str) -> dict[str, str]:
    """What a shell reads of the output."""
    lines = [line.removeprefix("export ") for line in said.splitlines() if line.startswith("export ")]
    return dict(line.split("=", 1) for line in lines)


def test_a_client_of_ones_own_beside_a_running_server(world: World, key_set: str, tmp_path: Path) -> None:
    """Made, used with keys on this machine, and stopped; the server is never stopped for it."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"client_name": "Mine", "redirect_uris": [CALLBACK], "jwks_uri": key_set}))
    made = semel(world, "add", str(file))
    assert made.returncode == 0, made.stderr
    mine = exports(made.stdout)["CLIENT_ID"]
    form = credentials(Keys.key, world.clock() * 1_000_000, mine, aud=world.issuer)
    asked = world.http.post(f"{world.issuer}/introspection", data={**form, "token": "x"})
    assert (asked.status_code, asked.json()) == (200, {"active": False})
    assert semel(world, "disable", mine).returncode == 0
    form = credentials(Keys.key, world.clock() * 1_000_000, mine, aud=world.issuer)
    gone = world.http.post(f"{world.issuer}/introspection", data={**form, "token": "x"})
    assert (gone.status_code, gone.json()["error"]) == (401, "invalid_client")


def test_a_token_for_registering_beside_a_running_server(world: World) -> None:
    made = semel(world, "token", "--profile", "baseline")
    assert made.returncode == 0, made.stderr
    told = exports(made.stdout)
    body = {"client_name": "Mine", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_basic"}
    headers = {"Authorization": f"Bearer {told['INITIAL_ACCESS_TOKEN']}"}
    answer = world.http.post(told["REGISTRATION_ENDPOINT"], json=body, headers=headers)
    assert answer.status_code == 201, answer.text


def test_what_the_broker_refuses_is_told(world: World, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('client_name = "Mine"\nredirect_uris = ["https://mine.example/#x"]\n')
    refused = semel(world, "add", str(file))
    assert refused.returncode == 2
    assert "redirect_uris" in refused.stderr
    assert "correlation id" in refused.stderr
    assert semel(world, "add", str(tmp_path / "none.toml")).returncode == 2
