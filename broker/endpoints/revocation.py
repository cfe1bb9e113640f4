"""Token revocation: a client says that it needs a token no more (RFC 7009).

Whatever is presented, the answer is 200: nobody learns here whether a token exists. A refresh token ends its whole family;
the permission itself is the person's, and stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Json
from broker.clients import authentication
from broker.clients.authentication import AuthenticatedClient
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.tokens import access_token, refresh_token, replay, revoked
from keys import sealing
from keys.jws import Claims

PATH = "/revocation"
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Facts:
    """Who asks, the token, and what it says if it is an access token of this server."""

    client: AuthenticatedClient
    token: str = field(repr=False)
    claims: Claims | None


async def gather(request: Request) -> Facts:
    """Authenticate the client and look at the token; `token_type_hint` does not matter: both kinds look different."""
    wired = needs.parts(request)
    now = wired.clock()
    given = await parameters.read(request)
    client = await caller.client(request, given, now)
    if "token" not in given:
        raise Wire("invalid_request", "token is required")
    return Facts(
        client, given["token"], access_token.issued(given["token"], wired.keyring, issuer=wired.issuer, now=now)
    )


def act(tx: Tx, facts: Facts, now: int) -> Json:
    """End what is this client's; say the same for everything else."""
    replay.spend(tx, authentication.KIND, facts.client.assertion_id, facts.client.assertion_expires)
    claims = facts.claims
    if claims is None:
        refresh_token.revoke(tx, facts.token, facts.client.client_id, now)
    elif claims["client_id"] == facts.client.client_id:
        revoked.revoke(tx, claims["jti"], int(claims["exp"]) * SECOND)
        preview.drop_holders(tx, sealing.public_of(facts.token.encode()))
    return Json({}, headers={"Cache-Control": "no-store"})
