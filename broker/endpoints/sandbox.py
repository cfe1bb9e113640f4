"""What only the demo tells: `/sandbox/demo.json`, where its parts are and who may sign in; absent in every other mode."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw, Refusal


async def gather(request: Request) -> bytes | Refusal:
    """Read what `semel demo` wrote into its data folder."""
    wired = needs.parts(request)
    if wired.mode != "demo":
        return Refusal("not_found", status=404)
    try:
        return (wired.ledger_dir.parent / "demo.json").read_bytes()
    except FileNotFoundError:
        return Refusal("not_found", status=404)


def act(content: bytes, _now: int) -> Raw:
    """Tell it; it holds the personas' secrets, so nobody caches it."""
    return Raw(content, "application/json", headers={"Cache-Control": "no-store"})
