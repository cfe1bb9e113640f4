"""UserInfo: who the token is about, and the claims that were asked for and shared (OpenID Connect Core §5.3; RFC 9449 §7).

Claims leave as everything does: entered in the ledger first. A token that asked for none writes nothing but its proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from starlette.requests import Request

from broker import caller, needs
from broker.answers import Json, Later, Raw, Refusal
from broker.authorization.released import Prepared, Releases
from broker.clients import recipients
from broker.database import Tx
from broker.evidence import preview
from broker.evidence.preview import Held
from broker.tokens import dpop, standing, step_up
from broker.tokens.presented import Presented
from consent import permission
from consent.intended_use import ACR
from consent.ledger_entry import Entry
from consent.permission import Permission
from keys import canonical, jwe, jws
from keys.algorithms import Alg
from keys.jwe import Recipient

PATH = "/userinfo"
SECOND = 1_000_000  # microseconds
NARROW = Refusal("insufficient_scope", "the token has not the scope openid", status=403)


@dataclass(frozen=True)
class Facts:
    """The verified token, what is sealed to it, the claims to be handed over if any, and the next nonce.

    `alg` signs the answer and `recipient` is whom it is encrypted to, where the client registered that.
    """

    wired: needs.Parts
    presented: Presented
    held: Held | None
    prepared: Prepared | None
    next_nonce: Mapping[str, str]
    alg: str | None = None
    recipient: Recipient | None = None

    @property
    def enters(self) -> bool:
        """Whether claims leave, and so are entered."""
        return self.prepared is not None


async def gather(request: Request) -> Facts:
    """Verify token and proof, and prepare the claims; a token in the query or the body is not looked at (RFC 9700 §4.3.2)."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, PATH, now)
    with wired.database.read() as tx:
        held = preview.open_(tx, wired.vault, shown.text.encode(), now)
    prepared = await _prepared(wired, shown, held, now)
    client = wired.registry.active(shown.token.client_id)
    facts = Facts(wired, shown, held, prepared, dpop.offer(ring, now))
    if client is None:
        return facts  # the act refuses
    to = await recipients.of(wired.registry, client, "userinfo", now)
    return replace(facts, alg=client.userinfo_signed_response_alg, recipient=to)


async def _prepared(wired: needs.Parts, shown: Presented, held: Held | None, now: int) -> Prepared | None:
    """Prepare what was asked for, for a token that may have it."""
    token = shown.token
    asked = held is not None and (_words(token.scope) or '"userinfo"' in (held.claims or ""))
    if held is None or not asked or token.narrowed or "openid" not in token.scope:
        return None
    with wired.database.read() as tx:
        given = standing.require(tx, token, registry=wired.registry, now=now, person_id=held.person_id)
    prepared = await Releases.of(wired).prepare("userinfo", held, given, scope=token.scope, acr=token.acr, now=now)
    if prepared is not None:
        terms = (prepared.use, wired.uses.get(given.use_id))
        step_up.require(token, max((use.minimum_acr for use in terms), key=ACR.index))
    return prepared


def _words(scope: tuple[str, ...]) -> bool:
    """Whether there are words that may stand for claims."""
    return any(word != "openid" and not word.startswith("use:") for word in scope)


def act(tx: Tx, facts: Facts, now: int) -> Json | Raw | Refusal | tuple[Later | Refusal, list[Entry]]:
    """Answer while everything the token hangs on lives: `sub` alone, or with the claims once they are entered."""
    token = facts.presented.token
    facts.presented.spend(tx)
    person_id = None if facts.held is None else facts.held.person_id
    given = standing.read(tx, token, registry=facts.wired.registry, now=now, person_id=person_id)
    prepared = facts.prepared
    if prepared is None:
        if isinstance(given, Refusal):
            return given
        if facts.held is None:
            return standing.DEAD
        return _answer(facts, {}, now) if "openid" in token.scope else NARROW
    if isinstance(given, Refusal):
        return given, []
    if permission.releasable(given, prepared.handed(), now) is not None:
        return standing.DEAD, []
    return _later(facts, prepared, given, now), [prepared.entry(given)]


def _later(facts: Facts, prepared: Prepared, given: Permission, now: int) -> Later:
    return Later(lambda appended: _answer(facts, prepared.claims(appended[0], given), now))


def _answer(facts: Facts, claims: Mapping[str, Any], now: int) -> Json | Raw:
    """Write the answer: JSON, or signed and encrypted as the client registered (Core §5.3.2)."""
    token, wired = facts.presented.token, facts.wired
    headers = {"Cache-Control": "no-store", **facts.next_nonce}
    body, alg = {**claims, "sub": token.subject}, facts.alg
    if alg is None and facts.recipient is None:
        return Json(body, headers=headers)
    content = canonical.dumps(body).decode()
    if alg is not None:
        about = {"iss": wired.issuer, "aud": token.client_id, "iat": now // SECOND}
        content = jws.sign(wired.keyring.signer(purpose="token", alg=cast("Alg", alg)), {**body, **about}, typ="JWT")
    if facts.recipient is not None:
        content = jwe.encrypt(facts.recipient, content, nested=alg is not None)
    return Raw(content.encode(), "application/jwt", headers=headers)
