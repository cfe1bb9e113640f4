"""One broker for every table of refusals: what is refused leaves it as it was, so the next row finds the same one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker.clients import profile
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.database import Database
from broker.needs import Durations
from tests import databases
from tests.actors import Agency
from tests.broker import whole as wholes
from tests.broker.whole import AGENCIES, Whole
from tests.conftest import NOW

GRANTS = ("authorization_code", "refresh_token", "client_credentials", profile.DEVICE, profile.CIBA)
BEHIND_THE_FRONT = {
    "backchannel_token_delivery_mode": "poll",
    "backchannel_authentication_request_signing_alg": "ES256",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("refusing")
    url = f"sqlite:///{databases.prepare_file(folder)}"
    database = Database.open(url)
    with wholes.running(database, url, folder, NOW) as running:
        running.give(durations=Durations(long_poll=0.0))
        for client_id in AGENCIES:
            scope = f"openid use:{AGENCIES[client_id]} ssf.manage"
            change(running, client_id, grant_types=GRANTS, scope=scope, **BEHIND_THE_FRONT)
        yield running
    database.close()


@pytest.fixture(scope="module")
def agency(broker: Whole) -> Agency:
    """An agency whose program knows the server's nonce."""
    made = broker.agency()
    assert made.push().status_code == 201
    return made


def change(broker: Whole, client_id: str, **members: Any) -> None:
    """The operator changes a client's file, and the server is started anew."""
    registry: Registry = broker.parts.registry
    client: ClientMetadata = registry._clients[client_id]
    registry._clients[client_id] = client.model_copy(update=members)
