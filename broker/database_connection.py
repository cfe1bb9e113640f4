"""Connections to PostgreSQL are made beside the event loop, so that a server that is silent holds up nobody (libpq §34.1.2)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillConnecting
from types import MappingProxyType
from typing import Any

import psycopg

PATIENCE = 0.25  # seconds that the loop waits for a connection, once for each that is made
#: How long libpq waits: to connect, and until a peer that is silent counts as gone (seconds; the last one milliseconds).
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 3000,
    }
)


class Connecting:
    """SQLAlchemy's `do_connect`: off the loop a connection is made as always, on it by a thread.

    The first who needs the connection waits `PATIENCE` seconds for it; whoever comes while it is still being made is told at
    once that the database does not answer. A connection that comes late is the next one's.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._guard = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._pending: Future[Any] | None = None

    def __call__(self, dialect: Any, _record: Any, args: list[Any], given: dict[str, Any]) -> Any:
        """Return a connection of the driver, or None where SQLAlchemy shall make it; raises `psycopg.OperationalError`."""
        if not _on_a_loop():
            return None
        with self._guard:
            waits = 0.0 if self._pending is not None else self._patience
            if self._pending is None:
                self._thread = self._thread or ThreadPoolExecutor(1, "connecting")
                self._pending = self._thread.submit(dialect.connect, *args, **given)
            pending = self._pending
        try:
            link = pending.result(waits)
        except StillConnecting as late:
            if not pending.done():
                raise psycopg.OperationalError("the database does not answer") from late
            self._forget(pending)
            raise
        except Exception:
            self._forget(pending)
            raise
        self._forget(pending)
        return link

    def _forget(self, done: Future[Any]) -> None:
        with self._guard:
            if self._pending is done:
                self._pending = None


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
