"""One side of the comparison as the load sees it: where it listens, what its paths are, who is known there."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.agency import Agency
from benchmarks.machine import cpu_seconds

RESOURCE = "https://files.example/"
#: How many there are of what.
CITIZENS, AGENCIES, VISITS = 100_000, 500, 400


@dataclass(frozen=True)
class Size:
    """How much is loaded: citizens, each with a permission; agencies, each with a use; sessions that visit agencies."""

    citizens: int = CITIZENS
    agencies: int = AGENCIES
    visits: int = VISITS


@dataclass(frozen=True)
class Visit:
    """A signed-in browser whose person gave this agency a permission; `cookies` are what the browser sends."""

    agency: Agency
    cookies: Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """A running provider. `roots` are its processes; `files` and `signing` call introspection, by secret and by key.

    `turn` moves the signing keys on, by the seconds of `benchmarks.semel.SCHEDULE`.
    """

    name: str
    port: int
    paths: Mapping[str, str]
    roots: tuple[int, ...]
    visits: tuple[Visit, ...]
    files: tuple[str, str]
    signing: Agency
    resource: str
    turn: Callable[[], object] = lambda: None

    @property
    def host(self) -> str:
        """What requests name as their host."""
        return f"127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """The CPU time used so far by all processes of this side, its database's among them."""
        return cpu_seconds(*self.roots)


def skewed(dice: random.Random, many: int) -> int:
    """One of so many, a few of them far more often than the others: half of all draws fall on an eighth."""
    return int(many * dice.random() ** 3)
