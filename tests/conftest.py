"""What every test may use: a fresh database of the kind under test, a clock that stands still."""

from __future__ import annotations

import gc
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

from broker.database import Database
from tests import databases

POSTGRESQL = os.environ.get("SEMEL_TEST_DATABASE_URL", "")
NOW = 1_795_302_000_000_000  # 2026-11-21T23:00:00Z in microseconds

# An example takes as long as a busy machine lets it: how long says nothing about whether a property holds.
hypothesis.settings.register_profile("semel", deadline=None)
hypothesis.settings.load_profile("semel")


def pytest_configure() -> None:
    """Look for garbage less often: with all tests in memory that is a twelfth of their time otherwise."""
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL run again what depends on the database, and only that."""
    if not POSTGRESQL:
        return
    kept = [item for item in items if {"database_url", "demo", "world"} & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    """What a statement is as text hangs on the kind of database alone, and a test has many databases of one kind."""
    known: dict[type, Any] = defaultdict(lambda: LRUCache(2000))
    shared = property(lambda engine: known[type(engine.dialect)], lambda engine, own: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", shared, raising=False)
        patch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other), raising=False)
        patch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)), raising=False)
        yield


@pytest.fixture
def now() -> int:
    """The standing clock: microseconds since 1970."""
    return NOW


@pytest.fixture(scope="session")
def server() -> Iterator[databases.Server]:
    """The PostgreSQL server under test; asked for only where there is one."""
    running = databases.Server(POSTGRESQL)
    yield running
    running.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table, made once to be copied."""
    return databases.prepare_file(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def database_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the test's database: an empty one, unless the test takes `database` too, whose URL it then is."""
    with_tables = "database" in request.fixturenames
    if not POSTGRESQL:
        file = tmp_path / "semel.db"
        if with_tables:
            shutil.copyfile(request.getfixturevalue("prepared"), file)
        yield f"sqlite:///{file}"
        return
    server: databases.Server = request.getfixturevalue("server")
    if with_tables:
        yield server.url(server.with_tables())
        return
    name = server.empty()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with every table of every package."""
    made = Database.open(database_url)
    yield made
    made.close()
