"""Semel's side: an installation on PostgreSQL with its people, permissions and sessions loaded, served as an operator would."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import uuid6

from benchmarks import declared, machine
from benchmarks.agency import Agency
from benchmarks.machine import Missing, Server
from benchmarks.side import RESOURCE, Side, Size, Visit, skewed
from broker import signing_keys
from broker.clients import secret
from broker.database import Database
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.settings import Settings
from broker.sign_in import one_time_code, password, session
from consent import catalogue, intended_use, ledger, ledger_entry, notice, permission
from consent.request import DataRequest
from examples.registers import population
from examples.registers.people import Person
from keys import opaque
from keys.keyring import RootKeyring
from keys.sources.sealed import Schedule
from keys.vault import Vault

ACR = "http://eidas.europa.eu/LoA/substantial"
SECOND = 1_000_000  # microseconds
PUBLISH_SECONDS = 120
YEAR = 365 * 86_400 * SECOND
BATCH = 1000
#: A key is published for longer than workers take to look and clients keep their copy, before it signs and after.
SCHEDULE = Schedule(20, 12, {"token": 12, "credential": 12, "encryption": 12})
PATHS = {
    "par": "/par",
    "authorize": "/authorize",
    "token": "/token",
    "introspection": "/introspection",
    "userinfo": "/userinfo",
    "prefill": "/prefill",
}
PASSWORD = "one password for everybody here"


@contextmanager
def running(folder: Path, size: Size, *, workers: int) -> Iterator[Side]:
    """Load an installation and serve it until the end of the block."""
    with machine.postgresql() as server:
        port = machine.free_port()
        issuer = f"http://127.0.0.1:{port}"
        agencies = [Agency(f"agency-{n}", issuer) for n in range(size.agencies)]
        signing, (files_secret, kept) = Agency("files-signing", issuer), secret.make()
        register = folder / "population.db"
        population.build(register, (_known(n) for n in range(size.citizens)))
        declared.write(folder / "config", agencies, register=register, secret=kept, signing=signing)
        environment = _environment(folder, server, issuer)
        semel = [sys.executable, "-m", "broker.cli"]
        subprocess.run([*semel, "init"], env=environment, check=True, stdout=subprocess.DEVNULL)
        settings = _settings(folder, server, issuer)
        visits = load(settings, agencies, size)
        _settle(server)
        serving = [*semel, "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
        log = folder / "semel.log"
        with machine.program(serving, port=port, log=log, environment=environment) as process:
            _published(settings.ledger_dir / "checkpoint", size.citizens)
            roots, files = (process.pid, server.pid), ("files", files_secret)
            turn = partial(_turn, settings)
            yield Side("semel", port, PATHS, roots, tuple(visits), files, signing, RESOURCE, turn)


def _settle(server: Server) -> None:
    """Do now what the database would do in the minutes after so much was written; the peer's seed does the same."""
    with psycopg.connect(server.url(), autocommit=True) as link:
        link.execute("VACUUM ANALYZE")


def _published(checkpoint: Path, size: int) -> None:
    """Return when everything that was loaded is published."""
    until = time.monotonic() + PUBLISH_SECONDS
    while not checkpoint.exists() or int(checkpoint.read_text().split("\n")[1]) < size:
        if time.monotonic() > until:
            raise Missing("what was loaded is not published")
        time.sleep(0.2)


