"""Misconfigurations planted in a real installation, each found by name with what mends it; a clean one passes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient

from broker.app import clock, create_app
from broker.clients import registered, registration
from broker.clients.metadata import ClientMetadata
from broker.database import Database
from broker.doctor import checks, gather
from broker.doctor.facts import Answer, Handshake, Served, Verdict
from broker.settings import Settings
from keys.keyring import RootKeyring
from keys.tables import signing_key
from tests import machine_clock
from tests.broker.installed import ISSUER, make
from tests.conftest import POSTGRESQL

#: Lines that say how the machine is that runs this test.
OF_THE_MACHINE = {"clock", "flushing", "disk"}
DAY = 86_400_000_000  # microseconds


@dataclass
class Installation:
    """An installation, and what stands between it and the world: `front` may change whatever is fetched."""

    folder: Path
    given: dict[str, Any]
    front: Callable[[str, Answer], Answer] = field(default=lambda _path, got: got)

    @property
    def settings(self) -> Settings:
        return Settings(**self.given)

    def write(self, *statements: Any) -> None:
        database = Database.open(self.settings.database)
        with database.write() as tx:
            for statement in statements:
                tx.execute(statement)
        database.close()

    def told(self, **changed: Any) -> dict[str, Verdict]:
        """What the doctor says, who gets other settings than the server."""
        app = create_app(self.settings)

        async def look(_settings: Settings, _clock: Callable[[], int]) -> Served:
            asked_at = clock()
            got = [self.front(path, fetched(http, path)) for path in gather.PATHS]
            return Served(*got[:3], asked_at=asked_at, tls=Handshake(version="TLSv1.3", days_left=60))

        with TestClient(app, ISSUER, follow_redirects=False) as http:
            facts = asyncio.run(gather.gather(Settings(**{**self.given, **changed}), clock, look))
        return {found.check.name: found.verdict for found in checks.judge(facts)}


def fetched(http: TestClient, path: str) -> Answer:
    reply = http.get(path)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return gather.answer(reply.status_code, headers, reply.content)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation made once, to be copied."""
    folder = tmp_path_factory.mktemp("first") / "made"
    make(folder)
    return folder


@pytest.fixture
def planted(first: Path, tmp_path: Path) -> Installation:
    """A clean installation on SQLite, to plant something in."""
    folder = tmp_path / "installation"
    shutil.copytree(first, folder)
    return Installation(
        folder,
        {
            "issuer": ISSUER,
            "mode": "production",
            "data_dir": folder / "data",
            "config_dir": folder / "declared",
            "person_key_dir": folder / "person-keys",
            "key_encryption_key_file": folder / "roots",
            "trusted_proxies": ("10.0.0.7",),
        },
    )


def wrong(told: dict[str, Verdict]) -> dict[str, Verdict]:
    return {name: v for name, v in told.items() if v.status != "pass" and name not in OF_THE_MACHINE}


def test_a_clean_installation_passes(tmp_path: Path, database_url: str) -> None:
    clean = Installation(tmp_path, make(tmp_path / "made", database_url))
    found = wrong(clean.told())
    if POSTGRESQL:  # the tests' server knows one role, its superuser
        assert found.pop("database settings").finding.startswith("the program is the database's superuser")
    assert found == {}


# --- planted


def open_key_file(here: Installation) -> dict[str, Any]:
    (here.folder / "roots").chmod(0o644)
    return {}


def another_keyring(here: Installation) -> dict[str, Any]:
    other = here.folder / "other-roots"
    other.write_text(RootKeyring.generate().text())
    other.chmod(0o600)
    return {"key_encryption_key_file": other}


def keys_that_nobody_changes(here: Installation) -> dict[str, Any]:
    here.write(update(signing_key).values(staged=clock() - 200 * DAY))
    return {}


def a_schema_of_yesterday(here: Installation) -> dict[str, Any]:
    here.write(text("UPDATE alembic_version SET version_num = '0000'"))
    return {}


def a_client_that_breaks_its_profile(here: Installation) -> dict[str, Any]:
    members = {"client_id": registration.new_id(), "client_name": "X", "redirect_uris": ["https://x.example/cb"]}
    members |= {"profile": "baseline", "token_endpoint_auth_method": "none", "scope": "openid profile"}
    database = Database.open(here.settings.database)
    with database.write() as tx:
        registered.add(tx, ClientMetadata.model_validate(members), "t", 1)
    database.close()
    return {}


def a_proxy_that_strips(here: Installation) -> dict[str, Any]:
    def strip(_path: str, got: Answer) -> Answer:
        kept = {
            n: v for n, v in got.headers.items() if n not in {"strict-transport-security", "content-security-policy"}
        }
        return Answer(status=got.status, headers=kept, body=got.body)

    here.front = strip
    return {}


def a_proxy_that_adds_a_grant(here: Installation) -> dict[str, Any]:
    def add(path: str, got: Answer) -> Answer:
        body = {**got.body, "grant_types_supported": ["implicit"]} if path == gather.PATHS[0] else got.body
        return Answer(status=got.status, headers=got.headers, body=body)

    here.front = add
    return {}


def a_cache_that_keeps_old_keys(here: Installation) -> dict[str, Any]:
    def keep(path: str, got: Answer) -> Answer:
        body = {"keys": got.body["keys"][1:]} if path == gather.PATHS[1] else got.body
        return Answer(status=got.status, headers=got.headers, body=body)

    here.front = keep
    return {}


