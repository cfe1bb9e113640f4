"""A provider with one agency and one person."""

from pathlib import Path

import pytest

from broker.database import Database
from tests.broker.provider import Provider, wire


@pytest.fixture
def provider(database: Database, tmp_path: Path, now: int) -> Provider:
    return wire(database, tmp_path, now)
