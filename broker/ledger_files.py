"""An auditor's reading of a published ledger: a folder's files, or a URL's, through the one guarded way out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from broker.egress import Egress, EgressRefused
from consent import audit

LOOPBACK = {"localhost": ("127.0.0.1", "::1"), "127.0.0.1": ("127.0.0.1",), "::1": ("::1",)}
LARGEST = 8_000_000  # bytes: the largest bundle there can be, and more
SECONDS = 30.0


class Unreachable(Exception):
    """The source could not be read at all; the message says what was tried."""


def verify(
    source: str, vkeys: Sequence[str], since: bytes | None = None, witnesses: Sequence[str] = ()
) -> audit.Report:
    """Check the ledger published at a URL or lying in a folder; `vkeys` are trusted instead of the published ones. `since` is a checkpoint
    kept from earlier, `witnesses` the keys that must have cosigned.

    A file that is absent or wrong is a finding of the report. Raises `Unreachable` when there is nothing to read, and
    `CheckpointInvalid` for a verifier key that is none.
    """
    if source.startswith(("http://", "https://")):
        return asyncio.run(_fetched(source.rstrip("/"), vkeys, since, witnesses))
    if not Path(source).is_dir():
        raise Unreachable(f"{source} is no folder")
    return audit.verify_folder(Path(source), vkeys, since=since, witnesses=witnesses)


async def _fetched(url: str, vkeys: Sequence[str], since: bytes | None, witnesses: Sequence[str]) -> audit.Report:
    egress = Egress(LOOPBACK.get(urlsplit(url).hostname or "", ()))  # a local address only because it was typed
    loop = asyncio.get_running_loop()

    async def read(path: str) -> bytes | None:
        reply = await egress.request("GET", f"{url}/{path}", max_bytes=LARGEST, timeout=SECONDS)
        return reply.content if reply.status == 200 else None

    def fetch(path: str) -> bytes | None:
        return asyncio.run_coroutine_threadsafe(read(path), loop).result()

    try:
        return await asyncio.to_thread(audit.verify_fetched, fetch, vkeys, since=since, witnesses=witnesses)
    except EgressRefused as why:
        raise Unreachable(f"{url} cannot be read: {why}") from why
    finally:
        await egress.aclose()