def _turn(settings: Settings) -> None:
    """Make and move the signing keys that are due, as any of its processes does by slower clocks."""
    database = Database.open(settings.database)
    try:
        ring = RootKeyring.parse(settings.root_keyring_text()).ring("signing")
        asyncio.run(signing_keys.turn(database, ring, SCHEDULE, time.time_ns() // 1000))
    finally:
        database.close()


def _environment(folder: Path, server: Server, issuer: str) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    return given | {
        "SEMEL_MODE": "sandbox",
        "SEMEL_ISSUER": issuer,
        "SEMEL_DATA_DIR": str(folder / "data"),
        "SEMEL_CONFIG_DIR": str(folder / "config"),
        "SEMEL_DATABASE_URL": server.url("postgresql+psycopg"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _settings(folder: Path, server: Server, issuer: str) -> Settings:
    return Settings(
        mode="sandbox",
        issuer=issuer,
        data_dir=folder / "data",
        config_dir=folder / "config",
        database_url=server.url("postgresql+psycopg"),
    )


def _number(n: int) -> str:
    return f"{n:010}"


def _known(n: int) -> Person:
    """What the population register knows of one person."""
    known = {"given_name": f"Given{n}", "family_name": f"Family{n}", "sex": "2", "municipality": "0110"}
    known |= {"birth_date": f"19{40 + n % 60}-0{1 + n % 9}-1{n % 10}", "since": "2018-02-01", "country": "XN"}
    known |= {"street_address": f"Gatan {n}", "postal_code": "01100", "locality": "Norr"}
    return Person(_number(n), known)


def load(settings: Settings, agencies: Sequence[Agency], size: Size) -> list[Visit]:
    """Enrol everybody, enter a permission for each, and sign some in; returns the visits that these make."""
    with ProcessPoolExecutor(2) as processes:
        parts = processes.map(_enrol, *zip(*[(settings, part) for part in _parts(size.citizens)], strict=True))
        ids = [person_id for part in parts for person_id in part]
    dice = random.Random(1)
    pairs = [(person_id, agencies[skewed(dice, len(agencies))]) for person_id in ids]
    database, vault = Database.open(settings.database), Vault(settings.person_keys)
    try:
        _permit(settings, database, vault, pairs)
        return [_signed_in(database, *pair) for pair in dice.sample(pairs, size.visits)]
    finally:
        database.close()


def _parts(many: int) -> list[range]:
    return [range(begin, min(begin + 5 * BATCH, many)) for begin in range(0, many, 5 * BATCH)]


def _enrol(settings: Settings, numbers: range) -> list[str]:
    """Enrol these people, as a desk would, but in one transaction."""
    roots, vault = RootKeyring.parse(settings.root_keyring_text()), Vault(settings.person_keys)
    kept = password.seal(password.digest(PASSWORD), roots.ring("pepper"))
    database, now = Database.open(settings.database), time.time_ns() // 1000
    made = []
    try:
        with database.write() as tx:
            for n in numbers:
                told = Profile(f"Given{n} Family{n}", _number(n), f"person{n}@post.example", language="en")
                enrolment = Enrolment(f"person-{n}", kept, one_time_code.new_secret(), "substantial", told)
                made.append(people.enrol(tx, vault, roots, enrolment, now))
    finally:
        database.close()
    return made


def _permit(settings: Settings, database: Database, vault: Vault, pairs: Sequence[tuple[str, Agency]]) -> None:
    """Enter a permission for each person and agency, so many to a batch, as the committer does."""
    known, uses = catalogue.load(settings.config_dir), intended_use.load(settings.config_dir)
    notices = {
        use.client_id: notice.build(use, DataRequest.whole(use), known, "en")
        for use in (uses.get(declared.use_of(agency.client_id)) for agency in {id(a): a for _, a in pairs}.values())
    }
    digests = {client_id: told.digest for client_id, told in notices.items()}
    for begin in range(0, len(pairs), BATCH):
        some = pairs[begin : begin + BATCH]
        now = time.time_ns() // 1000
        with database.committing() as tx:
            ledger.lock(tx)
            batch = ledger.Batch(tx, ledger.head(tx), now)
            for person_id, agency in some:
                stream = people.ledger_stream(tx, vault, person_id)
                use = uses.get(declared.use_of(agency.client_id))
                entry = ledger_entry.permission_given(
                    stream,
                    entry_id=str(uuid6.uuid7()),
                    party=agency.client_id,
                    purpose=use.purpose_id,
                    permission=str(uuid6.uuid7()),
                    kind="ongoing",
                    mode="consent",
                    granted=declared.ITEMS,
                    decisions=dict.fromkeys(declared.ITEMS, "given"),
                    lookup=permission.lookup(stream.key, agency.client_id, use.id),
                    notice=digests[agency.client_id],
                    language="en",
                    valid_to=now + YEAR,
                )
                for appended in batch.add([entry]):
                    permission.apply(tx, appended)
            batch.write()


def _signed_in(database: Database, person_id: str, agency: Agency) -> Visit:
    with database.write() as tx:
        cookie, _ = session.start(
            tx,
            person_id,
            state="full",
            acr=ACR,
            amr=("pwd", "otp", "mfa"),
            now=time.time_ns() // 1000,
            idle=1800,
            longest=43_200,
        )
    return Visit(agency, {"semel": cookie, "semel-browser": opaque.token()})
