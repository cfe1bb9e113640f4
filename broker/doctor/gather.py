"""Gathers the facts: the database read, the issuer asked as a stranger would, nothing changed anywhere."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, text, union
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from broker import installation, publication
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import BadClient, Registry
from broker.database import Database, Tx, UnsafeDatabase, now_from
from broker.doctor import declared, handshake, machine
from broker.doctor.facts import NOBODY, Answer, Clients, Configured, Facts, Roots, Served, Stored
from broker.doctor.storage import POSTGRESQL
from broker.egress import Egress, EgressRefused, system_resolver
from broker.endpoints import discovery, jwks
from broker.evidence import assured
from broker.migrations import history
from broker.notices import outbox
from broker.publication_failure import LastFailure
from broker.settings import Settings
from broker.tables import install
from consent import catalogue, ledger, sign_in
from consent import errors as consent_errors
from consent.published_state import PublishedState
from keys import canonical
from keys import errors as keys_errors
from keys.keyring import RootKeyring
from keys.sources import sealed
from keys.sources.sealed import StoredKey
from keys.tables import ledger_key, person_root

PATHS = (discovery.OPENID_CONFIGURATION, jwks.PATH, "/sign-in")  # metadata, keys, a page
MAX_BYTES = 512 * 1024
TIMEOUT = 5.0  # seconds
QUESTIONS = 5  # how often the way to the database is measured

Clock = Callable[[], int]
Look = Callable[[Settings, Clock], Awaitable[Served]]


async def gather(settings: Settings, clock: Clock, look: Look | None = None) -> Facts:
    """Look at everything; `look` gets what the issuer serves (`served` does), `clock` gives microseconds since 1970."""
    stored, clients = _database(settings, clock)
    return Facts(
        now=clock(),
        configured=_configured(settings),
        stored=stored,
        machine=machine.look(settings),
        served=await (look or served)(settings, clock),
        clients=clients,
        computed=_computed(settings),
        roots=_keyring(settings),
        declared=declared.look(settings),
    )


async def unserved(_settings: Settings, clock: Clock) -> Served:
    """Look at nothing that is served: for a server that has not started yet."""
    nobody = Answer(problem=NOBODY)
    return Served(nobody, nobody, nobody, clock(), None)


def _configured(settings: Settings) -> Configured:
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return Configured(
        issuer=settings.issuer,
        mode=settings.mode,
        code=settings.code_seconds,
        token=settings.token_seconds,
        pushed_request=settings.pushed_request_seconds,
        session_idle=settings.session_idle_seconds,
        schedule=settings.key_schedule(),
        trusted_proxies=settings.trusted_proxies,
        egress_allow=settings.egress_allow,
        client_egress_allow=settings.client_egress_allow,
        legacy=tuple(name for name, value in values.items() if "legacy" in name and value),
        person_keys_beside_database=settings.database.startswith("sqlite")
        and settings.person_keys.absolute().is_relative_to(settings.data_dir.absolute()),
        checkpoint=settings.checkpoint_seconds,
        person_keys=str(settings.person_keys),
    )


def _computed(settings: Settings) -> Mapping[str, Any]:
    try:
        known = catalogue.load(settings.config_dir)
        uses = sign_in.uses(settings.config_dir, known)
        assurance = assured.load(settings.config_dir, known)
        offered = MutualTls.load(settings.mtls_origin, settings.client_ca_file)
    except (OSError, ValueError, consent_errors.ConsentError, keys_errors.KeysError):
        return {}
    made = discovery.computed(
        settings.issuer, uses, known, assurance=assurance, mutual_tls=offered, legacy=settings.legacy
    )
    computed: Mapping[str, Any] = canonical.loads(canonical.dumps(made))
    return computed


# --- the database


def _database(settings: Settings, clock: Clock) -> tuple[Stored, Clients]:
    """Read what is stored, and the clients of the files and of the database."""
    try:
        database = Database.open(settings.database)
    except UnsafeDatabase as refused:
        return Stored(problem=str(refused), unsafe=True), _clients(settings, None)
    except SQLAlchemyError:  # its text may hold the whole address, password and all
        return Stored(problem="its address cannot be read"), _clients(settings, None)
    public = installation.published(settings.ledger_dir)
    try:
        with database.read() as tx:
            made = history.current(tx)
            stored = _stored(tx, settings, clock, made, public)
        return stored, _clients(settings, database if made == history.newest() else None)
    except UnsafeDatabase as refused:
        return Stored(problem=str(refused), unsafe=True, dialect=database.dialect), _clients(settings, None)
    except (SQLAlchemyError, OSError, consent_errors.ConsentError) as broken:
        return Stored(problem=told(broken), dialect=database.dialect), _clients(settings, None)
    finally:
        database.close()


def told(broken: Exception) -> str:
    """Say in one line why a database cannot be used; never its address, which may hold a password."""
    if isinstance(broken, SQLAlchemyError) and not isinstance(broken, DBAPIError):
        return "its address cannot be read, or its driver is missing"
    said = str(getattr(broken, "orig", None) or broken)
    return (said.splitlines() or ["it does not say why"])[0].removeprefix("connection failed: ")


def _stored(tx: Tx, settings: Settings, clock: Clock, made: str | None, public: PublishedState | str) -> Stored:
    dialect, newest, asked_at = tx.dialect.name, history.newest(), clock()
    known: dict[str, Any] = {
        "dialect": dialect,
        "revision": made,
        "newest_revision": newest,
        "settings": _sqlite(tx) if dialect == "sqlite" else _postgresql(tx),
        "server_clock": None if dialect == "sqlite" else now_from(tx),
        "asked_at": asked_at,
        "round_trip": _round_trip(tx),
    }
    if made != newest:
        return Stored(**known)
    keys, head = sealed.listed(tx), ledger.head(tx)
    made_for = tx.execute(select(install.c.issuer)).scalar_one_or_none()
    return Stored(
        **known,
        issuer=made_for,
        mode=tx.execute(select(install.c.mode)).scalar_one_or_none(),
        newest_entry=head.ts,
        ledger=_ledger(tx, public, made_for),
        publication=publication.look(tx, publication.public_size(settings.ledger_dir)),
        publication_failure=LastFailure(settings.ledger_dir).read(),
        keys=keys,
        keys_open=_opens(tx, settings, keys),
        month_keys=_month_keys(tx),
        personas=_personas(tx, settings),
        dead_letters=len(outbox.listed(tx, "dead")),
    )


def _ledger(tx: Tx, public: PublishedState | str, made_for: str | None) -> str | None:
    """Say why the ledger cannot be continued; None when it can."""
    try:
        installation.check(tx, made_for or "", public)
    except installation.NotReady as refused:
        return str(refused)
    return None


def _month_keys(tx: Tx) -> tuple[str, ...]:
    """Name the files that wrap what is sealed for persons and for the ledger's streams."""
    months = union(select(person_root.c.kek), select(ledger_key.c.kek))
    return tuple(sorted(f"kek-{month}.key" for month in tx.execute(months).scalars()))


