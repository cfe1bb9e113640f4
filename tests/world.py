"""A running demo with everyone around it, and the last look at it: `World.check()` after every story."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from sqlalchemy.engine import make_url

from tests import last_look, machine_clock
from tests.actors import Agency, Citizen, Clock, Holder, Register, Secrets, Walker
from tests.inside import Inside

CHECKOUT = Path(__file__).parents[1]
USES = {"norr-childcare": "norr.childcare-allowance", "norr-planning": "norr.building-permit"}
START_SECONDS = 90
STOP_SECONDS = 20
NEIGHBOURS = 200
SOUNDS = (
    "bra",
    "dro",
    "fel",
    "gim",
    "hov",
    "jun",
    "kre",
    "lys",
    "mur",
    "nep",
    "pol",
    "quv",
    "ros",
    "syl",
    "tov",
    "vez",
)


def neighbours(count: int) -> str:
    """More people for `personas.toml`: everything is known about each, and nobody shares a name with another."""
    return "".join(_neighbour(n) for n in range(count))


def _neighbour(n: int) -> str:
    first, second = SOUNDS[n % 16], SOUNDS[n // 16]
    given, family = f"Za{first}{second}ine".capitalize(), f"Ux{second}{first}orde".capitalize()
    child, account = f"Yo{first}{second}ett", f"55667788990{n:03}"
    check = 98 - int(f"{account}332300") % 97  # ISO 13616: X is 33, N is 23
    secret = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(n * 7 + i * 5 + i * i) % 32] for i in range(32))
    return f"""
[[personas]]
id = "neighbour-{n}"
about = "Nothing special."
username = "{given.lower()}.{n}"
password = "{first}-{second}-pavement-lattice-{n}"
totp_secret = "{secret}"
proofing = "substantial"
person_number = "8144{n:03}770"
display_name = "{given} {family}"
language = "en"
email = "{given.lower()}@post.example"
phone = "+447700908{n:03}"

[personas.population]
given_name = "{given}"
family_name = "{family}"
birth_date = "19{60 + n % 40}-0{1 + n % 9}-1{n % 10}"
sex = "2"
street_address = "{first.capitalize()}{second}gatan {n + 100}"
postal_code = "10{n % 90 + 10}"
locality = "Norr"
country = "XN"
municipality = "0110"
since = "2018-02-01"

[[personas.children]]
given_name = "{child}"
family_name = "{family}"
birth_date = "2018-03-1{n % 10}"
custody = "sole"

