"""The whole broker in this process: made by `create_app` on a real database, with a clock that a test moves.

Around it an agency and a person's browser, both knowing only what anyone outside knows (`tests/actors.py`); two registers
answer in this process. `restart` makes the application anew: what a step left in memory is gone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from broker import installation, needs
from broker.app import create_app
from broker.database import Database, Tx
from broker.evidence.registers import Registers
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.settings import Settings
from broker.sign_in import one_time_code, password, session
from consent import history, ledger
from consent.history import Event
from examples import holder
from keys import vault
from keys.keyring import RootKeyring
from keys.tables import signing_key
from tests.actors import SUBSTANTIAL, Agency, Citizen, Secrets, Walker, b64
from tests.broker.issuing import Register

ROOT = Path(__file__).parents[2]
ISSUER = "https://id.norr.example"
SECOND = 1_000_000
NUMBER = "010190-1234"
PASSWORD = "correct horse battery staple"
DIGEST = password.digest(PASSWORD)
SECRET = one_time_code.new_secret()
ROOTS = RootKeyring.generate()
KEYS: list[dict[str, Any]] = []  # the rows of the signing keys, made once: an RSA key takes half a second
AGENCIES = {"norr-childcare": "norr.childcare-allowance", "norr-planning": "norr.building-permit"}
CHILD = {"given_name": "Ada", "family_name": "O'Møller", "birth_date": "2019-02-03", "custody": "joint"}
POPULATION = {
    "identity.given_name": "Maria",
    "identity.family_name": "O'Møller",
    "identity.birth_date": "1990-01-01",
    "address.registered": {
        "street_address": "Fjordgata 7",
        "postal_code": "01100",
        "locality": "Norr",
        "country": "XN",
    },
    "address.municipality": "0110",
    "address.since": "2019-05-01",
    "family.custody": [CHILD],
}
TAX = {"income.taxable_band": "B2", "contact.iban": "XN0855667788990012"}
CLIENT = """client_id = "{id}"
client_name = "{id}"
redirect_uris = ["https://{id}.example/callback"]
grant_types = ["authorization_code", "client_credentials"]
scope = "openid use:{use}{scope}"

