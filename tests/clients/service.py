"""The broker as agencies meet it: real processes, behind Debian's nginx, over TLS; and the programs of agencies around it.

The proxy is configured by `deploy/nginx.conf` itself, with the lines marked "yours" changed.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker import demo, personas
from broker.clients import secret
from broker.serve import die_with_parent
from examples.browse import Browser, Page
from tests import machine_clock
from tests.actors import Secrets
from tests.broker.relying import Key
from tests.certified import Certified, make
from tests.world import CHECKOUT, World, neighbours

CALLBACK = "https://agency.example/callback"
SIGNED_OUT = f"{CALLBACK}/signed-out"
USE = "norr.childcare-allowance"
ENCRYPTS = {"use": "enc", "alg": "ECDH-ES"}
PEOPLE = 60
TOLD = ("id", "username", "password", "totp_secret", "display_name", "email")
PORTS = 6
#: The lines of the shipped configuration that an operator changes, and what the test writes there.
YOURS = (
    ("server 127.0.0.1:8000;", "server 127.0.0.1:{broker};"),
    ("listen 443 ssl;", "listen 127.0.0.1:{front} ssl;"),
    ("server_name id.example.gov;", "server_name localhost;"),
    ("ssl_certificate /etc/ssl/semel/id.pem;", "ssl_certificate {folder}/localhost.pem;"),
    ("ssl_certificate_key /etc/ssl/semel/id.key;", "ssl_certificate_key {folder}/localhost.key;"),
    ("listen 443 ssl;", "listen 127.0.0.1:{mtls} ssl;"),
    ("server_name mtls.id.example.gov;", "server_name localhost;"),
    ("ssl_certificate /etc/ssl/semel/mtls.pem;", "ssl_certificate {folder}/localhost.pem;"),
    ("ssl_certificate_key /etc/ssl/semel/mtls.key;", "ssl_certificate_key {folder}/localhost.key;"),
)


def certified(subject: str, by: Certified | None = None, **about: Any) -> Certified:
    """A certificate that is good today."""
    today = machine_clock.today()
    return make(subject, by, **{"start": today - timedelta(days=1), "end": today + timedelta(days=30), **about})


@dataclass
class Client:
    """An agency's client as it is registered, with what only the agency has."""

    client_id: str
    members: dict[str, Any]
    key: Key = field(default_factory=Key)
    secret: str = ""
    opens: Key | None = None  # what is encrypted to it
    certificate: Certified | None = None

    @property
    def use(self) -> str:
        return f"peers.{self.client_id}"

    @property
    def scope(self) -> str:
        return str(self.members.get("scope", f"openid use:{self.use}"))

    @property
    def port(self) -> int:
        """Where it listens on this machine, if it does."""
        return urlsplit(next(iter(self.members.get("redirect_uris", [])), CALLBACK)).port or 0

    def declare(self, config: Path) -> None:
        """Write the client's file, and that of the use it asks under if it has one."""
        members = {"client_id": self.client_id, "client_name": self.client_id, "redirect_uris": [CALLBACK]}
        members |= {**self.members, "scope": self.scope}
        method = members.get("token_endpoint_auth_method", "private_key_jwt")
        if method == "private_key_jwt":
            members["jwks"] = {"keys": [self.key.jwk, *([] if self.opens is None else [self.opens.jwk | ENCRYPTS])]}
        if method == "self_signed_tls_client_auth" and self.certificate is not None:
            members["jwks"] = {"keys": [self.certificate.jwk]}
        if self.secret:
            members["client_secret_hash"] = secret.kept(self.secret)
        text = "".join(f"{json.dumps(name)} = {toml(value)}\n" for name, value in members.items())
        (config / "clients" / f"{self.client_id}.toml").write_text(text, "utf-8")
        if self.use not in self.scope:
            return
        use = (config / "uses" / f"{USE}.toml").read_text("utf-8")
        use = use.replace(f'id = "{USE}"', f'id = "{self.use}"', 1).replace(
            'client_id = "norr-childcare"', f'client_id = "{self.client_id}"', 1
        )
        (config / "uses" / f"{self.use}.toml").write_text(use, "utf-8")
        assert tomllib.loads(use)["client_id"] == self.client_id


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return json.dumps(value)


