"""What the doctor calls fatal, the server refuses: each fault planted in a real installation, both asked, nothing served.

The server is a process of its own; what it says and what the doctor says comes from one list (`broker/doctor/conditions.py`).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from broker import cli, serve
from broker.app import clock
from broker.database import Database
from broker.doctor import conditions
from broker.tables import install
from keys import base64url
from keys.keyring import RootKeyring
from keys.tables import signing_key
from tests import machine_clock
from tests.broker.installed import ISSUER, make

Environment = dict[str, str]
SILENT = 1200  # connections that say nothing
YEAR = 366 * 86_400_000_000  # microseconds


class Here:
    """An installation on SQLite to plant a fault in, with its settings as environment variables."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.declared = folder, folder / "declared"
        self.environment: Environment = {
            "SEMEL_ISSUER": ISSUER,
            "SEMEL_MODE": "production",
            "SEMEL_DATA_DIR": str(folder / "data"),
            "SEMEL_CONFIG_DIR": str(folder / "declared"),
            "SEMEL_PERSON_KEY_DIR": str(folder / "person-keys"),
            "SEMEL_KEY_ENCRYPTION_KEY_FILE": str(folder / "roots"),
            "SEMEL_TRUSTED_PROXIES": "10.0.0.7",
        }

    def write(self, *statements: Any) -> None:
        database = Database.open(f"sqlite:///{self.folder}/data/semel.db")
        with database.write() as tx:
            for statement in statements:
                tx.execute(statement)
        database.close()

    def roots(self, text: str, mode: int = 0o600) -> None:
        (self.folder / "roots").write_text(text)
        (self.folder / "roots").chmod(mode)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "made"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox: invented people with published passwords are enrolled."""
    folder = tmp_path_factory.mktemp("trial") / "made"
    make(folder, mode="sandbox")
    return folder


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Here:
    return Here(Path(shutil.copytree(request.getfixturevalue("first"), tmp_path / "installation")))


# --- what is planted: each gives the settings it changes


def zeros(here: Here) -> Environment:
    here.roots("r1 " + base64url.encode(bytes(32)) + "\n")
    return {}


def typed(here: Here) -> Environment:
    here.roots("r1 " + base64url.encode(b"correct horse battery staple 123") + "\n")
    return {}


def counted(here: Here) -> Environment:
    here.roots("r1 " + base64url.encode(bytes(range(32))) + "\n")
    return {}


def malformed(here: Here) -> Environment:
    here.roots("hunter2\n")
    return {}


def another_keyring(here: Here) -> Environment:
    here.roots(RootKeyring.generate().text())
    return {}


def no_keyring(here: Here) -> Environment:
    (here.folder / "roots").unlink()
    return {}


def readable_keyring(here: Here) -> Environment:
    (here.folder / "roots").chmod(0o644)
    return {}


def readable_person_keys(here: Here) -> Environment:
    (here.folder / "person-keys").chmod(0o755)
    return {}


def no_person_keys(here: Here) -> Environment:
    shutil.rmtree(here.folder / "person-keys")
    (here.folder / "person-keys").mkdir(mode=0o700)
    return {}


def a_placeholder(here: Here) -> Environment:
    file = here.declared / "uses" / "norr.childcare-allowance.toml"
    file.write_text(file.read_text("utf-8").replace("https://agency.example", "${agency.norr-childcare}"), "utf-8")
    return {}


def bad_files(here: Here) -> Environment:
    with (here.declared / "scopes.toml").open("a") as file:
        file.write("\nprofile = [\n")
    broker = here.declared / "broker.toml"
    broker.write_text('colour = "blue"\n' + broker.read_text("utf-8"), "utf-8")
    client = here.declared / "clients" / "norr-planning.toml"
    client.write_text(client.read_text("utf-8").replace("redirect_uris =", "redirect_uri ="), "utf-8")
    return {}


def a_future_ledger(here: Here) -> Environment:
    shutil.rmtree(here.folder)
    make(here.folder, now=clock() + YEAR)
    return {}


def young_files(here: Here) -> Environment:
    seconds = machine_clock.seconds() + YEAR / 1_000_000
    os.utime(here.folder / "data" / "ledger" / "checkpoint", (seconds, seconds))
    return {}


def a_lost_database(here: Here) -> Environment:
    """The published ledger knows more than the database: an older state of it was put back."""
    file = here.folder / "data" / "ledger" / "checkpoint"
    origin, _, rest = file.read_text("utf-8").split("\n", 2)
    file.write_text(f"{origin}\n46\n{rest}", "utf-8")
    return {}


def a_file_for_a_folder(here: Here) -> Environment:
    shutil.rmtree(here.folder / "data" / "ledger")
    (here.folder / "data" / "ledger").write_text("")
    return {}


def yesterdays_schema(here: Here) -> Environment:
    here.write(text("UPDATE alembic_version SET version_num = '0001'"))
    return {}


def no_signing_key(here: Here) -> Environment:
    here.write(delete(signing_key).where(signing_key.c.purpose == "token", signing_key.c.alg == "ES256"))
    return {}


def nothing_made(here: Here) -> Environment:
    (here.folder / "data" / "semel.db").unlink()
    return {"SEMEL_DATABASE_URL": f"sqlite:///{here.folder}/data/semel.db"}


# fmt: off
PLANTED: list[tuple[str, Callable[[Here], Environment], str]] = [
    # condition                  what is planted                                                          what both say
    ("settings",                 lambda _: {"SEMEL_ISSUER": "http://localhost:8000"},                     "SEMEL_ISSUER must be https"),
    ("settings",                 lambda _: {"SEMEL_EGRESS_ALLOW": "10.0.0.0/8"},                          "SEMEL_EGRESS_ALLOW must be empty"),
    ("settings",                 lambda _: {"SEMEL_TOKEN_SECONDS": "7200"},                               "SEMEL_TOKEN_SECONDS must be at most 3600"),
    ("settings",                 lambda _: {"SEMEL_SESSION_SECONDS": "1000"},                             "SEMEL_SESSION_IDLE_SECONDS must not be longer"),
    ("no root keyring",          no_keyring,                                                              "there is no root keyring"),
    ("no root keyring",          malformed,                                                               "line 1 of the root keyring"),
    ("weak root key",            zeros,                                                                   "root r1 is a pattern"),
    ("weak root key",            counted,                                                                 "root r1 is a pattern"),
    ("weak root key",            typed,                                                                   "root r1 is a text"),
    ("another keyring",          another_keyring,                                                         "does not open the stored keys"),
    ("open secret files",        readable_keyring,                                                        "others on this machine may read"),
    ("open secret files",        readable_person_keys,                                                    "others on this machine may read"),
    ("keys of persons gone",     no_person_keys,                                                          "lacks kek-"),
    ("keys of persons gone",     lambda here: {"SEMEL_PERSON_KEY_DIR": f"{here.folder}/elsewhere"},       "is not there"),
    ("no declarations",          lambda _: {"SEMEL_CONFIG_DIR": "/nowhere/at/all"},                       "/nowhere/at/all is not there"),
    ("faulty declarations",      bad_files,                                                               "broker.toml:1: colour"),
    ("placeholders",             a_placeholder,                                                           "${agency.norr-childcare} was not filled in"),
    ("unreadable files",         lambda _: {"SEMEL_EGRESS_CA_FILE": "/nowhere/ca.pem"},                   "SEMEL_EGRESS_CA_FILE: /nowhere/ca.pem"),
    ("folders shut",             a_file_for_a_folder,                                                     "ledger is no folder"),
    ("database away",            lambda _: {"SEMEL_DATABASE_URL": "postgresql+psycopg://x:hunter2@127.0.0.1:1/x"}, "cannot be used"),
    ("database away",            lambda _: {"SEMEL_DATABASE_URL": "nonsense"},                            "cannot be used"),
    ("unsafe database",          lambda _: {"SEMEL_DATABASE_URL": "mysql://x:hunter2@127.0.0.1/x"},       "only sqlite and postgresql"),
    ("database away",            nothing_made,                                                            "`semel init`"),
    ("pending migrations",       yesterdays_schema,                                                       "the database stands at 0001"),
    ("another issuer",           lambda _: {"SEMEL_ISSUER": "https://other.example"},                     "not for https://other.example"),
    ("another mode",             lambda _: {"SEMEL_MODE": "sandbox"},                                     "initialised in mode production"),
    ("demo in the world",        lambda _: {"SEMEL_MODE": "demo"},                                        "publishes its people's passwords"),
    ("no signing key",           no_signing_key,                                                          "no key signs ES256 for token"),
    ("broken ledger",            a_lost_database,                                                         "the ledger does not hold"),
    ("clock set back",           a_future_ledger,                                                         "behind the ledger's last entry"),
    ("clock set back",           young_files,                                                             "behind its own files"),
]
# fmt: on


def asked(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, int, str]:
    """The exit status of the doctor and what it said, those of the server and what it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    serving = subprocess.Popen(
        [sys.executable, "-m", "broker.cli", "serve", "--port", port],
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=serve.die_with_parent,  # noqa: PLW1509 - it only asks the kernel
    )
    try:
        for name in [name for name in os.environ if name.startswith("SEMEL_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--json"])
        told = capsys.readouterr()
        said, _ = serving.communicate(timeout=120)
    finally:
        serving.kill()
        serving.wait()
    return int(ended.value.code or 0), told.out + told.err, serving.returncode, said


