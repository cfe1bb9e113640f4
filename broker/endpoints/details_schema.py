"""The JSON Schema of our authorization details, at the address that is their type (RFC 9396 §2.1, §14)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.authorization import details
from consent import request as data_request
from keys import canonical

PATH = data_request.DETAIL
MAX_AGE = 300  # seconds


async def gather(request: Request) -> bytes:
    """Write the schema of this issuer's type."""
    return canonical.dumps(details.schema(needs.parts(request).issuer))


def act(content: bytes, _now: int) -> Raw:
    """Publish it."""
    return Raw(content, "application/schema+json", headers={"Cache-Control": f"public, max-age={MAX_AGE}"})
