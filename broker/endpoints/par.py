"""Pushed authorization requests (RFC 9126; FAPI 2.0 §5.3.2.2): everything asked for is said here, behind authentication."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Json
from broker.authorization import checks, pushed, request_object
from broker.authorization.request import AuthorizationRequest
from broker.clients import recipients
from broker.clients.authentication import AuthenticatedClient
from broker.database import Tx
from broker.tokens import dpop, replay
from broker.tokens.dpop import VerifiedProof

PATH = caller.PUSHED


@dataclass(frozen=True)
class Facts:
    """A checked request, who pushed it, and the proof of the key its code will be bound to, if one came along."""

    client: AuthenticatedClient
    proof: VerifiedProof | None
    request: AuthorizationRequest
    request_uri: str
    lifetime: int
    next_nonce: dict[str, str]


async def gather(request: Request) -> Facts:
    """Authenticate the client, verify a DPoP proof, check the request; refused here, nothing of it is stored."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    given = await parameters.read(request)
    client = await caller.client(request, given, now)
    proof = caller.proof(request, PATH, now) if "dpop" in request.headers else None
    signed = "request" in given
    if signed and "request_uri" not in given:
        given = await request_object.read(
            given["request"],
            client.client,
            registry=wired.registry,
            issuer=wired.issuer,
            now=now,
            keyring=wired.keyring,
        )
    asked = needs.unchecked(
        wired,
        client.client,
        given,
        now,
        proof_jkt=proof.jkt if proof else None,
        signed=signed,
        response_to=await recipients.of_response(wired.registry, client.client, now),
    )
    checked = checks.check(asked, checks.At.PUSH)
    return Facts(client, proof, checked, pushed.new_uri(), wired.durations.pushed_request, dpop.offer(ring, now))


def act(tx: Tx, facts: Facts, now: int) -> Json:
    """Let assertion and proof count once, store the request."""
    replay.spend_all(tx, facts.client.marker, facts.proof.marker if facts.proof is not None else None)
    pushed.store(tx, facts.request, facts.request_uri, now, lifetime=facts.lifetime)
    nonce = facts.next_nonce if facts.proof is not None else {}
    body = {"request_uri": facts.request_uri, "expires_in": facts.lifetime}
    return Json(body, status=201, headers={"Cache-Control": "no-store", **nonce})
