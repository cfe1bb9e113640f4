"""One broker for every table of refusals: what is refused leaves it as it was, so the next row finds the same one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actors import Agency
from tests.broker import allowed
from tests.broker.whole import Whole


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with allowed.running(tmp_path_factory.mktemp("refusing")) as running:
        yield running


@pytest.fixture(scope="module")
def agency(broker: Whole) -> Agency:
    """An agency whose program knows the server's nonce."""
    made = broker.agency()
    assert made.push().status_code == 201
    return made
