"""The database: the one place that begins and commits.

SQLite (embedded default): one connection writes and checkpoints, readers open the file read-only; WAL, `synchronous`
FULL, foreign keys on. SQLite 3.7.0 to 3.51.2 can lose commits when two connections write or checkpoint at the same
instant (its WAL-reset bug), hence the single writer and the checkpoint on that same connection.
PostgreSQL 15 or newer: one pooled connection for requests and one for the ledger's committer; READ COMMITTED, where each
statement sees what was committed before it, so that what only reads needs no transaction around its statements.
"""

from __future__ import annotations

import os
import select
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from broker import database_connection, errors, prepared

Dialect = Literal["sqlite", "postgresql"]
Tx = Connection

FOLD_PAGES = 500  # of the write-ahead log: at two megabytes it is folded into the file, so that folding is always short
LOG_BYTES = 16 << 20  # of the log's file once it begins anew, however large a long reader has let it become
SERVING = 0.0  # seconds a server waits for another process's lock: it waits on its event loop, between tries
COMMAND = 5.0  # seconds a command waits for it
READING = 0.02  # seconds for a lock that readers hardly ever meet: while the log is recovered
POSTGRESQL_SESSION = (
    "-c lock_timeout=100 -c statement_timeout=2000 -c idle_in_transaction_session_timeout=5000 -c jit=off"
)
_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
COMMITTER_SESSION = "-c jit=off -c plan_cache_mode=force_custom_plan"


class UnsafeDatabase(Exception):
    """The database would not keep what it was told to keep; the message names the setting and the remedy."""


