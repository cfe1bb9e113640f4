"""The logos of clients, fetched from where they registered them and made anew (RFC 7591 §2, OpenID Connect Registration §2).

Browsers never ask a client's host for anything: what pages show is ours. An address is fetched once at a time, whoever waits
for it, and what came of it is remembered in the process, a failure as well.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from broker.clients import logo_image
from broker.clients.logo_image import UnusableImage
from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused

SECOND = 1_000_000  # microseconds
KEPT = 6 * 3600 * SECOND  # how long a logo serves without being fetched again
PAUSE = 900 * SECOND  # how long an address that gave no logo is left alone
MAX_BYTES = 256 * 1024
TIMEOUT = 3.0  # seconds
REMEMBERED = 500  # logos of some ten thousand bytes kept in a process
MEDIA_TYPES = ("image/png", "image/jpeg")
THREAD = ThreadPoolExecutor(1, thread_name_prefix="logo")


@dataclass(frozen=True)
class _Fetched:
    """What an address gave when it was asked; `picture` is None when it gave nothing that can be shown."""

    picture: bytes | None = field(repr=False)
    at: int


class Logos:
    """The logos of all clients; `egress` is the way to addresses that clients name."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._fetched: dict[str, _Fetched] = {}
        self._fetching: dict[str, asyncio.Task[bytes | None]] = {}

    def is_worth_showing(self, client: ClientMetadata, now: int) -> bool:
        """Whether a page may name the client's logo: it registered one, and its address is not known to give none now."""
        known = self._known(client.logo_uri, now)
        return client.logo_uri is not None and (known is None or known.picture is not None)

    async def of(self, client: ClientMetadata, now: int) -> bytes | None:
        """Return the client's logo as a small PNG, fetched when it must be; None where there is none. `now` in microseconds."""
        address = client.logo_uri
        if address is None:
            return None
        known = self._known(address, now)
        if known is not None:
            return known.picture
        task = self._fetching.get(address)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._fetching[address] = asyncio.create_task(self._renew(address, now))
        return await asyncio.shield(task)

    def _known(self, address: str | None, now: int) -> _Fetched | None:
        known = self._fetched.get(address or "")
        lasts = 0 if known is None else PAUSE if known.picture is None else KEPT
        return known if known is not None and now - known.at < lasts else None

    async def _renew(self, address: str, now: int) -> bytes | None:
        try:
            picture: bytes | None = await self._fetch(address)
        except EgressRefused as refused:
            if refused.reason == "busy":  # of ours, not of the address: nothing is remembered of it
                return None
            picture = None
        except UnusableImage:
            picture = None
        finally:
            self._fetching.pop(address, None)
        if len(self._fetched) >= REMEMBERED:
            self._fetched.clear()
        self._fetched[address] = _Fetched(picture, now)
        return picture

    async def _fetch(self, address: str) -> bytes:
        reply = await self._egress.request(
            "GET", address, max_bytes=MAX_BYTES, timeout=TIMEOUT, media_types=MEDIA_TYPES
        )
        if reply.status != 200:
            raise EgressRefused("unreachable")
        return await asyncio.get_running_loop().run_in_executor(THREAD, logo_image.remake, reply.content)
