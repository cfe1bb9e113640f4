"""The token endpoint (RFC 6749 §3.2; client authentication: RFC 7523, RFC 8705; key binding: RFC 9449 §5, RFC 8705 §3).

Which grant is meant is `grant_type`; each is a module of `broker/grants` and a row of `GRANTS`. A grant offers

* `ANONYMOUS`: whether it admits a caller without client authentication;
* `async gather(asked: TokenRequest) -> Facts`: reads its parameters and what they stand for, checks, signs; spends nothing;
  refuses by raising `Wire`;
* `act(tx, facts, now) -> dict | Refusal | Entered`: spends in one statement what it redeems and returns the response body, or a
  `Refusal` whose writes are kept. Facts that say `enters` are acted on under the ledger's lock, and may return `Entered`.

The client's assertion and the DPoP proof are this endpoint's: verified before the grant gathers, spent before it acts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Json, Later, Refusal
from broker.authorization.released import Releases
from broker.clients import authentication, profile, recipients
from broker.clients.authentication import AuthenticatedClient
from broker.database import Tx
from broker.errors import Wire
from broker.grants import (
    authorization_code,
    ciba,
    client_credentials,
    device_code,
    pre_authorized_code,
    refresh_token,
    token_exchange,
)
from broker.grants.issue import Entered
from broker.tokens import dpop, replay
from broker.tokens.dpop import VerifiedProof
from broker.tokens.token_request import TokenRequest
from consent.ledger_entry import Entry

PATH = caller.TOKEN
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # a grant's name (RFC 8693 §2.1)
PRE_AUTHORIZED_CODE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"  # OpenID4VCI 1.0 §6.1


@dataclass(frozen=True)
class Grant:
    """One row: what to call for a `grant_type`."""

    gather: Callable[[TokenRequest], Awaitable[Any]]
    act: Callable[[Tx, Any, int], dict[str, Any] | Refusal | Entered]
    anonymous: bool


# fmt: off
GRANTS: dict[str, Grant] = {
    "authorization_code": Grant(authorization_code.gather, authorization_code.act, authorization_code.ANONYMOUS),
    "refresh_token":      Grant(refresh_token.gather, refresh_token.act, refresh_token.ANONYMOUS),
    "client_credentials": Grant(client_credentials.gather, client_credentials.act, client_credentials.ANONYMOUS),
    profile.DEVICE:       Grant(device_code.gather, device_code.act, device_code.ANONYMOUS),
    TOKEN_EXCHANGE:       Grant(token_exchange.gather, token_exchange.act, token_exchange.ANONYMOUS),
    profile.CIBA:         Grant(ciba.gather, ciba.act, ciba.ANONYMOUS),
    PRE_AUTHORIZED_CODE:  Grant(pre_authorized_code.gather, pre_authorized_code.act, pre_authorized_code.ANONYMOUS),
}
# fmt: on


@dataclass(frozen=True)
class Facts:
    """The grant with what it gathered, and what counts once."""

    grant: Grant
    gathered: Any
    client: AuthenticatedClient | None
    proof: VerifiedProof | None
    next_nonce: dict[str, str]

    @property
    def enters(self) -> bool:
        """Whether the answer hands over data, and so waits for the ledger."""
        return getattr(self.gathered, "enters", False)


async def gather(request: Request) -> Facts:
    """Find out which grant, who asks, and with which key; then let the grant look."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    given = await parameters.read(request)
    grant = _grant(given)
    client = None
    if not grant.anonymous or authentication.is_attempted(
        given, request.headers.getlist("authorization"), caller.attested(request)
    ):
        client = await caller.client(request, given, now)
    proof = None
    if "dpop" in request.headers or client is None or client.client.dpop_bound_access_tokens:
        proof = caller.proof(request, PATH, now)
    asked = TokenRequest(
        parameters=given,
        client=client,
        proof=proof,
        issuer=wired.issuer,
        database=wired.database,
        keyring=wired.keyring,
        roots=wired.roots,
        vault=wired.vault,
        catalogue=wired.catalogue,
        uses=wired.uses,
        registry=wired.registry,
        lifetime=wired.durations.token,
        now=now,
        x5t=caller.bound_to(request, client, now),
        release=Releases.of(wired).prepare,
        recipient=await recipients.of(wired.registry, client.client, "id_token", now) if client is not None else None,
    )
    return Facts(grant, await grant.gather(asked), client, proof, dpop.offer(ring, now) if proof else {})


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal | tuple[Later | Json | Refusal, list[Entry]]:
    """Let assertion and proof count once, then the grant; answer, with the entries of what is handed over where it is."""
    client, proof = facts.client, facts.proof
    replay.spend_all(tx, client.marker if client is not None else None, proof.marker if proof is not None else None)
    given = facts.grant.act(tx, facts.gathered, now)
    if isinstance(given, Entered):
        return Later(lambda appended: _answer(facts, given.body(appended[0]))), [given.entry]
    answer = given if isinstance(given, Refusal) else _answer(facts, given)
    return (answer, []) if facts.enters else answer


def _answer(facts: Facts, body: dict[str, Any]) -> Json:
    return Json(body, headers={"Cache-Control": "no-store", **facts.next_nonce})


def _grant(given: parameters.Parameters) -> Grant:
    if "grant_type" not in given:
        raise Wire("invalid_request", "grant_type is required")
    grant = GRANTS.get(given["grant_type"])
    if grant is None:
        raise Wire("unsupported_grant_type", "the grant type is not supported")
    return grant
