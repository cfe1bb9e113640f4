"""Device authorization requests: a device says what it asks, and shows a code for a browser elsewhere (RFC 8628 §3.1, §3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.requests import Request

from broker import caller, needs, parameters, sender
from broker.answers import Json, Refusal
from broker.authorization import checks, waiting
from broker.authorization.request import AuthorizationRequest
from broker.clients.authentication import AuthenticatedClient
from broker.database import Tx
from broker.sign_in import user_code
from broker.tokens import dpop, replay
from broker.tokens.dpop import VerifiedProof
from keys import opaque

PATH = "/device_authorization"
PAGE = "/device"
AGAIN = Refusal("temporarily_unavailable", "busy; try again", status=503, headers={"Retry-After": "1"})


@dataclass(frozen=True)
class Facts:
    """A checked request with its two codes; `box` is what the person will be told of where it came from."""

    client: AuthenticatedClient
    proof: VerifiedProof | None
    request: AuthorizationRequest
    tx_id: str
    box: bytes = field(repr=False)
    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    user_mac: bytes = field(repr=False)
    issuer: str
    lifetime: int
    next_nonce: dict[str, str]


async def gather(request: Request) -> Facts:
    """Authenticate the client, verify a DPoP proof, check the request; refused here, nothing of it is stored."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    given = await parameters.read(request)
    client = await caller.client(request, given, now)
    proof = caller.proof(request, PATH, now) if "dpop" in request.headers else None
    asked = needs.unchecked(wired, client.client, given, now, proof_jkt=proof.jkt if proof else None)
    checked = checks.check(asked, checks.At.DEVICE)
    tx_id, code = waiting.new_id(), user_code.new()
    origin = {"origin": sender.network(request)}
    return Facts(
        client,
        proof,
        checked,
        tx_id,
        waiting.seal(wired.roots.ring("token"), tx_id, {**origin, "user_code": code}),
        opaque.token(),
        code,
        user_code.macs(wired.roots, code)[0],
        wired.issuer,
        wired.durations.device_request,
        dpop.offer(ring, now) if proof else {},
    )


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Let assertion and proof count once, store the request, and give both codes."""
    replay.spend_all(tx, facts.client.marker, facts.proof.marker if facts.proof is not None else None)
    stored = waiting.store(
        tx,
        facts.request,
        facts.device_code,
        tx_id=facts.tx_id,
        box=facts.box,
        now=now,
        lifetime=facts.lifetime,
        user_code=facts.user_mac,
    )
    if not stored:  # somebody else's screen shows this code at the moment
        return AGAIN
    page, told = facts.issuer + PAGE, user_code.told(facts.user_code)
    body = {
        "device_code": facts.device_code,
        "user_code": told,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': told})}",
        "expires_in": facts.lifetime,
        "interval": waiting.INTERVAL,
    }
    return Json(body, headers={"Cache-Control": "no-store", **facts.next_nonce})
