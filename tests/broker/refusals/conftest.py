"""One broker for every table of refusals: what is refused leaves it as it was, so the next row finds the same one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.database import Database
from broker.needs import Durations
from tests import databases
from tests.actors import Agency
from tests.broker import whole as wholes
from tests.broker.allowed import allow
from tests.broker.whole import Whole
from tests.conftest import NOW


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("refusing")
    url = f"sqlite:///{databases.prepare_file(folder)}"
    database = Database.open(url)
    with wholes.running(database, url, folder, NOW) as running:
        running.give(durations=Durations(long_poll=0.0))
        allow(running)
        yield running
    database.close()


@pytest.fixture(scope="module")
def agency(broker: Whole) -> Agency:
    """An agency whose program knows the server's nonce."""
    made = broker.agency()
    assert made.push().status_code == 201
    return made
