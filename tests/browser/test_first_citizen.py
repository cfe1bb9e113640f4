"""The first citizen of a fresh production installation: made by the support desk, activated in a browser, then a pre-fill at an agency.

The broker runs in mode production behind Debian's nginx, over TLS, beside the sample population register; the test plays the
support desk, the person and the agency.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from playwright.sync_api import BrowserContext

from broker import demo
from examples.registers import people, population
from keys.keyring import RootKeyring
from tests import machine_clock
from tests.actors import Agency, Secrets
from tests.broker.whole import _public_jwk
from tests.browser import qr
from tests.browser.window import Window, chromium
from tests.clients.service import Service, certified, program, run_proxy, wait
from tests.world import CHECKOUT, free_ports

AGENCY = "https://planning.norr.example"
OFFICE, USE = "norr-planning", "norr.building-permit"
USERNAME, PASSWORD = "m.santos", "seven lighthouses"
MEANT = {
    "agency.norr-childcare": "https://childcare.norr.example",
    "agency.norr-planning": AGENCY,
    "register.tax": "https://tax.norr.example",
}


class Trusting(Window):
    """A window whose browser was told to trust the test's authority."""

    def _context(self, **more: Any) -> BrowserContext:
        return super()._context(ignore_https_errors=True, **more)

    def sees_both(self, name: str, status: int = 200) -> None:
        """Look at the page in a wide window, and as a phone shows it."""
        for width in (320, self.width):
            self.page.set_viewport_size({"width": width, "height": 900})
            before, self.width = self.width, width
            self.sees(f"{name}-{width}", status)
            self.width = before


@dataclass
class Installation:
    """A production installation that nobody has used yet."""

    service: Service
    env: dict[str, str]
    stack: ExitStack
    maria: dict[str, Any]  # as the population register knows her

    def semel(self, *arguments: str, status: int = 0) -> Any:
        """Run a command of the operator; what it printed as JSON."""
        command = [sys.executable, "-m", "broker.cli", *arguments]
        done = subprocess.run(command, check=False, env=self.env, cwd=CHECKOUT, capture_output=True, text=True)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if "--json" in arguments and status == 0 else done.stderr

    def serve(self) -> None:
        """Start the broker, and the proxy before it."""
        plan, folder = self.service.plan, self.service.folder
        broker = program(self.stack, demo.commands(plan)["broker"], folder / "broker.log", self.env)
        with httpx2.Client(trust_env=False) as http:
            wait(http, f"http://127.0.0.1:{plan.port}/healthz", folder, broker)
        proxy = run_proxy(self.service, self.stack)
        with self.service.http() as http:
            wait(http, f"{self.service.issuer}/healthz", folder, proxy)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    first = free_ports(6)
    service = Service(tmp_path, demo.Plan(first, tmp_path / "data"), first + 4, first + 5, {}, [])
    ca = certified("CN=Test authority", ca=True)
    for name in ("ca.pem", "authorities.pem"):
        (tmp_path / name).write_bytes(ca.pem)
    names = (x509.DNSName("localhost"),)
    certified("CN=localhost", ca, names=names, use=ExtendedKeyUsageOID.SERVER_AUTH).write(tmp_path, "localhost")
    personas = CHECKOUT / "openid-config" / "personas.toml"
    population.build(tmp_path / "population.db", people.read(personas))
    secrets = {"secret": "s", "roots": RootKeyring.generate().text()}
    for name, text in secrets.items():
        with os.fdopen(os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)
    meant = MEANT | {
        "register.tax.secret-file": str(tmp_path / "secret"),
        "register.population": f"sqlite:///{tmp_path}/population.db",
    }
    demo.fill_config(CHECKOUT / "openid-config", tmp_path / "config", meant)
    (tmp_path / "config" / "personas.toml").unlink()
    client = tmp_path / "config" / "clients" / f"{OFFICE}.toml"
    kept = [line for line in client.read_text("utf-8").splitlines() if not line.startswith("jwks_uri")]
    jwk = "".join(f'{name} = "{value}"\n' for name, value in _public_jwk(tmp_path / "agency.pem").items())
    client.write_text("\n".join(kept) + f"\n\n[[jwks.keys]]\n{jwk}", "utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    env = inherited | {
        "SEMEL_MODE": "production",
        "SEMEL_ISSUER": service.issuer,
        "SEMEL_DATA_DIR": str(service.plan.data),
        "SEMEL_CONFIG_DIR": str(tmp_path / "config"),
        "SEMEL_KEY_ENCRYPTION_KEY_FILE": str(tmp_path / "roots"),
        "SEMEL_TRUSTED_PROXIES": "127.0.0.1",
    }
    (maria,) = [one for one in tomllib.loads(personas.read_text("utf-8"))["personas"] if one["id"] == "maria"]
    with ExitStack() as stack:
        yield Installation(service, env, stack, maria)


