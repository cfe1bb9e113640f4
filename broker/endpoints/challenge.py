"""A challenge for the proof of an attestation's key, for anyone who asks; nothing is stored (attestation-based client authentication §8)."""

from starlette.requests import Request

from broker import freshness, needs
from broker.answers import Json

PATH = "/challenge"


async def gather(request: Request) -> str:
    """Make it; whatever the request carries is not looked at."""
    wired = needs.parts(request)
    return freshness.make(wired.roots.ring("attestation"), wired.clock())


def act(challenge: str, _now: int) -> Json:
    """Give it."""
    return Json({"attestation_challenge": challenge}, headers={"Cache-Control": "no-store"})