def _sqlite(tx: Tx) -> dict[str, str]:
    return {n: str(tx.exec_driver_sql(f"PRAGMA {n}").scalar_one()) for n in ("journal_mode", "foreign_keys")}


def _postgresql(tx: Tx) -> dict[str, str]:
    told = {name: str(tx.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in POSTGRESQL}
    mighty = tx.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar_one()
    return told | {"superuser": "on" if mighty else "off"}


def _round_trip(tx: Tx) -> float:
    taken = []
    for _ in range(QUESTIONS):
        started = time.perf_counter_ns()
        tx.execute(text("SELECT 1"))
        taken.append((time.perf_counter_ns() - started) / 1_000_000)
    return median(taken)


def _roots(settings: Settings) -> RootKeyring | None:
    try:
        return RootKeyring.parse(settings.root_keyring_text())
    except (OSError, keys_errors.KeysError):
        return None


def _opens(tx: Tx, settings: Settings, keys: tuple[StoredKey, ...]) -> bool:
    roots = _roots(settings)
    try:
        if roots is not None:
            sealed.load(tx, roots.ring("signing"), ["token", "credential"])
    except keys_errors.KeysError:
        return False
    return roots is not None or not keys


def _keyring(settings: Settings) -> Roots:
    """Say what is wrong with the root keyring; nothing of what is in it."""
    try:
        return Roots(weak=RootKeyring.parse(settings.root_keyring_text()).weakness())
    except FileNotFoundError as problem:
        return Roots(problem=f"there is no root keyring: {problem.filename} is not there")
    except OSError as problem:
        return Roots(problem=f"{problem.filename} cannot be read: {problem.strerror}")
    except keys_errors.KeysError as problem:
        return Roots(problem=str(problem))


def _personas(tx: Tx, settings: Settings) -> int | None:
    """Count the invented people who can sign in where nobody invented should; None where they cannot be looked for."""
    if settings.mode != "production":
        return 0
    roots = _roots(settings)
    return None if roots is None else installation.published_accounts(tx, roots, settings)


def _clients(settings: Settings, database: Database | None) -> Clients:
    try:
        offered = MutualTls.load(settings.mtls_origin, settings.client_ca_file)
        own = (settings.issuer, settings.mtls_origin)
        known = Registry.load(
            settings.config_dir, Egress(), mode=settings.mode, database=database, mutual_tls=offered, own=own
        )
        return Clients(all=known.all())
    except (BadClient, keys_errors.InvalidCertificate, OSError) as wrong:
        return Clients(problem=str(wrong))


# --- what is served


async def served(settings: Settings, clock: Clock) -> Served:
    """Ask the issuer's address for metadata, keys and a page, as anyone outside would, and shake hands with it."""
    asked_at = clock()
    host, port = _place(settings.issuer)
    egress = Egress(await _addresses(host, port), settings.egress_ca_file)
    try:
        metadata, keys, page = [await _get(egress, settings.issuer + path) for path in PATHS]
    finally:
        await egress.aclose()
    tls = None
    if settings.secure:
        tls = await handshake.look(host, port, settings.egress_ca_file, asked_at / 1_000_000)
    return Served(metadata, keys, page, asked_at, tls)


def _place(issuer: str) -> tuple[str, int]:
    parts = urlsplit(issuer)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _addresses(host: str, port: int) -> list[str]:
    """Look up the issuer's own addresses: from inside they are often private ones, and it is the operator who asks."""
    try:
        return list(await system_resolver(host, port))
    except OSError:
        return []


async def _get(egress: Egress, url: str) -> Answer:
    try:
        reply = await egress.request("GET", url, max_bytes=MAX_BYTES, timeout=TIMEOUT)
    except (EgressRefused, OSError) as refused:  # OSError: the authorities' file, which a condition of its own names
        return Answer(problem=getattr(refused, "reason", "the file of authorities cannot be read"))
    return answer(reply.status, reply.headers, reply.content)


def answer(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Make a fetched thing of its parts; header names in lower case."""
    body = None
    if headers.get("content-type", "").partition(";")[0] in {"application/json", "application/jwk-set+json"}:
        try:
            body = canonical.loads(content)
        except keys_errors.Malformed:
            body = None
    return Answer(status=status, headers=headers, body=body)
