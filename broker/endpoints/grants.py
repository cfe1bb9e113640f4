"""The grant management endpoint: an agency asks what a grant holds, or gives it back (Grant Management for OAuth 2.0 §6).

A grant is a permission. A token about a person speaks of its own grant; a client's own token may ask about all of its
client's, but ends none: what ends is entered in the person's ledger stream, and only a token about them says whose it is.
Another client's grant, one that ended and one that never was are the same 404.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import uuid6
from starlette.requests import Request

from broker import caller, needs
from broker.answers import Json, Raw, Refusal
from broker.authorization import grant_management, journey
from broker.database import Tx
from broker.errors import NO_STORE, Wire
from broker.evidence import preview
from broker.people import people
from broker.tokens import dpop, standing
from broker.tokens.access_token import AccessToken
from broker.tokens.presented import MAX_TOKEN, Presented
from consent import ledger_entry
from consent import request as data_request
from consent.intended_use import SIGN_IN
from consent.ledger_entry import Entry, Stream
from consent.permission import Permission
from consent.request import DataRequest, RequestedItem
from keys import errors as keys_errors
from keys import jws

PATH = "/grants"
ACTIONS = ("query", "revoke", *grant_management.ACTIONS)
SECOND = 1_000_000  # microseconds
UNKNOWN = Refusal("not_found", "no such grant", status=404)
USED = Refusal("not_found", "this grant was good once, and has been used", status=404)


@dataclass(frozen=True)
class Facts:
    """A verified call about a grant; `stream` is that of the person its token is about, where something will be entered."""

    wired: needs.Parts = field(repr=False)
    presented: Presented
    grant_id: str
    person_id: str | None
    stream: Stream | None
    next_nonce: dict[str, str]

    @property
    def token(self) -> AccessToken:
        """What the token says."""
        return self.presented.token


async def gather(request: Request) -> Facts:
    """GET: verify token and proof, and that the token is for asking."""
    return await _gather(request, grant_management.QUERY)


async def gather_revoke(request: Request) -> Facts:
    """DELETE: the same for ending; a client's own token ends nothing (403)."""
    facts = await _gather(request, grant_management.REVOKE)
    if not facts.token.grant_id:
        raise _insufficient(facts.token, grant_management.REVOKE, "ending a grant needs a token about its person")
    return facts


async def _gather(request: Request, scope: str) -> Facts:
    wired, grant_id = needs.parts(request), str(request.path_params["grant_id"])
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, f"{PATH}/{grant_id}", now, own=_is_own(request))
    client = wired.registry.active(shown.token.client_id)
    if client is None or not client.authenticates:
        raise Wire(standing.DEAD.code, standing.DEAD.description, status=401)
    if scope not in shown.token.scope:
        raise _insufficient(shown.token, scope, "the token has not the scope " + scope)
    person_id, stream = None, None
    if shown.token.grant_id:
        with wired.database.read() as tx:
            held = preview.open_(tx, wired.vault, shown.text.encode(), now)
            person_id = None if held is None else held.person_id
            if person_id is not None and scope == grant_management.REVOKE:
                with suppress(keys_errors.NoSuchKey):  # erased: there is nobody's history to enter it in
                    stream = people.ledger_stream(tx, wired.vault, person_id)
    return Facts(wired, shown, grant_id, person_id, stream, dpop.offer(ring, now))


def _is_own(request: Request) -> bool:
    """Whether the token sent says that it is about nobody; which of the two it must then be is verified."""
    text = request.headers.get("authorization", "").partition(" ")[2]
    try:
        return "grant_id" not in jws.unverified_claims(text[:MAX_TOKEN])
    except keys_errors.KeysError:
        return False


def _insufficient(token: AccessToken, scope: str, why: str) -> Wire:
    """Name the scope that is missing (RFC 6750 §3.1)."""
    said = f'{token.scheme} error="insufficient_scope", error_description="{why}", scope="{scope}"'
    return Wire("insufficient_scope", why, status=403, headers={"WWW-Authenticate": said})


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """GET: say what the grant holds (§6.4)."""
    facts.presented.spend(tx)
    given = _grant(tx, facts, now)
    if isinstance(given, Refusal):
        return given
    return Json(_told(facts, given), headers={**NO_STORE, **facts.next_nonce})


def act_revoke(tx: Tx, facts: Facts, now: int) -> tuple[Raw | Refusal, list[Entry]]:
    """DELETE: end the permission and all its tokens, entered in the person's stream as the agency's doing (§6.5)."""
    facts.presented.spend(tx)
    given = _grant(tx, facts, now)
    if isinstance(given, Refusal):
        return given, []
    if facts.stream is None:
        return standing.DEAD, []
    entry = ledger_entry.permission_ended(
        facts.stream,
        "ended_by_controller",
        entry_id=str(uuid6.uuid7()),
        party=given.client,
        purpose=given.purpose,
        permission=given.permission_id,
        actor="controller",
    )
    journey.withdraw(tx, given.permission_id, now)
    return Raw(b"", "application/json", status=204, headers={**NO_STORE, **facts.next_nonce}), [entry]


def _grant(tx: Tx, facts: Facts, now: int) -> Permission | Refusal:
    """Find the live grant of the path that this token speaks of; a token that counts no more finds none (401)."""
    token, given = facts.token, grant_management.find(tx, facts.grant_id)
    if given is None or given.client != token.client_id:
        return UNKNOWN
    if given.standing(now) != "live":
        return USED if given.standing(now) == "exhausted" else UNKNOWN
    if not token.grant_id:
        return standing.DEAD if standing.is_revoked(tx, token.jti) else given
    if token.grant_id != given.permission_id:
        return UNKNOWN
    return standing.read(tx, token, registry=facts.wired.registry, now=now, person_id=facts.person_id)


def _told(facts: Facts, given: Permission) -> dict[str, Any]:
    """Describe a grant (§6.4): its use as a scope word, the items that were given as an authorization detail.

    Of a sign-in alone, the claims that were given.
    """
    built_in = facts.wired.uses.sign_in
    if given.use_id == SIGN_IN and built_in is not None:
        claims = {claim: item for word in built_in.words.values() for claim, item in word.items()}
        known = sorted(claim for claim, item in claims.items() if item in given.items)
        return {"scopes": [{"scope": "openid"}], "claims": known, **_times(given)}
    use = facts.wired.uses.version(given.use_id, given.use_version)
    items = tuple(RequestedItem(item.id, item.required) for item in use.items if item.id in given.items)
    held = DataRequest(use.id, use.version, items, "ongoing" if given.kind == "ongoing" else "once")
    return {
        "scopes": [{"scope": f"openid {data_request.USE}{use.id}"}],
        "authorization_details": [data_request.details(held, facts.wired.catalogue, facts.wired.issuer)],
        **_times(given),
    }


def _times(given: Permission) -> dict[str, int]:
    ends = {} if given.valid_to is None else {"expires_at": given.valid_to // SECOND}
    return {"created_at": given.valid_from // SECOND, **ends}