@pytest.mark.parametrize(
    ("condition", "plant", "finding"), PLANTED, ids=[f"{n}: {row[0]}" for n, row in enumerate(PLANTED, start=1)]
)
def test_what_the_doctor_calls_fatal_is_not_served(
    here: Here,
    condition: str,
    plant: Callable[[Here], Environment],
    finding: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    doctors, told, servers, said = asked({**here.environment, **plant(here)}, monkeypatch, capsys)
    assert servers == 2, said
    assert finding in said
    assert "Traceback" not in said + told
    assert "hunter2" not in said + told
    if condition == "settings":
        assert doctors == 2
        assert finding in told
        return
    assert doctors == 1
    (line,) = {one.line for one in conditions.CONDITIONS if one.name == condition}
    (shown,) = [one for one in json.loads(told) if one["check"] == line]
    assert shown["status"] == "fatal"
    assert finding in shown["finding"] + shown["fix"]
    assert f"- {condition}: " in said


@pytest.mark.parametrize("recorded", [True, False])
def test_published_passwords_never_sign_in_where_people_are_real(
    trial: Path, tmp_path: Path, recorded: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sandbox's database, served as production: refused by its mode, and by the people themselves."""
    here = Here(Path(shutil.copytree(trial, tmp_path / "installation")))
    if not recorded:
        here.write(update(install).values(mode=None))
    _, told, servers, said = asked(here.environment, monkeypatch, capsys)
    assert servers == 2
    assert "invented people with published passwords can sign in" in said
    assert ("mode sandbox, not production" in said) == recorded
    (shown,) = [one for one in json.loads(told) if one["check"] == "mode"]
    assert shown["status"] == "fatal"


def test_every_condition_is_planted() -> None:
    """Those that need another machine are judged in `tests/broker/doctor/test_checks.py`."""
    planted = {row[0] for row in PLANTED} | {"published passwords", "not initialised"}
    elsewhere = {"clocks apart", "database on a share", "nothing is flushed"}
    assert {one.name for one in conditions.CONDITIONS} == (planted - {"settings"}) | elsewhere
    assert len(PLANTED) + 2 >= 18


def test_every_fault_of_every_file_is_said_at_once(
    here: Here, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, _, said = asked({**here.environment, **bad_files(here)}, monkeypatch, capsys)
    lines = len((here.declared / "scopes.toml").read_text("utf-8").splitlines())
    assert f"scopes.toml:{lines}: not TOML" in said or f"scopes.toml:{lines - 1}: not TOML" in said
    assert "broker.toml:1: colour: Extra inputs" in said
    assert "clients/norr-planning.toml:3: redirect_uri" in said


@contextmanager
def served(here: Here, files: int | None = None) -> Iterator[int]:
    """Serve until the end of the block, by a process that may open so many files at first; gives the port."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def begin() -> None:
        serve.die_with_parent()
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    serving = subprocess.Popen(
        [sys.executable, "-m", "broker.cli", "serve", "--port", str(port)],
        env={**inherited, **here.environment},
        stderr=subprocess.DEVNULL,
        preexec_fn=begin,  # noqa: PLW1509 - it only asks the kernel
    )
    try:
        patience = machine_clock.Patience()
        while not answers(port):
            assert serving.poll() is None
            assert patience.left
            time.sleep(0.05)
        yield port
    finally:
        serving.terminate()
        serving.wait(60)


def test_a_sound_installation_is_served(here: Here) -> None:
    """The control: what is refused above is refused for its fault."""
    with served(here) as port:
        assert answers(port)


def test_what_is_served_is_not_served_twice(here: Here) -> None:
    """On SQLite one process writes: a second server says so, instead of starting workers that fail again and again."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    with served(here):
        again = subprocess.run(
            [sys.executable, "-m", "broker.cli", "serve", "--port", "1"],
            env={**inherited, **here.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert again.returncode == 2
    assert "stop the server first" in again.stderr


def test_health_answers_beside_more_silent_connections_than_files_were_allowed(here: Here) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > SILENT + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (SILENT + 500, hard))
    try:
        with served(here, files=1024) as port, ExitStack() as opened:
            for _ in range(SILENT):
                opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            assert answers(port)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
