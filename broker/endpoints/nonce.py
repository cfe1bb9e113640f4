"""A nonce for the wallet's proof, for anyone who asks; nothing is stored (OpenID4VCI 1.0 §7)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import needs
from broker.answers import Json
from broker.tokens import dpop
from keys.keyring import SealingRing
from wallet import nonce

PATH = "/nonce"


@dataclass(frozen=True)
class Facts:
    """Who we are, and what nonces are made with: the proof's, and those for the wallet's next DPoP proof."""

    issuer: str
    ring: SealingRing
    dpop_ring: SealingRing


async def gather(request: Request) -> Facts:
    """Take what a nonce is made of; whatever the request carries is not looked at."""
    wired = needs.parts(request)
    return Facts(wired.issuer, wired.roots.ring("c-nonce"), wired.roots.ring("dpop-nonce"))


def act(facts: Facts, now: int) -> Json:
    """Make one."""
    made = nonce.make(facts.ring, issuer=facts.issuer, now=now)
    return Json({"c_nonce": made}, headers={"Cache-Control": "no-store", **dpop.offer(facts.dpop_ring, now)})
