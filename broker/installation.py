"""An installation: what `semel init` makes, once, and what a server checks before it serves.

Creating is a separate act from serving, so that a wrong database URL cannot quietly begin a second, empty ledger.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import insert, select, update

from broker import personas
from broker.database import Database, Tx
from broker.migrations import history
from broker.people import people
from broker.settings import Settings
from broker.tables import install
from consent import audit, ledger, published_state
from consent import errors as consent_errors
from consent.checkpoint import Signer
from consent.ledger_alarm import LedgerAlarm
from consent.published_state import PublishedState
from keys import algorithms, vault
from keys.algorithms import Alg, KeyPair
from keys.keyring import Purpose, RootKeyring, SigningKey
from keys.sources import sealed

#: What a new installation signs with; the ledger's two are changed by a record in it, all others by the clock.
FIRST_KEYS: tuple[tuple[Purpose, Alg], ...] = (*sealed.WANTED, ("ledger", "Ed25519"), ("ledger", "ML-DSA-44"))
PUBLISHED = Path(__file__).parents[1] / "openid-config"  # the demo's own declarations, where they are at hand


BROKEN = "the ledger does not hold"  # how a refusal begins that is an alarm


class NotReady(Exception):
    """This installation cannot be served; the message says what is missing and which command mends it."""


class Served(Exception):
    """This SQLite installation is being served, and only its server may write."""


class AlreadyInstalled(Exception):
    """`semel init` was run before on this database."""


def create(settings: Settings, now: int, *, progress: Callable[[str, int, int], None] = lambda *_: None) -> int:
    """Make tables, first keys and the ledger, write the issuer, and in demo and sandbox enrol the personas.

    All in one transaction, in which nothing slow is computed: an interrupted `init` leaves nothing behind. `now` in microseconds; `progress(what, done, of)`
    is called as personas are enrolled. Returns how many there are. Raises `AlreadyInstalled`, `NotReady`.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    roots = root_keyring(settings)
    keys = vault.Vault(settings.person_keys)
    people = [] if settings.mode == "production" else personas.load(settings.config_dir)
    digests = personas.digest_passwords(people, lambda done: progress("Enrolling personas", done, len(people)))
    pairs = make_keys()
    database = Database.open(settings.database)
    try:
        with database.write() as tx:
            if history.current(tx) is not None:
                raise AlreadyInstalled("this database has been initialised before")
            history.upgrade(tx)
            store_keys(tx, roots, pairs, now)
            keys.create_stream(tx, vault.OPERATOR_STREAM, now)
            origin = settings.ledger_origin
            ledger.create(tx, ledger.LOG_ID, origin, now, vkeys=_verifier_keys(origin, pairs))
            personas.enrol_all(tx, keys, roots, digests, now)
            tx.execute(insert(install).values(only=1, issuer=settings.issuer, mode=settings.mode, created=now))
    finally:
        database.close()
    return len(people)


@contextmanager
def claim(settings: Settings) -> Iterator[None]:
    """Be the one process that writes to a SQLite installation, until the end of the block; PostgreSQL needs no claim.

    The kernel lets go of the claim when the process dies. Raises `Served` when another process holds it.
    """
    if not settings.database.startswith("sqlite"):
        yield
        return
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.data_dir / "served.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Served("this installation is being served: stop the server first") from None
        yield


@contextmanager
def unserved(settings: Settings) -> Iterator[None]:
    """Look at an installation that nobody serves yet; raises `Served` when somebody does."""
    if not (settings.data_dir / "served.lock").exists():
        yield
        return
    with claim(settings):
        yield


@contextmanager
def reading(settings: Settings) -> Iterator[Tx]:
    """A transaction that only reads, beside a running server."""
    database = Database.open(settings.database)
    try:
        with database.read() as tx:
            yield tx
    finally:
        database.close()


@contextmanager
def changing(settings: Settings) -> Iterator[Tx]:
    """A transaction of a command that writes; raises `Served` on a SQLite file in use, `NotReady` where there is nothing."""
    with claim(settings):
        database = Database.open(settings.database)
        try:
            with database.write() as tx:
                if history.current(tx) is None:
                    raise NotReady("this database was never initialised: run `semel init` first")
                yield tx
        finally:
            database.close()


@contextmanager
def changing_beside(settings: Settings) -> Iterator[Tx]:
    """A short transaction of a command beside a running server, on SQLite too: for rows that no process holds in memory.

    Clients that registered themselves and their tokens are such rows; the ledger and the keys are not. SQLite's own lock puts it
    between the server's transactions. Raises `NotReady` where there is nothing, `errors.Busy` when the lock does not come free.
    """
    database = Database.open(settings.database)
    try:
        with database.write() as tx:
            if history.current(tx) is None:
                raise NotReady("this database was never initialised: run `semel init` first")
            yield tx
    finally:
        database.close()