class Person(Browser):
    """A citizen's browser, which stops at the door of an agency that is a test."""

    def __init__(self, context: ssl.SSLContext, known: dict[str, Any], codes: Secrets) -> None:
        self.visited: list[httpx2.URL] = []
        self.http = httpx2.Client(verify=context, follow_redirects=False, timeout=30, trust_env=False)
        self.http.event_hooks["request"].append(lambda request: self.visited.append(request.url))
        self.known, self.codes = known, codes

    @property
    def name(self) -> str:
        """What they are called in their account."""
        return str(self.known["display_name"])

    def _page(self, answer: httpx2.Response) -> Page:  # type: ignore[override]  # follows redirects one by one
        for _ in range(20):
            if not answer.is_redirect:
                return super()._page(answer)
            target = str(answer.next_request.url if answer.next_request else "")
            if target.startswith(CALLBACK):
                return Page(target, answer.status_code, super()._page(answer).content)
            answer = self.http.get(target)
        raise AssertionError("redirects without end")

    def sign_in(self, page: Page) -> Page:
        """Sign in with password and code where that is asked for."""
        if page.has("sign-in"):
            told = {"username": self.known["username"], "password": self.known["password"]}
            page = self.submit(page, "sign-in", "sign-in", **told)
        if page.has("one-time-code"):
            page = self.submit(page, "one-time-code", "continue", code=self.codes.code())
        return page

    def shares(self, url: str) -> Page:
        """Follow an agency's link, sign in, share, continue; where the browser ends."""
        page = self.sign_in(self.open(url))
        assert page.has("consent"), f"no consent page but: {page.heading}"
        optional = [box["value"] for box in page.get("consent").find_all("input", type="checkbox", name="item")]
        page = self.submit(page, "consent", "share", item=optional)
        return self.submit(page, "done", "continue") if page.has("done") else page


@dataclass
class Service:
    """What runs, and where."""

    folder: Path
    plan: demo.Plan
    front: int
    mtls: int
    clients: dict[str, Client]
    people: list[dict[str, Any]]
    browsers: list[Person] = field(default_factory=list)
    acted: set[str] = field(default_factory=set)
    initial: str = ""  # lets one client register itself

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.front}"

    @property
    def mtls_origin(self) -> str:
        return f"https://localhost:{self.mtls}"

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def environment(self) -> dict[str, str]:
        given = self.plan.environment()
        return given | {
            "SEMEL_ISSUER": self.issuer,
            "SEMEL_DATABASE_URL": "",
            "SEMEL_TRUSTED_PROXIES": "127.0.0.1",
            "SEMEL_MTLS_ORIGIN": self.mtls_origin,
            "SEMEL_CLIENT_CA_FILE": str(self.folder / "authorities.pem"),
            "SEMEL_CHECKPOINT_SECONDS": "0.2",
        }

    def tls(self, certificate: Certified | None = None) -> ssl.SSLContext:
        """How a program of an agency connects: it trusts the test's authority, and may have a certificate."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if certificate is not None:
            context.load_cert_chain(*certificate.write(self.folder, "client"))
        return context

    def http(self, certificate: Certified | None = None) -> httpx2.Client:
        return httpx2.Client(verify=self.tls(certificate), timeout=30, trust_env=False)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        with self.http() as http:
            return dict(http.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json())

    def person(self) -> Person:
        """Somebody about whom everything is known, whom no other test has used."""
        known = self.people.pop()
        self.acted.add(known["id"])
        self.browsers.append(Person(self.tls(), known, Secrets(known["totp_secret"], machine_clock.seconds)))
        return self.browsers[-1]

    def last_look(self) -> None:
        """Everything is read again: what was answered, what is permitted, what must stand nowhere."""
        world = World(
            issuer=self.issuer,
            data=self.plan.data,
            database_url=f"sqlite:///{self.plan.data}/semel.db",
            log=self.folder / "broker.log",
            agencies={},
            people={},
            tax_url=self.plan.tax,
            visited=[str(url) for browser in self.browsers for url in browser.visited],
            acted=self.acted,
        )
        world.http.close()
        world.http = self.http()
        try:
            world.check()
        finally:
            world.http.close()


def proxy_configuration(service: Service) -> str:
    """The shipped configuration with an operator's lines changed, each exactly where it stands."""
    text, at = (CHECKOUT / "deploy" / "nginx.conf").read_text("utf-8"), 0
    ports = {"broker": service.plan.port, "front": service.front, "mtls": service.mtls, "folder": service.folder}
    for shipped, ours in YOURS:
        at = text.index(shipped + " # yours", at)
        written = ours.format(**ports)
        text = text[:at] + written + text[at + len(shipped) :]
        at += len(written)
    return text


