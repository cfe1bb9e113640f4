"""The whole broker, for tests that walk through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.database import Database
from tests.broker import whole as wholes
from tests.broker.whole import Whole


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process, on the database under test."""
    with wholes.running(database, database_url, tmp_path, now) as running:
        yield running
