"""A credential issuer with one signed-in person, a register that answers, and wallets: the real runner, over HTTP."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pyotp
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from broker import app as runner
from broker import needs
from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.committer import Committer
from broker.database import Database
from broker.egress import Egress
from broker.evidence.registers import Registers
from broker.evidence.source import Evidence, Found, Phase, SourceUnavailable, Subject
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.outbound import Outbound
from broker.pages import render
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.routes import ROUTES
from broker.sign_in import session
from broker.signing_keys import SigningKeys
from consent import catalogue, history, intended_use, ledger, release
from consent.history import Event
from keys import algorithms
from keys.keyring import Keyring, RootKeyring, SigningKey
from keys.vault import OPERATOR_STREAM, Vault
from tests.conftest import NOW
from wallet import credential_type

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "openid-config"
ISSUER = "https://id.example.gov"
LOA = "http://eidas.europa.eu/LoA/"
SECOND = 1_000_000
ADDRESS = {"street_address": "Fjordgata 7", "postal_code": "01100", "locality": "Norr", "country": "XN"}
VALUES = {
    "identity.given_name": "Maria",
    "identity.family_name": "O'Møller",
    "address.registered": ADDRESS,
    "address.municipality": "0110",
    "address.since": "2019-05-01",
}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@cache
def example_wallet() -> ModuleType:
    """The example holder, loaded once from its file as an ordinary program."""
    spec = importlib.util.spec_from_file_location("example_wallet", ROOT / "examples/holder.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["example_wallet"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Register:
    """A population register that answers what it is told to, and remembers being asked."""

    id: str = "population"
    values: Mapping[str, Any] = field(default_factory=lambda: VALUES)
    statuses: dict[str, str] = field(default_factory=dict)
    eligible: bool = True
    down: bool = False
    asked: list[tuple[frozenset[str], Phase]] = field(default_factory=list)

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        self.asked.append((attributes, phase))
        if self.down:
            raise SourceUnavailable("down")
        assert subject.person_number == "010190-1234"
        if not self.eligible:
            return Evidence([Found(a, "not_held", None, self.id, None, now) for a in attributes], eligible=False)
        return Evidence([self._found(a, now) for a in attributes])

    def _found(self, attribute: str, now: int) -> Found:
        status: Any = self.statuses.get(attribute, "provided")
        value = release.seal(self.values[attribute], attribute) if status == "provided" else None
        return Found(attribute, status, value, self.id, "2026-03-12", now)

    async def aclose(self) -> None:
        return None


@dataclass
class Issuer:
    """The running issuer: `browser` is signed in, `wallet` is anybody."""

    parts: needs.Parts
    register: Register
    person_id: str
    browser: TestClient
    wallet: TestClient
    offset: list[int]

    @property
    def now(self) -> int:
        return self.parts.clock()

    def seconds(self) -> float:
        """The clock of a wallet."""
        return self.now / SECOND

    def later(self, seconds: int) -> None:
        self.offset[0] += seconds * SECOND

    def submit(self, page: httpx2.Response, form_id: str, **given: str) -> httpx2.Response:
        """Send the form of a page as a browser without scripts would."""
        found = re.search(rf'<form[^>]*id="{form_id}"[^>]*action="([^"]+)"(.*?)</form>', page.text, re.DOTALL)
        assert found, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found[2]))
        headers = {"Sec-Fetch-Site": "same-origin"}
        return self.browser.post(found[1], data={**hidden, **given}, headers=headers)

    def offer(self) -> tuple[str, httpx2.Response]:
        """Press the button; return what the wallet scans, and the page."""
        page = self.browser.get("/account/documents/residence/add-to-wallet")
        shown = self.submit(page, "add-to-wallet", action="offer")
        assert shown.status_code == 200, shown.text
        found = re.search(r'id="credential-offer" href="([^"]+)"', shown.text)
        assert found
        return found[1].replace("&amp;", "&"), shown

    def one_time_code(self) -> str:
        return pyotp.TOTP(SECRET).at(self.now // SECOND)

    def tx_code(self, offer_page: httpx2.Response, code: str | None = None) -> str:
        """Ask for the number with a new one-time code."""
        answer = self.ask_tx_code(offer_page, code)
        found = re.search(r'id="tx-code">([^<]+)<', answer.text)
        assert found, answer.text
        self.later(30)  # so that the next one-time code is another
        return re.sub(r"\D", "", found[1])

    def ask_tx_code(self, offer_page: httpx2.Response, code: str | None = None) -> httpx2.Response:
        page = self.browser.get(f"{offer_page.url.path}/code")
        return self.submit(
            page, "one-time-code", code=self.one_time_code() if code is None else code, action="continue"
        )

    def events(self) -> list[Event]:
        with self.parts.database.read() as tx:
            return history.read(tx, people.ledger_stream(tx, self.parts.vault, self.person_id))

    def types(self) -> list[str]:
        return [event.type for event in reversed(self.events())]


@cache
def declared() -> dict[str, Any]:
    """What the operator declared, read once."""
    return {
        "catalogue": catalogue.load(CONFIG),
        "uses": intended_use.load(CONFIG),
        "credentials": credential_type.load(CONFIG),
        "renderer": render.Renderer(),
    }


@contextmanager
def running(
    database: Database, folder: Path, *, acr: str = "substantial", statuses: Mapping[str, str] | None = None
) -> Iterator[Issuer]:
    """Start an issuer on an empty database with one person signed in."""
    register, offset = Register(statuses=dict(statuses or {})), [0]
    parts = _parts(database, folder, register, lambda: NOW + offset[0])
    now = parts.clock()
    with database.write() as tx:
        ledger.create(tx, ledger.LOG_ID, f"{ISSUER.split('://')[1]}/ledger", now)
        parts.vault.create_stream(tx, OPERATOR_STREAM, now)
        told = Profile("Maria", "010190-1234", "maria@example.org", None, "en")
        enrolled = Enrolment("maria", "x", SECRET, "substantial", told)
        person_id = people.enrol(tx, parts.vault, parts.roots, enrolled, now)
        cookie, _ = session.start(
            tx, person_id, state="full", acr=LOA + acr, amr=("pwd", "otp"), now=now, idle=7200, longest=7200
        )
    application = Starlette(routes=[Route(row.path, runner._endpoint(row), methods=[row.method]) for row in ROUTES])
    application.state.parts, application.state.renderer = parts, declared()["renderer"]
    with TestClient(application, base_url=ISSUER) as browser, TestClient(application, base_url=ISSUER) as wallet:
        browser.cookies.set("__Host-semel", cookie, domain="id.example.gov", path="/")
        issuer = Issuer(parts, register, person_id, browser, wallet, offset)
        yield issuer
        assert browser.portal is not None
        browser.portal.call(parts.committer.close)


def _parts(database: Database, folder: Path, register: Register, clock: Any) -> needs.Parts:
    def key(purpose: Any) -> SigningKey:
        return SigningKey.of(algorithms.generate("ES256"), purpose=purpose, stage="signing")

    (folder / "person-keys").mkdir(mode=0o700)
    roots = RootKeyring.generate()
    outbox = Outbox(roots.ring("outbox"))
    members: dict[str, Any] = {
        "issuer": ISSUER,
        "mode": "sandbox",
        "secure": True,
        "durations": needs.Durations(),
        "trusted_proxies": (),
        "database": database,
        "committer": Committer(database, clock=clock),
        "roots": roots,
        "signals": Signals(ISSUER, outbox, roots.ring("signals")),
        "signing": SigningKeys(Keyring((key("token"), key("credential")))),
        "vault": Vault(folder / "person-keys"),
        "registry": Registry([], KeySets(Egress())),
        "registers": Registers({"population": register}, dict.fromkeys(VALUES, "population")),
        "outbound": Outbound.open((), (), None),
        "outbox": outbox,
        "ledger_dir": folder / "ledger",
        "data_dir": folder,
        "legacy": frozenset(),
        "clock": clock,
    }
    members |= declared()
    known = needs.Parts.__dataclass_fields__
    return needs.Parts(**{name: value for name, value in members.items() if name in known})