[[jwks.keys]]
"""


@dataclass
class Clock:
    """The clock of everybody here; it stands still unless it is moved."""

    now: int

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / SECOND

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class Near(Walker):
    """A browser in this process."""

    def __init__(self, visited: list[str], client: TestClient) -> None:
        self.visited, self.http, self.policies = visited, client, {}
        client.event_hooks["request"].append(lambda request: visited.append(str(request.url)))


class Gone:
    """A database whose server is not there."""

    dialect = "postgresql"

    @contextmanager
    def read(self) -> Iterator[Any]:
        raise OperationalError("", {}, psycopg.OperationalError("connection refused"))
        yield

    write = committing = read


@dataclass
class Whole:
    """A running broker, and everyone around it."""

    settings: Settings
    clock: Clock
    folder: Path
    registers: dict[str, Register]
    person_ids: dict[str, str] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    front: Any = None  # what stands before the application, when something does
    _running: ExitStack = field(default_factory=ExitStack)
    _leads: list[TestClient] = field(default_factory=list)
    _clients: list[TestClient] = field(default_factory=list)

    async def asgi(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await (self.front or self.app)(scope, receive, send)

    def start(self) -> None:
        """Make the application; the registers are those of the test."""
        self.app: FastAPI = create_app(self.settings, now=self.clock)
        parts = self.app.state.parts
        routing = {item: name for name, register in self.registers.items() for item in register.values}
        self.parts = parts
        self.give(
            registers=Registers(
                {**parts.registers.by_id, **self.registers},
                {**parts.registers.routing, **routing},
                parts.registers.assurance,
            )
        )
        lead = self._running.enter_context(TestClient(self.asgi, self.settings.issuer))
        self._leads = [lead]
        for client in self._clients:
            client.portal = lead.portal

    def give(self, **parts: Any) -> None:
        """Wire other parts than those of the settings."""
        self.parts = self.app.state.parts = replace(self.parts, **parts)

    def stop(self) -> None:
        self._running.close()

    def restart(self) -> None:
        """Stop, and start from what is in the database and the files alone."""
        self.stop()
        self.start()

    def client(self, **headers: str) -> TestClient:
        """A browser or program of its own; it follows no redirects."""
        made = TestClient(self.asgi, self.settings.issuer, follow_redirects=False, headers=headers)
        made.portal = self._leads[0].portal
        self._clients.append(made)
        return made

    def browser(self, **headers: str) -> Walker:
        return Near(self.visited, self.client(**headers))

    @cached_property
    def codes(self) -> Secrets:
        return Secrets(SECRET, self.clock.seconds)

    def citizen(self, username: str = "maria") -> Citizen:
        """A person in a fresh browser; a username that is new is enrolled."""
        if username not in self.person_ids:
            self.person_ids[username] = self.enrol(username)
        person = {"id": username, "username": username, "password": PASSWORD, "totp_secret": SECRET}
        codes = self.codes if username == "maria" else Secrets(SECRET, self.clock.seconds)
        return Citizen(self.settings.issuer, person, codes, self.browser)

    def present(self, username: str = "maria", **session_of: Any) -> Citizen:
        """A person who has just signed in, in a fresh browser: without the cost of a password."""
        person, parts = self.citizen(username), self.parts
        given: dict[str, Any] = {"state": "full", "acr": SUBSTANTIAL, "amr": ("pwd", "otp", "mfa"), "now": self.clock()}
        waits = {"idle": parts.durations.session_idle, "longest": parts.durations.session}
        with parts.database.write() as tx:
            cookie, _ = session.start(tx, self.person_ids[username], **{**given, **waits, **session_of})
        domain = str(urlsplit(self.settings.issuer).hostname)
        person.walker.http.cookies.set(needs.cookie_name(parts.secure, "semel"), cookie, domain=domain, path="/")
        return person

    def enrol(
        self, username: str, *, proofing: Any = "substantial", secret: str | None = SECRET, told: Profile | None = None
    ) -> str:
        parts = self.parts
        told = told or Profile("Maria O'Møller", NUMBER, "maria@post.example", "+4477009008", "en", as_of="2026-01-05")
        stored = password.seal(DIGEST, parts.roots.ring("pepper"))
        with parts.database.write() as tx:
            made = Enrolment(username, stored, secret, proofing, told)
            return people.enrol(tx, parts.vault, parts.roots, made, self.clock())

    def agency(self, client_id: str = "norr-childcare") -> Agency:
        return Agency(
            client_id,
            AGENCIES[client_id],
            f"https://{client_id}.example",
            self.settings.issuer,
            self.folder / f"{client_id}.pem",
            self.client(),
            self.clock.seconds,
            self.answers,
        )

    def events(self, username: str = "maria") -> list[Event]:
        with self.parts.database.read() as tx:
            return history.read(tx, people.ledger_stream(tx, self.parts.vault, self.person_ids[username]))

    def types(self, username: str = "maria") -> list[str]:
        """What the ledger says of a person, oldest first."""
        return [event.type for event in reversed(self.events(username))]

    def size(self) -> int:
        with self.parts.database.read() as tx:
            return ledger.head(tx).size


def journey_of(url: str) -> str:
    """The public id of the journey whose page this is."""
    _, _, journey_id, *_ = urlsplit(url).path.split("/")
    return journey_id


def declare(folder: Path, keys: Path, scope: str = "") -> None:
    """Write the operator's declarations: those of the demo, with the agencies' keys inline and no register but the account."""
    for name in ("catalogue", "uses", "credentials", "pages"):
        shutil.copytree(ROOT / "openid-config" / name, folder / name)
    for name in ("broker.toml", "scopes.toml", "registers.toml", "sign-in.toml", "assurance.toml", "corrections.toml"):
        shutil.copyfile(ROOT / "openid-config" / name, folder / name)
    for name in ("clients", "sources"):
        (folder / name).mkdir()
    shutil.copyfile(ROOT / "openid-config" / "sources" / "account.toml", folder / "sources" / "account.toml")
    for client_id, use in AGENCIES.items():
        jwk = _public_jwk(keys / f"{client_id}.pem")
        lines = "".join(f'{name} = "{value}"\n' for name, value in jwk.items())
        (folder / "clients" / f"{client_id}.toml").write_text(CLIENT.format(id=client_id, use=use, scope=scope) + lines)


def _public_jwk(path: Path) -> dict[str, str]:
    """Make an agency's key, keep it in a file, and give its public half; its `kid` is the RFC 7638 thumbprint."""
    made = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(made.private_bytes(*pem))
    members = {name: holder.public_jwk(made)[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return {**members, "kid": b64(hashlib.sha256(canonical).digest()), "alg": "ES256", "use": "sig"}


def key_pairs() -> list[Any]:
    """The key pairs of an installation, made as `semel init` does; none when there are rows to put in again."""
    return [] if KEYS else installation.make_keys()


def first_keys(tx: Tx, pairs: list[Any], now: int) -> None:
    """Store the signing keys as `semel init` does, or put those in again that were stored before."""
    if not pairs:
        tx.execute(insert(signing_key), [{**row, "created": now, "staged": now} for row in KEYS])
        return
    installation.store_keys(tx, ROOTS, pairs, now)
    KEYS.extend(dict(row) for row in tx.execute(select(signing_key)).mappings())


@contextmanager
def running(
    database: Database, url: str, folder: Path, now: int, *, scope: str = "", **changed: Any
) -> Iterator[Whole]:
    """A broker on an empty database with every table, one person `maria`, and time standing at `now`.

    `scope`: further words of both agencies.
    """
    (folder / "declared").mkdir()
    declare(folder / "declared", folder, scope)
    members: dict[str, Any] = {
        "issuer": ISSUER,
        "mode": "sandbox",
        "data_dir": folder / "data",
        "config_dir": folder / "declared",
        "database_url": url,
        "key_encryption_key": ROOTS.text(),
        "checkpoint_seconds": 3600,
    }
    settings = Settings(**{**members, **changed})
    settings.data_dir.mkdir(mode=0o700)
    pairs = key_pairs()
    with database.write() as tx:
        first_keys(tx, pairs, now)
        vault.Vault(settings.person_keys).create_stream(tx, vault.OPERATOR_STREAM, now)
        ledger.create(tx, ledger.LOG_ID, settings.ledger_origin, now)
    registers = {
        "population": Register("population", values=POPULATION),
        "tax": Register("tax", values=TAX),
    }
    whole = Whole(settings, Clock(now), folder, registers)
    whole.start()
    try:
        yield whole
    finally:
        whole.stop()
