"""A process that delivers what is in the outbox, as the server does: `python -m tests.broker.notices.courier URL ROOTS`."""

import asyncio
import sys

from broker.database import Database
from broker.egress import Egress
from broker.notices.delivery import Courier
from broker.notices.kinds import Kind, Signed, table
from broker.notices.outbox import Outbox
from keys import algorithms
from keys.keyring import Keyring, RootKeyring, SigningKey
from tests import machine_clock

ISSUER = "https://id.norr.example"
KINDS = table(
    [
        Kind("text", "text/plain", frozenset({202}), accept="application/json", refused=frozenset({400}), tries=5),
        Kind("in_order", "text/plain", frozenset({202}), ordered=True),
        Kind("form", "application/x-www-form-urlencoded", frozenset({200}), signed=Signed("logout+jwt", 120, "token")),
        Kind("hasty", "text/plain", frozenset({202}), timeout=0.5),
        Kind("small", "text/plain", frozenset({202}), max_reply=100),
    ]
)
KEYRING = Keyring((SigningKey.of(algorithms.generate("ES256"), purpose="token", stage="signing"),))


def clock() -> int:
    return machine_clock.micros()


def courier(database: Database, roots: str, egress: Egress) -> Courier:
    letters = Outbox(RootKeyring.parse(roots).ring("outbox"), KINDS)
    return Courier(
        database,
        egress,
        letters,
        keyring=lambda: KEYRING,
        active=lambda client_id: client_id != "stopped",
        issuer=ISSUER,
        clock=clock,
    )


if __name__ == "__main__":
    asyncio.run(courier(Database.open(sys.argv[1]), sys.argv[2], Egress(["127.0.0.1"])).run(0.02))
