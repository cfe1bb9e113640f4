"""How many outbound calls may be under way at once, in all and to one host (OWASP API4:2023, unrestricted resource consumption).

What strangers can cause never waits for a place: it is refused at once, so that nothing of ours stands in a queue behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


class Busy(Exception):
    """Every place is taken, and nobody may wait here."""


@dataclass(frozen=True)
class Limits:
    """So many calls at once, so many of them to one host and port; `waits` says whether a call may wait for its turn."""

    calls: int
    per_host: int
    waits: bool


@dataclass
class _Host:
    places: asyncio.Semaphore
    users: int = 0


class Places:
    """The places for calls under way in one event loop; `waited` counts the calls that found none free."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._all = limits, asyncio.Semaphore(limits.calls)
        self._hosts: dict[str, _Host] = {}
        self.waited = 0

    @asynccontextmanager
    async def taken(self, host: str) -> AsyncIterator[None]:
        """Hold a place for the block. `host` is the host with its port; raises `Busy` where nobody waits."""
        there = self._hosts.get(host) or _Host(asyncio.Semaphore(self._limits.per_host))
        if there.places.locked() or self._all.locked():
            if not self._limits.waits:
                raise Busy
            self.waited += 1
        self._hosts[host] = there
        there.users += 1
        try:
            async with there.places, self._all:  # the host's first: who waits for a slow host takes nobody's place
                yield
        finally:
            there.users -= 1
            if there.users == 0:
                del self._hosts[host]
