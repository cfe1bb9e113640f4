"""Databases for tests: empty ones, and ones with every table, as quickly as each kind of server gives them."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from broker import tables as broker_tables
from broker.database import Database
from consent import tables as consent_tables
from keys import tables as keys_tables
from wallet import tables as wallet_tables

METADATAS = (keys_tables.metadata, consent_tables.metadata, wallet_tables.metadata, broker_tables.metadata)
EMPTY = sql.SQL(";").join(
    sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)) for one in METADATAS for table in one.sorted_tables
)
SHAPE = """
    SELECT array_agg(one ORDER BY one) FROM (
        SELECT 'r' || oid::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 't' || oid::text || tgenabled::text FROM pg_trigger
        UNION ALL SELECT 'f' || oid::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS all_of_it (one)
"""


def create_tables(url: str) -> None:
    """Make every table of every package."""
    made = Database.open(url)
    made.create(*METADATAS)
    made.close()


class Server:
    """The PostgreSQL server under test, and the databases made on it.

    A database with tables is copied from a template made once, and swept rather than made anew for the next test: a new
    one costs the server half a second, deleting some rows a few milliseconds. A test that changed a table, a trigger or a
    function leaves no database behind that another would get.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._link = self._connect(self._url.database or "postgres")
        self._template = ""
        self._kept: tuple[str, psycopg.Connection[tuple[object, ...]], object] | None = None

    def _connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._url.set(database=name).render_as_string(hide_password=False), autocommit=True)

    def _do(self, statement: str, *names: str) -> None:
        self._link.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def url(self, name: str) -> str:
        return self._url.set(database=name, drivername="postgresql+psycopg").render_as_string(hide_password=False)

    def empty(self, template: str = "template1") -> str:
        """The name of a new database; whoever asked drops it."""
        name = f"test_{secrets.token_hex(6)}"
        self._do("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def drop(self, name: str) -> None:
        self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def with_tables(self) -> str:
        """The name of a database with every table and no row: the test's until the next one asks."""
        if self._kept is not None and not self._swept(*self._kept):
            self.forget()
        if self._kept is None:
            if not self._template:
                self._template = self.empty()
                create_tables(self.url(self._template))
            name = self.empty(self._template)
            link = self._connect(name)
            self._kept = name, link, _shape(link)
        return self._kept[0]

    def _swept(self, name: str, link: psycopg.Connection[tuple[object, ...]], shape: object) -> bool:
        self._link.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
            (name, link.info.backend_pid),
        )
        if _shape(link) != shape:
            return False
        with link.transaction():
            link.execute("SET LOCAL session_replication_role = replica")  # the ledger's triggers allow no deleting
            link.execute(EMPTY)
        return True

    def forget(self) -> None:
        """Drop the database that was kept."""
        if self._kept is not None:
            self._kept[1].close()
            self.drop(self._kept[0])
            self._kept = None

    def close(self) -> None:
        self.forget()
        if self._template:
            self.drop(self._template)
        self._link.close()


def _shape(link: psycopg.Connection[tuple[object, ...]]) -> object:
    """What the database is made of; a table that was dropped and made again is another one."""
    return link.execute(SHAPE).fetchone()


def prepare_file(folder: Path) -> Path:
    """An SQLite file with every table, to be copied."""
    file = folder / "semel.db"
    create_tables(f"sqlite:///{file}")
    return file
