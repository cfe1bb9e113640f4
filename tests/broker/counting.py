"""What a request costs the database: its statements and its commits, counted while it runs.

A statement is one round trip of ours: what begins a transaction on SQLite and what the driver asks by itself are not counted.
A commit is the end of a transaction that wrote: a flush to disk. What runs beside the requests is not counted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

from broker.routes import ROUTES
from tests.broker.whole import Whole

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
PATHS = [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", row.path) + r"\Z"), row) for row in ROUTES]


@dataclass
class Cost:
    """One request, and every statement it ran, in order; `|` stands where a transaction ended."""

    name: str
    ran: list[str] = field(default_factory=list)
    commits: int = 0
    status: int = 0

    @property
    def statements(self) -> int:
        return sum(one != "|" for one in self.ran)

    def __str__(self) -> str:
        return f"{self.name}: {self.statements} statements, {self.commits} commits\n  " + "\n  ".join(self.ran)


current: ContextVar[Cost | None] = ContextVar("cost", default=None)


@dataclass
class Meter:
    """The requests since `take`."""

    costs: list[Cost] = field(default_factory=list)

    def take(self) -> list[Cost]:
        taken, self.costs = self.costs, []
        return taken


class Counter:
    """Listens to a database's engines and says which request each statement and commit belongs to."""

    def __init__(self) -> None:
        self.running: list[Cost] = []  # one after the other: what the committer's thread works for
        self._wrote = set[int]()

    def _mine(self) -> Cost | None:
        if threading.current_thread().name == "committer":
            return self.running[-1] if self.running else None
        return current.get()

    def ran(self, tx: Any, _cursor: Any, statement: str, *_: Any) -> None:
        cost = self._mine()
        if cost is None or statement.startswith("BEGIN"):
            return
        cost.ran.append(" ".join(statement.split()))
        if WRITES.match(statement):
            self._wrote.add(id(tx))

    def ended(self, tx: Any) -> None:
        cost = self._mine()
        if cost is not None:
            cost.ran.append("|")
            cost.commits += id(tx) in self._wrote
        self._wrote.discard(id(tx))

    def listen(self, engine: Engine, change: Callable[..., None]) -> None:
        change(engine, "before_cursor_execute", self.ran)
        change(engine, "commit", self.ended)
        change(engine, "rollback", self.ended)


@contextmanager
def metered(whole: Whole) -> Iterator[Meter]:
    """Count every request of the running broker; one comes after the other."""
    meter, counter, served = Meter(), Counter(), whole.app

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await served(scope, receive, send)
            return
        cost = Cost(_name(scope))

        async def answer(message: Any) -> None:
            cost.status = message.get("status", cost.status)
            await send(message)

        counter.running.append(cost)
        token = current.set(cost)
        try:
            await served(scope, receive, answer)
        finally:
            current.reset(token)
            counter.running.remove(cost)
            meter.costs.append(cost)

    database = whole.parts.database
    engines = {database._writer, database._committer}
    if database.dialect == "sqlite":  # elsewhere what reads has the connection of what writes
        engines.add(database._reader)
    for engine in engines:
        counter.listen(engine, event.listen)
    whole.front = asgi
    try:
        yield meter
    finally:
        whole.front = None
        for engine in engines:
            counter.listen(engine, event.remove)


def _name(scope: Any) -> str:
    for pattern, row in PATHS:
        if pattern.match(scope["path"]) and row.method == scope["method"]:
            return f"{row.method} {row.path}"
    return f"{scope['method']} {scope['path']}"
