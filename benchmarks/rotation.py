"""Signing keys change while journeys run at half the rate that was measured: no client notices (OpenID Connect Core §10.1.1)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from benchmarks import claims, load
from benchmarks.claims import Published
from benchmarks.side import Side

SECONDS = 60


@dataclass(frozen=True)
class Rotation:
    """How it went: so many journeys in a second of the clock, begun at `rate`; the keys that signed their ID tokens."""

    many: int
    rate: float
    seconds: float
    keys: int
    p99: float

    def line(self) -> str:
        """The same in one line."""
        return (
            f"{'keys rotate under load':<28} {self.many} journeys at {self.rate:.0f}/s for {self.seconds:.0f} s,"
            f" p99 {1000 * self.p99:.0f} ms, signed by {self.keys} keys, none failed"
        )

    def told(self) -> dict[str, Any]:
        """The same as a value."""
        return {"journeys": self.many, "rate": round(self.rate, 1), "keys": self.keys, "failed": 0}


def measure(side: Side, rate: float) -> Rotation:
    """Walk at this rate (journeys a second) while keys come and go; raises `benchmarks.load.Failed` for any that fails."""
    claims.introduce(side)
    keys, until = Published(side), time.monotonic() + SECONDS
    visits = itertools.takewhile(lambda _: time.monotonic() < until, itertools.cycle(side.visits))
    with _turning(side):
        outcome = load.run(
            side.port, (claims.one_journey(side, visit, keys) for visit in visits), connections=64, rate=rate
        )
    times = sorted(outcome.times)
    return Rotation(len(times), rate, outcome.seconds, len(keys.used), times[int(len(times) * 0.99)])


@contextmanager
def _turning(side: Side) -> Iterator[None]:
    """Move the keys of a side on every second, until the end of the block; what goes wrong there is raised here."""
    ended, problems = Event(), list[Exception]()

    def turn() -> None:
        try:
            while not ended.wait(1):
                side.turn()
        except Exception as problem:  # noqa: BLE001 - raised below
            problems.append(problem)

    thread = Thread(target=turn, name="keys")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if problems:
        raise problems[0]
