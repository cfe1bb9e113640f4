"""The whole broker, for tests that walk through it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.database import Database
from consent import declarations
from tests.broker import whole as wholes
from tests.broker.whole import Whole


@pytest.fixture(scope="session", autouse=True)
def declarations_are_read_once() -> Iterator[None]:
    """Much of the time in which a broker starts goes into files that are the same in every test; what is read never changes."""
    known: dict[tuple[Any, str, str], Any] = {}
    read = declarations.read

    def remembering(path: Path, shape: Any) -> Any:
        file = (shape, path.name, path.read_text("utf-8")) if path.exists() else None
        if file is None or file not in known:
            made = read(path, shape)
            if file is None:
                return made
            known[file] = made
        return known[file]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declarations, "read", remembering)
        yield


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process, on the database under test."""
    with wholes.running(database, database_url, tmp_path, now) as running:
        yield running