def a_clock_that_is_wrong(here: Installation) -> dict[str, Any]:
    late = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(machine_clock.seconds() - 600))
    here.front = lambda _path, got: Answer(status=got.status, headers={**got.headers, "date": late}, body=got.body)
    return {}


def nobody_there(here: Installation) -> dict[str, Any]:
    here.front = lambda _path, _got: Answer(problem="unresolved")
    return {}


# fmt: off
PLANTED: list[tuple[Callable[[Installation], dict[str, Any]], str, str]] = [
    (open_key_file,                                          "secret files",      "chmod 600"),
    (another_keyring,                                        "signing keys",      "SEMEL_KEY_ENCRYPTION_KEY_FILE"),
    (keys_that_nobody_changes,                               "signing keys",      "semel serve"),
    (a_schema_of_yesterday,                                  "database",          "semel db upgrade"),
    (a_client_that_breaks_its_profile,                       "profiles",          "semel clients lint"),
    (a_proxy_that_strips,                                    "headers",           "proxy"),
    (a_proxy_that_adds_a_grant,                              "grants",            "nothing between"),
    (a_cache_that_keeps_old_keys,                            "published keys",    "Cache-Control"),
    (a_clock_that_is_wrong,                                  "clock",             "time service"),
    (nobody_there,                                           "reachable",         "DNS"),
    (lambda _: {"issuer": "https://other.example"},          "database",          "SEMEL_ISSUER"),
    (lambda _: {"mode": "demo"},                             "mode",              "SEMEL_MODE=production"),
    (lambda _: {"code_seconds": 600},                        "general",           "SEMEL_CODE_SECONDS"),
    (lambda _: {"token_seconds": 3600},                    "privileges",        "SEMEL_TOKEN_SECONDS"),
    (lambda _: {"trusted_proxies": ("0.0.0.0/0",)},          "proxies",           "one by one"),
    (lambda _: {"mode": "sandbox", "egress_allow": ("10.0.0.0/8",)}, "outbound",  "SEMEL_EGRESS_ALLOW"),
    (lambda _: {"person_key_dir": None},                     "secret files",      "SEMEL_PERSON_KEY_DIR"),
    (lambda _: {"database_url": "nonsense"},                 "database",          "SEMEL_DATABASE_URL"),
    (lambda _: {"database_url": "mysql://root:secret@x/y"},  "database settings", "PostgreSQL"),
    (lambda here: {"database_url": f"sqlite:///{here.folder}/nowhere.db"}, "database", "SEMEL_DATABASE_URL"),
]
# fmt: on


@pytest.mark.parametrize(
    ("plant", "check", "fix"), PLANTED, ids=[f"{n}: {row[1]}" for n, row in enumerate(PLANTED, start=1)]
)
def test_what_is_planted_is_found(
    planted: Installation, plant: Callable[[Installation], dict[str, Any]], check: str, fix: str
) -> None:
    found = planted.told(**plant(planted))[check]
    assert found.status != "pass"
    assert fix in found.fix


def test_invented_people_in_production(tmp_path: Path) -> None:
    """A sandbox that is served as production: its people's passwords are in the source."""
    here = Installation(tmp_path, make(tmp_path / "made", mode="sandbox"))
    verdict = here.told(mode="production")["mode"]
    assert (verdict.status, "semel init" in verdict.fix) == ("fatal", True)
    assert "mode sandbox" in verdict.finding
    assert "published passwords" in verdict.finding


def test_a_database_server_that_does_not_keep(tmp_path: Path, database_url: str) -> None:
    """PostgreSQL: the server is refused by every process, and the doctor says which setting it is."""
    if not POSTGRESQL:
        pytest.skip("SQLite has no server")
    given = make(tmp_path / "made", database_url)
    here = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(here.render_as_string(hide_password=False), autocommit=True) as link:
        link.execute(f'ALTER DATABASE "{here.database}" SET synchronous_commit = off')
    facts = asyncio.run(gather.gather(Settings(**given), clock, nothing_served))
    told = {found.check.name: found.verdict for found in checks.judge(facts)}
    assert told["database settings"].status == "fatal"
    assert "synchronous_commit=off" in told["database settings"].finding
    assert told["database"].status == "not looked at"
    assert told["database"].fix == "see the line `database settings` first"


def test_another_journal_is_found(planted: Installation) -> None:
    """While nothing is served: a server that starts would put it right."""
    file = planted.settings.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as link:
        assert link.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    facts = asyncio.run(gather.gather(planted.settings, clock, nothing_served))
    told = {found.check.name: found.verdict for found in checks.judge(facts)}
    assert told["database settings"].status != "pass"
    assert "journal_mode to wal" in told["database settings"].fix


async def nothing_served(_settings: Settings, _clock: Callable[[], int]) -> Served:
    none = Answer(problem="unreachable")
    return Served(none, none, none, clock(), None)


def test_looking_changes_nothing(planted: Installation) -> None:
    """The doctor reads: after it every row and every file of the installation is as it was."""
    before = contents(planted)
    asyncio.run(gather.gather(planted.settings, clock, nothing_served))
    assert contents(planted) == before


def contents(here: Installation) -> dict[str, bytes]:
    return {
        str(path.relative_to(here.folder)): path.read_bytes()
        for path in here.folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_what_is_told_holds_no_secret(planted: Installation) -> None:
    secrets = [line.split()[1] for line in (planted.folder / "roots").read_text().splitlines()]
    said = json.dumps([(v.finding, v.fix) for v in planted.told(**another_keyring(planted)).values()])
    assert not any(secret in said for secret in secrets)
