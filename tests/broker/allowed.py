"""The agencies of a running broker, allowed to do everything there is: for tests of what is refused whatever is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker.clients import profile
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.database import Database
from broker.needs import Durations
from tests import databases
from tests.broker import whole as wholes
from tests.broker.whole import AGENCIES, Whole
from tests.conftest import NOW

GRANTS = ("authorization_code", "refresh_token", "client_credentials", profile.DEVICE, profile.CIBA)
BEHIND_THE_FRONT = {
    "backchannel_token_delivery_mode": "poll",
    "backchannel_authentication_request_signing_alg": "ES256",
}


@contextmanager
def running(folder: Path) -> Iterator[Whole]:
    """One broker on SQLite for every test of a module: what is refused or made up leaves it as it was."""
    url = f"sqlite:///{databases.prepare_file(folder)}"
    database = Database.open(url)
    with wholes.running(database, url, folder, NOW) as broker:
        broker.give(durations=Durations(long_poll=0.0))
        allow(broker)
        yield broker
    database.close()


def change(broker: Whole, client_id: str, **members: Any) -> None:
    """The operator changes a client's file, and the server is started anew."""
    registry: Registry = broker.parts.registry
    client: ClientMetadata = registry._clients[client_id]
    registry._clients[client_id] = client.model_copy(update=members)


def allow(broker: Whole) -> None:
    """Every agency may use every grant, and hear of security events."""
    for client_id, use in AGENCIES.items():
        change(broker, client_id, grant_types=GRANTS, scope=f"openid use:{use} ssf.manage", **BEHIND_THE_FRONT)
