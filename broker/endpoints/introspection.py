"""Token introspection: a server that was shown a token asks what it is worth now (RFC 7662, signed: RFC 9701).

It learns about tokens for itself only; every other one, a refresh token among them, is not active. Nothing is written but
the marker of the caller's assertion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Json, Raw
from broker.clients import authentication, recipients
from broker.clients.authentication import AuthenticatedClient
from broker.database import Tx
from broker.errors import Wire
from broker.tokens import access_token, reference, replay, standing
from keys import jwe, jws
from keys.jwe import Recipient
from keys.jws import Claims

PATH = "/introspection"
SIGNED = "application/token-introspection+jwt"
TYPE = "token-introspection+jwt"
SECOND = 1_000_000  # microseconds
TOLD = ("iss", "aud", "sub", "client_id", "scope", "exp", "iat", "jti", "acr", "cnf")
INACTIVE: dict[str, Any] = {"active": False}


@dataclass(frozen=True)
class Facts:
    """Who asks, and the answer, already signed where that was asked for."""

    client: AuthenticatedClient
    answer: Json | Raw = field(repr=False)


async def gather(request: Request) -> Facts | Json | Raw:
    """Authenticate the caller, read what the token hangs on, write the answer.

    Raises `Wire`: `invalid_client` (401) also for a caller that cannot prove who it is (RFC 7662 §4).
    """
    wired = needs.parts(request)
    now = wired.clock()
    given = await parameters.read(request)
    asking = await caller.client(request, given, now)
    if not asking.confidential:
        raise Wire("invalid_client", "who asks must prove who it is", status=401)
    if "token" not in given:
        raise Wire("invalid_request", "token is required")
    claims = access_token.issued(given["token"], wired.keyring, issuer=wired.issuer, now=now)
    told = INACTIVE
    if claims is not None and claims["aud"] in asking.client.serves and _counts(wired, claims, now):
        told = {"active": True, "token_type": access_token.scheme(claims.get("cnf", {}))}
        told |= {name: claims[name] for name in TOLD if name in claims}
    signed = SIGNED in request.headers.get("accept", "")
    to = await recipients.of(wired.registry, asking.client, "introspection", now) if signed else None
    answer = _answer(wired, asking.client_id, told, now, signed=signed, to=to)
    return answer if asking.assertion_id is None else Facts(asking, answer)


def act(tx: Tx, facts: Facts, _now: int) -> Json | Raw:
    """Let the caller's assertion count once."""
    replay.spend(tx, authentication.KIND, facts.client.assertion_id, facts.client.assertion_expires)
    return facts.answer


def _counts(wired: needs.Parts, claims: Claims, now: int) -> bool:
    """Whether the token, its client, and what it came from live (RFC 7662 §2.2: revoked, disabled, withdrawn are not active)."""
    if wired.registry.active(claims["client_id"]) is None:
        return False
    with wired.database.read() as tx:
        if "ref" not in claims:  # a client's own token: there is no person behind it
            return not standing.is_revoked(tx, claims["jti"])
        behind = reference.open_(wired.vault, claims["ref"], jti=claims["jti"], issued=int(claims["iat"]))
        return behind is not None and standing.granted(tx, behind, claims["client_id"], claims["jti"], now=now)


def _answer(
    wired: needs.Parts, caller: str, told: dict[str, Any], now: int, *, signed: bool, to: Recipient | None
) -> Json | Raw:
    """Plain JSON, or a token about the token that only its addressee takes for one, and can read where it is encrypted (RFC 9701 §5)."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if not signed:
        return Json(told, headers=headers)
    claims = {"iss": wired.issuer, "aud": caller, "iat": now // SECOND, "token_introspection": told}
    signer = wired.keyring.signer(purpose="token", alg=access_token.ALG)
    content = jws.sign(signer, claims, typ=TYPE)
    return Raw((content if to is None else jwe.encrypt(to, content)).encode(), SIGNED, headers=headers)
