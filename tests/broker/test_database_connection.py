"""Connecting to a server that is silent holds up the event loop once and shortly, and off the loop as long as it takes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import psycopg
import pytest

from broker.database_connection import Connecting


class Driver:
    """A server's driver: it connects once it is allowed to."""

    def __init__(self) -> None:
        self.allowed, self.asked = threading.Event(), 0
        self.refuses: Exception | None = None

    def connect(self, *_: Any, **__: Any) -> str:
        self.asked += 1
        self.allowed.wait(60)
        if self.refuses is not None:
            raise self.refuses
        return f"connection {self.asked}"


def on_the_loop(connecting: Connecting, driver: Driver) -> Any:
    async def ask() -> Any:
        return connecting(driver, None, [], {})

    return asyncio.run(ask())


def test_whoever_waits_on_the_loop_is_told_and_the_late_connection_is_the_next_ones() -> None:
    connecting, driver = Connecting(patience=0), Driver()
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError, match="does not answer"):
            on_the_loop(connecting, driver)
    assert driver.asked == 1, "one is being made, however many ask"
    driver.allowed.set()
    connecting._pending.result(60)  # type: ignore[union-attr]  # there is one
    assert on_the_loop(connecting, driver) == "connection 1"
    assert on_the_loop(Connecting(patience=60), driver) == "connection 2"


def test_a_refused_connection_is_tried_anew() -> None:
    connecting, driver = Connecting(patience=60), Driver()
    driver.allowed.set()
    driver.refuses = psycopg.OperationalError("connection refused")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        on_the_loop(connecting, driver)
    driver.refuses = None
    assert on_the_loop(connecting, driver) == "connection 2"


def test_off_the_loop_it_is_not_our_business() -> None:
    assert Connecting()(Driver(), None, [], {}) is None
