"""UserInfo: who the token is about, as this client knows them (OpenID Connect Core §5.3; RFC 9449 §7)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from broker import caller, needs
from broker.answers import Json, Refusal
from broker.clients.registry import Registry
from broker.database import Tx
from broker.evidence import preview
from broker.tokens import dpop, standing
from broker.tokens.presented import Presented
from keys.vault import Vault

PATH = "/userinfo"


@dataclass(frozen=True)
class Facts:
    """The verified token, what says whether it still counts, and the next nonce."""

    presented: Presented
    registry: Registry
    vault: Vault
    next_nonce: dict[str, str]


async def gather(request: Request) -> Facts:
    """Verify token and proof; a token in the query or the body is not looked at (RFC 9700 §4.3.2)."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, PATH, now)
    return Facts(shown, wired.registry, wired.vault, dpop.offer(ring, now))


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Answer `sub` while everything the token hangs on lives."""
    token = facts.presented.token
    facts.presented.spend(tx)
    held = preview.open_(tx, facts.vault, facts.presented.text.encode(), now)
    person_id = None if held is None else held.person_id
    given = standing.read(tx, token, registry=facts.registry, now=now, person_id=person_id)
    if isinstance(given, Refusal):
        return given
    if held is None:
        return standing.DEAD
    if "openid" not in token.scope:
        return Refusal("insufficient_scope", "the token has not the scope openid", status=403)
    return Json({"sub": token.subject}, headers={"Cache-Control": "no-store", **facts.next_nonce})
