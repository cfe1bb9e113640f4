"""Waiting for another process's lock: on the event loop, between tries, so that everybody else is served meanwhile (SQLITE_BUSY, 55P03)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from broker import errors

T = TypeVar("T")
PAUSES = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.5, 0.5)  # seconds between tries: two in all


async def once_free(act: Callable[[], Awaitable[T]], pauses: Sequence[float] = PAUSES) -> T:
    """Return what an act returns; while somebody else's lock is in its way, try again after each pause (seconds).

    An act that met a lock was rolled back whole, so that it may run again. Raises what the last try raised.
    """
    for pause in pauses:
        try:
            return await act()
        except Exception as problem:
            if not errors.locked(problem):
                raise
        await asyncio.sleep(pause)
    return await act()