def secret_of(seen: Window) -> str:
    """What the person's app reads from the picture; the key to type says the same."""
    shown = qr.read(seen.find("svg.semel-qr").screenshot())
    parts = urlsplit(shown)
    said = parse_qs(parts.query, strict_parsing=True)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == f"/localhost:{USERNAME}"
    assert said["secret"] == [seen.find("#secret").inner_text().replace(" ", "")]
    return said["secret"][0]


class Office(BaseHTTPRequestHandler):
    """The planning office's page, on which the browser ends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b'<!DOCTYPE html><html lang="en"><title>Back at the office</title><link rel="icon" href="data:,">'
        )

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def office(folder: Path) -> Iterator[int]:
    """The office's web server, over TLS; the port it listens at."""
    certificate = certified("CN=planning.norr.example", names=(x509.DNSName("planning.norr.example"),))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.write(folder, "office"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Office)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_from_nothing_to_a_prefill(installation: Installation) -> None:
    service = installation.service
    installation.semel("init")
    created = installation.semel(
        *("people", "create", "--username", USERNAME, "--name", "Maria Santos Lind", "--proofing", "substantial"),
        *("--person-number", installation.maria["person_number"], "--json"),
    )
    installation.serve()
    assert "stop the server first" in installation.semel("people", "show", USERNAME, status=2)
    with ThreadPoolExecutor() as hand:  # a browser of its own needs a thread of its own
        hand.submit(walks, installation, created[0]["activation_link"]).result()
    log = (service.folder / "broker.log").read_text()
    for private in (created[0]["activation_link"].rsplit("/", 1)[1], USERNAME, installation.maria["person_number"]):
        assert private not in log


def walks(installation: Installation, link: str) -> None:
    """The person, in their browser."""
    service = installation.service
    world: Any = SimpleNamespace(issuer=service.issuer, agencies={OFFICE: AGENCY}, visited=[], answers=[])
    with office(service.folder) as port, service.http() as http:
        rule = f"--host-resolver-rules=MAP planning.norr.example:443 127.0.0.1:{port}"
        with chromium(rule) as browser:
            seen = Trusting(browser, world)
            codes = activates(seen, link)
            key = service.folder / "agency.pem"
            agency = Agency(OFFICE, USE, AGENCY, service.issuer, key, http, machine_clock.seconds, world.answers)
            prefills(seen, agency, codes, installation.maria)
            seen.close()
    assert not seen.problems, "\n".join(seen.problems)


def activates(seen: Trusting, link: str) -> Secrets:
    """The link, a password, an app; then signed in, and out again. The link is worth nothing any more."""
    seen.open(link)
    seen.sees_both("01-activate")
    seen.press("activate", "continue", username=USERNAME, new_password="password")
    seen.sees_both("02-activate-short", 422)
    seen.press("activate", "continue", username=USERNAME, new_password=PASSWORD)
    seen.sees_both("03-app")
    codes = Secrets(secret_of(seen), machine_clock.seconds)
    seen.press("authenticator", "confirm", code="000000")
    seen.sees_both("04-app-wrong", 403)
    assert secret_of(seen) == codes.secret, "nobody has to scan twice"
    seen.press("authenticator", "confirm", code=codes.code())
    assert urlsplit(seen.page.url).path == "/account/security"
    seen.sees_both("05-security")
    assert seen.find("#app").get_attribute("data-state") == "connected"
    seen.open("/account/activity")
    seen.sees_both("06-activity")
    assert [one.inner_text() for one in seen.find(".semel-events__what").all()] == [
        "You set up your account",
        "The support desk made your account",
    ]
    seen.open("/sign-out")
    seen.press("sign-out", "sign-out")
    seen.open(link)
    seen.sees_both("07-link-used", 410)
    return codes


def prefills(seen: Trusting, agency: Agency, codes: Secrets, maria: dict[str, Any]) -> None:
    """Sign in with both factors on the way to an agency, share, and the agency has what the register holds."""
    seen.open(agency.asks())
    seen.press("sign-in", "sign-in", username=USERNAME, password=PASSWORD)
    seen.press("one-time-code", "continue", code=codes.code())
    seen.sees_both("08-consent")
    seen.press("consent", "share")
    seen.press("done", "continue")
    token = agency.token(SimpleNamespace(url=seen.page.url, heading=""))  # type: ignore[arg-type]  # where the browser is
    assert token["acr"].endswith("/substantial")
    items = agency.items(token["access_token"])
    known = maria["population"]
    assert items["identity.given_name"]["value"] == known["given_name"]
    assert items["address.registered"]["value"]["street_address"] == known["street_address"]
    seen.open("/account/activity")
    seen.sees_both("09-activity-after")
    assert seen.find(".semel-events__what").first.inner_text() == "Sent to the service"
    assert "you left it out" not in seen.find("main").inner_text(), "no e-mail address was known, so none was offered"
