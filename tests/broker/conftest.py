"""The whole broker, for tests that walk through it."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker.database import Database
from consent import declarations
from tests.broker import whole as wholes
from tests.broker.whole import Whole


@pytest.fixture(scope="session", autouse=True)
def declarations_are_parsed_once() -> Iterator[None]:
    """A third of the time in which a broker starts goes into files that are the same in every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declarations, "tomllib", SimpleNamespace(loads=cache(tomllib.loads)))
        yield


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process, on the database under test."""
    with wholes.running(database, database_url, tmp_path, now) as running:
        yield running