class Database:
    """Short transactions on one database.

    `read()`, `write()` and `committing()` are context managers that give a transaction: committed on leaving,
    rolled back when left by an exception. No `await` inside them (an architecture test holds it). `full` says that a write
    failed for want of room; whoever has seen a later one succeed sets it back.
    """

    def __init__(self, *, reader: Engine, writer: Engine, committer: Engine, dialect: Dialect) -> None:
        self.dialect = dialect
        self._reader = reader
        self._writer = writer
        self._committer = committer
        self._writing = threading.RLock()
        self._here = threading.local()
        self._write_connection: Connection | None = None
        self.full = False

    @classmethod
    def open(cls, url: str, wait: float = COMMAND) -> Database:
        """Open the database at an SQLAlchemy URL (`sqlite:////path/semel.db` or `postgresql+psycopg://…`).

        `wait`: seconds that a transaction on SQLite waits for another process's lock before it raises `errors.Busy`; a server,
        whose waiting would hold up everybody, gives `SERVING`. Nothing is created but an empty SQLite file's folder. Raises
        `UnsafeDatabase` for a server that does not flush.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return cls._open_sqlite(parsed, wait)
        if parsed.get_backend_name() == "postgresql":
            return cls._open_postgresql(parsed.set(drivername="postgresql+psycopg"))
        raise UnsafeDatabase("only sqlite and postgresql are supported")

    @classmethod
    def _open_sqlite(cls, url: URL, wait: float) -> Database:
        if not url.database or url.database == ":memory:":
            raise UnsafeDatabase("SQLite needs a file: a database in memory keeps nothing")
        path = Path(url.database).absolute()

        def connect(*, read_only: bool) -> sqlite3.Connection:
            mode = "ro" if read_only else "rwc"
            if (
                not read_only
            ):  # its log and index take over the mode of a file that is there; one that is there stays shut:
                with suppress(OSError):  # closing it a second time would let go of the locks of our other connections
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            patience = max(wait, READING) if read_only else wait
            link = sqlite3.connect(
                f"{path.as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=patience,
                check_same_thread=False,
            )
            link.execute("PRAGMA foreign_keys=ON")
            if not read_only:
                link.execute("PRAGMA journal_mode=WAL")
                link.execute("PRAGMA synchronous=FULL")
                link.execute("PRAGMA secure_delete=ON")
                link.execute(f"PRAGMA wal_autocheckpoint={FOLD_PAGES}")  # a fold that fails fails no commit
                link.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
            return link

        writer = create_engine(url, creator=lambda: connect(read_only=False), poolclass=NullPool)
        reader = create_engine(
            url, creator=lambda: connect(read_only=True), poolclass=QueuePool, pool_size=2, max_overflow=2
        )
        prepared.install(writer)
        prepared.install(reader)
        event.listen(writer, "begin", lambda tx: tx.exec_driver_sql("BEGIN IMMEDIATE"))
        event.listen(reader, "begin", lambda tx: tx.exec_driver_sql("BEGIN"))
        return cls(reader=reader, writer=writer, committer=writer, dialect="sqlite")

    @classmethod
    def _open_postgresql(cls, url: URL) -> Database:
        def engine(options: str) -> Engine:
            given = {"options": options, **database_connection.LIMITS}
            made = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=1, connect_args=given)
            prepared.install(made)
            event.listen(made, "do_connect", database_connection.Connecting())
            event.listen(made, "connect", _refuse_unsafe_postgresql)
            event.listen(made, "checkout", _refuse_hung_up)
            return made

        requests = engine(POSTGRESQL_SESSION)
        reader = requests.execution_options(isolation_level="AUTOCOMMIT")  # the same connection
        prepared.install(reader)
        return cls(reader=reader, writer=requests, committer=engine(COMMITTER_SESSION), dialect="postgresql")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Statements that only read, on one connection; inside a transaction of the same thread they are a part of it."""
        outer: Tx | None = getattr(self._here, "tx", None)
        if outer is not None:
            yield outer
            return
        with self._reader.connect() as tx, tx.begin(), self._inside(tx):
            yield tx

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A short transaction that writes; on SQLite BEGIN IMMEDIATE on the one writing connection."""
        if self.dialect == "sqlite":
            with self._write_sqlite() as tx:
                yield tx
            return
        with self._noting_room(), self._writer.connect() as tx, tx.begin(), self._inside(tx):
            yield tx

    @contextmanager
    def committing(self) -> Iterator[Tx]:
        """The committer's transaction: its own connection on PostgreSQL, the writing one on SQLite."""
        if self.dialect == "sqlite":
            with self._write_sqlite() as tx:
                yield tx
            return
        with self._noting_room(), self._committer.connect() as tx, tx.begin(), self._inside(tx):
            yield tx

    @contextmanager
    def _noting_room(self) -> Iterator[None]:
        """Remember that a write found no room."""
        try:
            yield
        except Exception as problem:
            self.full = self.full or errors.out_of_room(problem)
            raise

    @contextmanager
    def _inside(self, tx: Tx) -> Iterator[None]:
        """Remember the open transaction of this thread: with one connection a process, a second would wait for the first."""
        self._here.tx = tx
        try:
            yield
        finally:
            self._here.tx = None

    @contextmanager
    def _write_sqlite(self) -> Iterator[Tx]:
        with self._writing, self._noting_room():
            with self._lock_of_others():
                if self._write_connection is None:
                    self._write_connection = self._writer.connect()
                begun = self._write_connection.begin()
            with begun, self._inside(self._write_connection):
                yield self._write_connection

    @contextmanager
    def _lock_of_others(self) -> Iterator[None]:
        """Raise `errors.Busy` where a transaction cannot begin because another process is in one."""
        try:
            yield
        except OperationalError as problem:
            if errors.locked(problem):
                raise errors.Busy from problem
            raise

    def _checkpoint(self) -> None:
        """Fold the write-ahead log into the file, on the connection that writes."""
        if self._write_connection is not None:
            driver = self._write_connection.connection.driver_connection
            if driver is not None:
                driver.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def create(self, *metadatas: MetaData) -> None:
        """Create the tables of these metadatas; for tests of one package (the product migrates)."""
        for metadata in metadatas:
            with self.write() as tx:
                metadata.create_all(tx)

    def close(self) -> None:
        """Give every connection back; on SQLite fold the log in first."""
        with self._writing:
            if self._write_connection is not None:
                self._checkpoint()
                self._write_connection.close()
                self._write_connection = None
        for engine in {self._reader, self._writer, self._committer}:
            engine.dispose()


def _refuse_unsafe_postgresql(link: Any, _record: Any) -> None:
    """Refuse a server that acknowledges before it has flushed: an answered release could be lost (fsync, WAL)."""
    with link.cursor() as cursor:
        for setting, bad in (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")):
            value = cursor.execute(f"SHOW {setting}").fetchone()[0]
            if value == bad:
                raise UnsafeDatabase(f"PostgreSQL runs with {setting}={bad}; set it to on")
        version = cursor.execute("SHOW server_version_num").fetchone()[0]
        if int(version) < 150000:
            raise UnsafeDatabase("PostgreSQL 15 or newer is needed")
    link.rollback()


def _refuse_hung_up(link: Any, _record: Any, _proxy: Any) -> None:
    """Have a connection replaced that its server has closed since it was last used; costs no round trip.

    Nobody writes to a connection that asked nothing, but to say goodbye.
    """
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server hung up")


def now_from(tx: Tx) -> int:
    """Microseconds since 1970 by the database server's clock (PostgreSQL)."""
    return int(tx.execute(_NOW).scalar_one())