def root_keyring(settings: Settings) -> RootKeyring:
    """The root keyring; in demo and sandbox one is made when there is none. Production raises `NotReady` instead."""
    try:
        return RootKeyring.parse(settings.root_keyring_text())
    except FileNotFoundError:
        if settings.mode == "production":
            raise NotReady(
                "SEMEL_KEY_ENCRYPTION_KEY or SEMEL_KEY_ENCRYPTION_KEY_FILE must be set in production"
            ) from None
    made = RootKeyring.generate()
    _write_secret(settings.data_dir / "key-encryption-key", made.text())
    return made


def make_keys() -> list[tuple[Purpose, KeyPair]]:
    """Make the first key of every purpose and algorithm. Before any transaction: an RSA key takes a while."""
    return [(purpose, algorithms.generate(alg)) for purpose, alg in FIRST_KEYS]


def store_keys(tx: Tx, roots: RootKeyring, pairs: Sequence[tuple[Purpose, KeyPair]], now: int) -> None:
    """Store what `make_keys` made; every key signs from now on. `now` in microseconds."""
    signing, publishing = roots.ring("signing"), roots.ring("ledger")
    for purpose, pair in pairs:
        ring = publishing if purpose == "ledger" else signing
        sealed.store(tx, ring, pair, purpose=purpose, stage="signing", now=now)


def _verifier_keys(origin: str, pairs: Sequence[tuple[Purpose, KeyPair]]) -> list[str]:
    keys = [SigningKey.of(pair, purpose=purpose, stage="signing") for purpose, pair in pairs if purpose == "ledger"]
    return [str(Signer.of(origin, key).key) for key in keys]


def published(ledger_dir: Path) -> PublishedState | str:
    """Look into the published folder: before a transaction asks the database, which may only know more than was published.

    Returns why nothing may be served while the ledger's alarm stands, and when the disk does not give what is there.
    """
    try:
        LedgerAlarm(ledger_dir).check()
        return published_state.read(ledger_dir)
    except consent_errors.AlarmRaised as alarm:
        return f"the ledger's alarm stands: {alarm}; `semel ledger alarm` says what to do"
    except OSError as unread:
        return f"the published ledger cannot be read ({unread.strerror}): mend {ledger_dir} first"


def check(tx: Tx, issuer: str, public: PublishedState | str = audit.NOTHING) -> None:
    """Return when the database was made by `semel init`, for this issuer, and is at this version; raises `NotReady`.

    The ledger's right edge is checked too, and whatever was appended after the last checkpoint is replayed. A database that
    knows less than `public` (from `published`) is an older state: new entries would take numbers that are others'.
    """
    revision = history.current(tx)
    if revision is None:
        raise NotReady("this database was never initialised: run `semel init` first")
    if revision != history.newest():
        raise NotReady("this database is at another version: run `semel db upgrade` first")
    made_for = tx.execute(select(install.c.issuer)).scalar_one_or_none()
    if made_for != issuer:
        raise NotReady(f"this database was made for the issuer {made_for}, not for {issuer}")
    if isinstance(public, str):
        raise NotReady(public)
    try:
        audit.check(tx, public=public)
    except consent_errors.ConsentError as broken:
        raise NotReady(f"{BROKEN}: {broken}; restore it before serving") from broken


def record_mode(tx: Tx, settings: Settings) -> None:
    """Write down the mode where that was not done at `init`; a persona that can sign in says that it was no production."""
    roots = RootKeyring.parse(settings.root_keyring_text())
    invented = any(people.by_username(tx, roots, one.username) is not None for one in _invented(settings))
    mode = "sandbox" if invented and settings.mode == "production" else settings.mode
    tx.execute(update(install).where(install.c.mode.is_(None)).values(mode=mode))


def _invented(settings: Settings) -> list[personas.Persona]:
    """Give everyone of the persona files at hand: the operator's and the demo's own, whose passwords are published."""
    found: list[personas.Persona] = []
    for folder in dict.fromkeys((settings.config_dir, PUBLISHED)):
        with suppress(consent_errors.BadDeclaration):
            found += personas.load(folder)
    return found


def published_accounts(tx: Tx, roots: RootKeyring, settings: Settings) -> int | None:
    """Count the invented people who can sign in: their passwords are published; None where no persona file is at hand."""
    invented = {one.username for one in _invented(settings)}
    known = [people.by_username(tx, roots, username) for username in sorted(invented)]
    return sum(person is not None and not person.disabled for person in known) if invented else None


def is_made(settings: Settings) -> bool:
    """Whether `semel init` has been run on this database."""
    database = Database.open(settings.database)
    try:
        with database.write() as tx:
            return history.current(tx) is not None
    finally:
        database.close()


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
