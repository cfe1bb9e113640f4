"""Room to write: once a write found none, one small row is tried again and again until it can be kept (SQLITE_FULL, SQLSTATE 53100).

Nobody is sent to a server that is not ready, so no request would ever find out that there is room again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broker import errors, telemetry, throttle
from broker.database import Database
from broker.throttle import Limit

EVERY = 5.0  # seconds
_ALWAYS = Limit(hourly=3_600_000, burst=1_000_000)


async def watch(database: Database, clock: Callable[[], int], every: float = EVERY) -> None:
    """Look every so many seconds, until cancelled, whether there is room again where there was none."""
    while True:
        await asyncio.sleep(every)
        if database.full:
            look(database, clock())


def look(database: Database, now: int) -> None:
    """Try to keep one row; on success `database.full` is set back. `now` in microseconds."""
    try:
        with database.write() as tx:
            throttle.allow(tx, "disk", b"", _ALWAYS, now)
    except Exception as problem:  # noqa: BLE001 - the next look tells whether it has passed
        if not errors.locked(problem):
            telemetry.failure("disk", problem)
        return
    database.full = False
    telemetry.log("disk_has_room")
