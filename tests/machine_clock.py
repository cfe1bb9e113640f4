"""The machine's clock: the only place where a test reads it (`tests/architecture/test_machine_clock.py`).

A test in this process has a clock that stands still. This one is for programs that run in processes of their own, for
certificates that a TLS library judges, and for waiting: bounded by far more than a slow machine needs, never measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

Answer = TypeVar("Answer")
PATIENCE = 120.0  # seconds: after that something will never happen


def seconds() -> float:
    """Seconds since 1970."""
    return time.time()


def micros() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def today() -> datetime:
    """Date and time, UTC."""
    return datetime.now(UTC)


class Patience:
    """What is left of a wait; `left` is 0 when it is over. It says when to give up, never how long something took."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())


def wait_for(
    condition: Callable[[], Answer],
    told: Callable[[], object] = lambda: "",
    *,
    every: float = 0.05,
    seconds: float = PATIENCE,
) -> Answer:
    """Return the first true answer of `condition`; fails with what `told` says when there is none in time."""
    patience = Patience(seconds)
    while not (answer := condition()):
        assert patience.left, f"it never happened: {told()}"
        time.sleep(every)
    return answer


def work(call: Callable[[], object], times: int = 3) -> float:
    """The least work a call costs this thread, in seconds of the processor: to be compared with another call's."""
    costs = []
    for _ in range(times):
        began = time.thread_time()
        call()
        costs.append(time.thread_time() - began)
    return min(costs)
