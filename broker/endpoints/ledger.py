"""The published ledger, `/ledger/…`: static files for anyone (C2SP tlog-tiles; 404 for what is absent)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from consent import tiles

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
MOVING = {"Cache-Control": "public, max-age=2", "Access-Control-Allow-Origin": "*"}
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable", "Access-Control-Allow-Origin": "*"}
ABSENT = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True)
class File:
    """One published file: its bytes, None when there is none, and whether its path ever gives other bytes."""

    content: bytes | None
    moving: bool


async def gather(request: Request) -> File:
    """Read the file a path names. Only names the publisher writes are ever looked up: nothing else is a path."""
    path = request.path_params["path"]
    moving = path in {"checkpoint", "vkeys"}
    if not moving and tiles.parse(path) is None:
        return File(None, moving)
    try:
        file = needs.parts(request).ledger_dir / path
        return File(await asyncio.to_thread(file.read_bytes), moving)  # a folder on a slow disk holds up nobody else
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return File(None, moving)


def act(facts: File, now: int) -> Raw:
    """Answer the file, cacheable for ever unless it moves, or 404."""
    del now
    if facts.content is None:
        return Raw(b"not found\n", TEXT, 404, ABSENT)
    return Raw(facts.content, TEXT if facts.moving else BYTES, headers=MOVING if facts.moving else IMMUTABLE)
