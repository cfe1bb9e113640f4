"""What every test may use: a fresh database of the kind under test, a clock that stands still."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from broker import tables as broker_tables
from broker.database import Database
from consent import tables as consent_tables
from keys import tables as keys_tables
from wallet import tables as wallet_tables

POSTGRESQL = os.environ.get("SEMEL_TEST_DATABASE_URL", "")
NOW = 1_795_302_000_000_000  # 2026-11-21T23:00:00Z in microseconds


@pytest.fixture
def now() -> int:
    """The standing clock: microseconds since 1970."""
    return NOW


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: an SQLite file, or a database of its own on the PostgreSQL server under test."""
    if not POSTGRESQL:
        yield f"sqlite:///{tmp_path}/semel.db"
        return
    server = make_url(POSTGRESQL).set(drivername="postgresql")
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
        yield server.set(database=name, drivername="postgresql+psycopg").render_as_string(hide_password=False)
        link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with every table of every package."""
    made = Database.open(database_url)
    made.create(keys_tables.metadata, consent_tables.metadata, wallet_tables.metadata, broker_tables.metadata)
    yield made
    made.close()
