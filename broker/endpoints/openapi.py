"""The description of what programs may call, at `/openapi.json` (OpenAPI Specification 3.1)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.openapi import document
from keys import canonical

MAX_AGE = 300  # seconds


async def gather(request: Request) -> bytes:
    """Take the document."""
    return canonical.dumps(document.of(needs.parts(request).issuer))


def act(content: bytes, _now: int) -> Raw:
    """Publish it; any site may read it."""
    headers = {"Cache-Control": f"public, max-age={MAX_AGE}", "Access-Control-Allow-Origin": "*"}
    return Raw(content, "application/json", headers=headers)
