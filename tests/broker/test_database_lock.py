"""Another process's lock: a request that needs it waits, everybody else is served meanwhile, health first of all."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from broker import database_lock, errors
from tests.broker.whole import Whole
from tests.conftest import POSTGRESQL


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold, from outside, what every pushed request must write to."""
    if not POSTGRESQL:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as link:
            link.execute("BEGIN IMMEDIATE")
            yield
            link.execute("ROLLBACK")
        return
    here = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(here) as link:
        link.execute("LOCK TABLE pushed_request IN ACCESS EXCLUSIVE MODE")
        yield
        link.rollback()


def test_a_lock_of_somebody_else_holds_up_nobody_but_who_needs_it(whole: Whole, database_url: str) -> None:
    agency, health = whole.agency(), whole.client()
    agency.asks()
    pushed: list[str] = []
    with locked(database_url):
        waiting = threading.Thread(target=lambda: pushed.append(agency.asks()))
        waiting.start()
        for _ in range(20):
            assert health.get("/healthz").status_code == 200
        assert waiting.is_alive()
        assert pushed == []
    waiting.join()
    assert len(pushed) == 1, "once the lock is gone, what waited goes through"


def test_a_lock_that_stays_is_503_with_a_time_to_come_again(whole: Whole, database_url: str) -> None:
    whole.agency().asks()
    with locked(database_url), pytest.raises(errors.Busy if not POSTGRESQL else Exception) as met:
        asyncio.run(database_lock.once_free(lambda: attempt(whole), pauses=(0.0, 0.0)))
    refused = errors.refusal(met.value)  # type: ignore[arg-type]  # an Exception
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


async def attempt(whole: Whole) -> None:
    with whole.parts.database.write() as tx:
        tx.exec_driver_sql("DELETE FROM pushed_request")


class Locked:
    """An act that meets a lock so many times, and then something else."""

    def __init__(self, times: int, then: Exception | None = None) -> None:
        self.times, self.then, self.tries = times, then, 0

    async def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.times:
            raise errors.Busy
        if self.then is not None:
            raise self.then
        return "done"


@pytest.mark.parametrize(
    ("act", "tries", "ends"),
    [
        (Locked(0), 1, "done"),
        (Locked(2), 3, "done"),
        (Locked(9), 3, errors.Busy),
        (Locked(1, KeyError()), 2, KeyError),
    ],
)
def test_only_a_lock_is_waited_for_and_not_for_ever(act: Locked, tries: int, ends: Any) -> None:
    if isinstance(ends, str):
        assert asyncio.run(database_lock.once_free(act, pauses=(0.0, 0.0))) == ends
    else:
        with pytest.raises(ends):
            asyncio.run(database_lock.once_free(act, pauses=(0.0, 0.0)))
    assert act.tries == tries
