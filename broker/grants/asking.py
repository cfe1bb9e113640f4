"""Asking for what a person decides elsewhere: not yet, too often, no, or the tokens, once (RFC 8628 §3.5, CIBA Core §11).

A decision is redeemed like a code: the same permission, the same sealed values, the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broker.answers import Refusal
from broker.authorization import journey, waiting
from broker.authorization.waiting import Waiting
from broker.database import Tx
from broker.errors import Wire
from broker.grants import authorization_code
from broker.grants.issue import Entered
from broker.tokens.token_request import TokenRequest

MAX_SECRET = 128  # characters
UNKNOWN = "nobody is asked by this name for this client"
NOT_YET = Refusal("authorization_pending", "the person has not decided yet")
TOO_OFTEN = Refusal("slow_down", "wait five seconds longer before asking again")


@dataclass(frozen=True)
class Undecided:
    """A question about a request that nobody has decided; it is counted."""

    id_hash: bytes


async def gather(asked: TokenRequest, grant_type: str, parameter: str) -> authorization_code.Facts | Undecided:
    """Find out what became of the request whose secret is in `parameter`, and sign where the person shares.

    Nothing is spent. Raises `Wire`: `unauthorized_client`, `invalid_request`, `invalid_grant` for what is not this client's,
    `expired_token`, `access_denied`.
    """
    if asked.client is None or not asked.client.client.may_use(grant_type):
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    client, secret = asked.client.client, asked.parameters.get(parameter)
    if secret is None:
        raise Wire("invalid_request", f"{parameter} is required")
    with asked.database.read() as tx:
        found = waiting.find(tx, secret) if len(secret) <= MAX_SECRET else None
        code = journey.redeemable(tx, asked.vault, secret, asked.now) if _is_decided(found) else None
        pairwise = authorization_code.pairwise_key(tx, asked.vault, code)
    if found is None or (found.request.client_id, found.request.grant_type) != (client.client_id, grant_type):
        raise Wire("invalid_grant", UNKNOWN)
    if found.request.dpop_jkt not in {None, asked.jkt}:
        raise Wire("invalid_grant", "the request is bound to another key")
    if found.state == "refused":
        raise Wire("access_denied", "the person does not share")
    if found.state == "pending":
        if found.expires <= asked.now:
            raise Wire("expired_token", "nobody decided in time")
        return Undecided(found.id_hash)
    if isinstance(code, journey.Spent):
        raise Wire("invalid_grant", "what was decided was handed over before")
    if code is None or pairwise is None:
        raise Wire("expired_token", "what was decided was not fetched in time")
    return await authorization_code.decided(asked, code, client, pairwise)


def act(tx: Tx, facts: authorization_code.Facts | Undecided, now: int) -> dict[str, Any] | Refusal | Entered:
    """Count a question, or hand over what was decided, once."""
    if isinstance(facts, Undecided):
        return NOT_YET if waiting.question(tx, facts.id_hash, now) else TOO_OFTEN
    return authorization_code.act(tx, facts, now)


def _is_decided(found: Waiting | None) -> bool:
    return found is not None and found.state == "approved"
