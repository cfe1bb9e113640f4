"""UserInfo: who the token is about, as this client knows them (OpenID Connect Core §5.3; RFC 9449 §7)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import needs
from broker.answers import Json, Refusal
from broker.authorization import journey
from broker.database import Tx
from broker.tokens import dpop, presented
from broker.tokens.presented import Presented
from consent import permission

PATH = "/userinfo"


@dataclass(frozen=True)
class Facts:
    """The verified token, whether its client may still act, and the next nonce."""

    presented: Presented
    client_active: bool
    next_nonce: dict[str, str]


async def gather(request: Request) -> Facts:
    """Verify token and proof; a token in the query or the body is not looked at (RFC 9700 §4.3.2)."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = presented.verify(
        request.headers.getlist("authorization"),
        request.headers.getlist("dpop"),
        method=request.method,
        url=wired.issuer + PATH,
        keyring=wired.keyring,
        ring=ring,
        issuer=wired.issuer,
        now=now,
    )
    active = wired.registry.active(shown.token.client_id) is not None
    return Facts(shown, active, dpop.offer(ring, now))


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Answer `sub` while the permission lives, its period lasts and the token's family was not ended."""
    token = facts.presented.token
    facts.presented.proof.spend(tx)
    given = permission.get(tx, token.grant_id)
    standing = None if given is None or given.client != token.client_id else given.standing(now)
    if standing == "withdrawn":
        return Refusal("invalid_token", "the person ended this permission", status=401)
    if standing != "live" or not facts.client_active or not journey.family_lives(tx, token.family):
        return Refusal("invalid_token", "the access token is not valid or has expired", status=401)
    if "openid" not in token.scope:
        return Refusal("insufficient_scope", "the token has not the scope openid", status=403)
    return Json({"sub": token.subject}, headers={"Cache-Control": "no-store", **facts.next_nonce})
