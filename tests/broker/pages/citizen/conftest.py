"""A site to visit."""

from pathlib import Path

import pytest

from broker.database import Database
from tests.broker.pages.citizen import visiting
from tests.broker.provider import wire


@pytest.fixture
def site(database: Database, tmp_path: Path, now: int) -> visiting.Site:
    return visiting.site(wire(database, tmp_path, now))