def run_proxy(service: Service, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start nginx with nothing of its own but where its files are."""
    folder = service.folder / "nginx"
    folder.mkdir()
    (folder / "semel.conf").write_text(proxy_configuration(service), "utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.getuid() == 0 else ""
    main = f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr warn;\nworker_processes 1;\nevents {{}}\n"
    (folder / "main.conf").write_text(f"{main}http {{\naccess_log off;\n{temporary}include {folder}/semel.conf;\n}}\n")
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "Debian's package nginx is needed"
    return program(stack, [nginx, "-p", str(folder), "-c", str(folder / "main.conf")], service.folder / "nginx.log")


def program(
    stack: ExitStack, command: list[str], log: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that ends with the test."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - a test has no threads
        )
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    return process


def wait(http: httpx2.Client, url: str, logs: Path, process: subprocess.Popen[bytes]) -> None:
    """Return when an address, which this process serves, answers 200."""
    patience = machine_clock.Patience()
    while True:
        try:
            if http.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        told = "".join(path.read_text()[-2000:] for path in logs.glob("*.log"))
        alive = process.poll() is None
        assert alive, f"the program for {url} ended: {told}"
        assert patience.left, f"{url} does not answer: {told}"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, authorities: list[Certified], clients: dict[str, Client], first: int) -> Iterator[Service]:
    """A broker with these clients, some neighbours and the sample registers, behind the proxy; at `PORTS` ports from `first`.

    The authorities vouch for clients, the first of them for the proxy too.
    """
    ca = authorities[0]
    service = Service(folder, demo.Plan(first, folder / "data"), first + 4, first + 5, clients, [])
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "authorities.pem").write_bytes(b"".join(one.pem for one in authorities))
    names = (x509.DNSName("localhost"),)
    certified("CN=localhost", ca, names=names, use=ExtendedKeyUsageOID.SERVER_AUTH).write(folder, "localhost")
    declared = folder / "declared"
    shutil.copytree(CHECKOUT / "openid-config", declared)
    (declared / "personas.toml").write_text(neighbours(PEOPLE), "utf-8")
    for client in clients.values():
        client.declare(declared)
    service.plan.data.mkdir(mode=0o700)
    demo.fill_config(declared, service.plan.data / "config", service.plan.placeholders())
    people = personas.load(service.plan.data / "config")
    service.people[:] = [{name: getattr(one, name) for name in TOLD} for one in people]
    with ExitStack() as stack:
        env, log = service.environment(), folder / "broker.log"
        programs = demo.commands(service.plan)
        registers = program(stack, programs["registers"], folder / "registers.log", env)
        with log.open("ab") as errors:
            subprocess.run(
                [sys.executable, "-m", "broker.cli", "init"],
                check=True,
                env=env,
                stderr=errors,
                stdout=errors,
                cwd=CHECKOUT,
            )
        command = [
            sys.executable,
            "-m",
            "broker.cli",
            "clients",
            "token",
            "--profile",
            "fapi2",
            "--uses",
            "1",
            "--json",
        ]
        made = subprocess.run(command, check=True, env=env, cwd=CHECKOUT, capture_output=True, text=True)
        service.initial = str(json.loads(made.stdout)[0]["initial_access_token"])
        with httpx2.Client(trust_env=False) as http:
            wait(http, f"{service.plan.tax}/healthz", folder, registers)  # the broker reads a secret that it makes
        broker = program(stack, programs["broker"], log, env)
        with httpx2.Client(trust_env=False) as http:
            wait(http, f"http://127.0.0.1:{service.plan.port}/healthz", folder, broker)
        proxy = run_proxy(service, stack)
        with service.http() as http:
            wait(http, f"{service.issuer}/healthz", folder, proxy)
        yield service
        for browser in service.browsers:
            browser.http.close()