[personas.tax]
taxable_band = "B2"
iban = "XN{check:02}{account}"
as_of = "2026-03-12"
"""


@dataclass
class World:
    """What runs, where, and what was seen of it since the last check."""

    issuer: str
    data: Path
    database_url: str
    log: Path
    agencies: dict[str, str]  # origin by client id
    people: dict[str, dict[str, Any]]  # what the demo says of each persona
    tax_url: str
    clock: Clock = machine_clock.seconds
    process: subprocess.Popen[str] | None = None
    visited: list[str] = field(default_factory=list)  # every address anyone went to, since the last check
    answers: list[dict[str, Any]] = field(default_factory=list)  # every data answer
    received: list[dict[str, Any]] = field(default_factory=list)  # the claims of every credential
    acted: set[str] = field(default_factory=set)  # ids of the personas who acted
    expected_failures: int = 0  # server errors that a story provokes on purpose
    memory: dict[str, Any] = field(default_factory=dict)  # what a check keeps for the next one
    _codes: dict[str, Secrets] = field(default_factory=dict)
    _browsers: list[Walker] = field(default_factory=list)
    _opened: int = 0
    _free: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inside = Inside(self.data, self.database_url)
        self.http = httpx2.Client(timeout=30, trust_env=False)
        self.http.event_hooks["request"].append(lambda request: self.visited.append(str(request.url)))
        self._free = sorted(
            (p for p in self.people if p.startswith("neighbour-")), key=lambda p: int(p[10:]), reverse=True
        )

    def citizen(self, persona: str) -> Citizen:
        """A persona of the demo, in a fresh browser."""
        self.acted.add(persona)
        person = self.people[persona]
        codes = self._codes.setdefault(persona, Secrets(person["totp_secret"] or "", self.clock))
        return Citizen(self.issuer, person, codes, self.browser)

    def browser(self) -> Walker:
        """A fresh browser; it is closed when the story is over."""
        self._opened += 1
        address = f"127.1.{self._opened // 250}.{self._opened % 250 + 1}"
        self._browsers.append(Walker(self.visited, address))
        return self._browsers[-1]

    def neighbour(self) -> Citizen:
        """A person about whom everything is known, and whom no other story has used."""
        return self.citizen(self._free.pop())

    def agency(self, client_id: str = "norr-childcare") -> Agency:
        """An agency's program, to be played by the test."""
        return Agency(
            client_id,
            USES[client_id],
            self.agencies[client_id],
            self.issuer,
            self.data / "agencies" / client_id / "client-key.pem",
            self.http,
            self.clock,
            self.answers,
        )

    def visit(self, citizen: Citizen, client_id: str) -> dict[str, Any]:
        """What the demo's own agency holds about this browser's visit."""
        held = dict(citizen.walker.http.get(f"{self.agencies[client_id]}/visit.json").json())
        if held.get("answer"):
            self.answers.append(held["answer"] | {"client": client_id})
        return held

    @property
    def holder(self) -> Holder:
        """A wallet."""
        return Holder(self.http, self.received)

    @property
    def register(self) -> Register:
        """The tax register's fault switch."""
        return Register(self.tax_url, self.http)

    def check(self) -> None:
        """Re-read everything: nothing that was answered is missing, nothing personal is where it must not be."""
        last_look.check(self)
        self.forget()

    def forget(self) -> None:
        """Close what a story used, and begin the notes anew."""
        while self._browsers:
            self._browsers.pop().http.close()
        for notes in (self.visited, self.answers, self.received, self.acted):
            notes.clear()
        self.expected_failures = 0

    def stop(self) -> None:
        """Stop the demo as an operator does; it ends well."""
        self.forget()
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(STOP_SECONDS) == 0


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    for _ in range(200):
        first = 20_000 + secrets.randbelow(10_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise OSError("no free ports")


def launch(folder: Path, *, database_url: str = "", port: int | None = None) -> subprocess.Popen[str]:
    """Start `semel demo` in a folder (again, when it was there before) with the neighbours; its log is `demo.log` there."""
    config = folder / "declared"
    if not config.exists():
        shutil.copytree(CHECKOUT / "openid-config", config)
        with (config / "personas.toml").open("a", encoding="utf-8") as file:
            file.write(neighbours(NEIGHBOURS))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    environment |= {"SEMEL_CHECKPOINT_SECONDS": "0.2", "SEMEL_CONFIG_DIR": str(config)} | (
        {"SEMEL_DATABASE_URL": database_url} if database_url else {}
    )
    command = [str(Path(sys.executable).with_name("semel")), "demo", "--json", "--data", str(folder / "data")]
    with (folder / "demo.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--port", str(port or free_ports(4))],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def ready(process: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    """Wait for the line that says the demo is ready: where everything is, and who may sign in."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"the demo did not start: {(folder / 'demo.log').read_text()[-2000:]}")
    process.stdout.close()
    return dict(json.loads(line))


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty database on the PostgreSQL server under test; empty when it is SQLite that is tested."""
    given = os.environ.get("SEMEL_TEST_DATABASE_URL", "")
    if not given:
        yield ""
        return
    server, name = make_url(given).set(drivername="postgresql"), f"world_{secrets.token_hex(6)}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
        try:
            yield server.set(database=name, drivername="postgresql+psycopg").render_as_string(hide_password=False)
        finally:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def running(folder: Path, database_url: str = "") -> Iterator[World]:
    """A demo of its own: real processes, real HTTP, stopped at the end. `database_url`: an empty database, else SQLite."""
    process = launch(folder, database_url=database_url)
    try:
        summary = ready(process, folder)
        data = Path(summary["data"])
        agencies = {agency["id"]: agency["url"] for agency in summary["agencies"]}
        last = max(int(url.rsplit(":", 1)[1]) for url in agencies.values())
        world = World(
            issuer=summary["issuer"],
            data=data,
            database_url=database_url or f"sqlite:///{data}/semel.db",
            log=folder / "demo.log",
            agencies=agencies,
            people={person["id"]: person for person in summary["personas"]},
            tax_url=f"http://127.0.0.1:{last + 1}",
            process=process,
        )
        try:
            yield world
        finally:
            world.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
