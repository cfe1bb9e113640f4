"""The credential endpoint: one verified proof, one credential, entered in the ledger before its values are opened
(OpenID4VCI 1.0 §8).

1. The access token and its DPoP proof; a token in the query is not looked at.
2. What hangs on the token: the offer, the person (sealed to the token), the permission.
3. The request; it asks for what the token is for.
4. The proof of the wallet's key, a new one, and its nonce.
5. The registers, asked now; what is mandatory was provided.
6. In one change: DPoP proof, nonce and key spent, the one copy marked, the entry `credential.issued` appended.
7. After the commit: the gate opens the values, and the credential is signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import uuid6
from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Json, Later, Refusal
from broker.database import Tx
from broker.errors import Wire
from broker.evidence.collect import collect
from broker.evidence.source import Evidence
from broker.people import people
from broker.tokens import dpop, standing
from broker.tokens.presented import Presented
from consent import ledger_entry, permission, release
from consent.ledger import Appended
from consent.ledger_entry import Entry, Stream
from consent.permission import Permission
from keys import canonical
from keys import errors as keys_errors
from wallet import credential_request, holder_key, issuance, nonce, offer, proof
from wallet.credential_request import CredentialRequest
from wallet.credential_type import CredentialType
from wallet.errors import CredentialRequestDenied, InvalidCredentialRequest
from wallet.issuance import Value
from wallet.proof import VerifiedProof

PATH = "/credential"
MAX_BODY = 32 * 1024
MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class Behind:
    """What hangs on a token: the offer with whom it is for, the permission, the person's stream, whom registers know."""

    redeemed: offer.Redeemable
    given: Permission
    stream: Stream
    subject: people.Subject


@dataclass(frozen=True)
class Facts:
    """A request that may be answered: everything verified, the values fetched and still sealed."""

    wired: needs.Parts
    presented: Presented
    behind: Behind
    kind: CredentialType
    proof: VerifiedProof
    found: Evidence = field(repr=False)
    entry_id: str
    next_nonce: Mapping[str, str]


async def gather(request: Request) -> Facts:
    """Steps 1 to 5; nothing is spent."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, PATH, now)  # 1
    asked = await _body(request)
    with wired.database.read() as tx:
        behind = _behind(tx, wired, shown, now)  # 2
    kind = _chosen(wired, behind, asked)  # 3
    verified = proof.verify(  # 4
        asked.proof,
        issuer=wired.issuer,
        algorithms=kind.proof_signing_alg_values_supported,
        ring=wired.roots.ring("c-nonce"),
        now=now,
    )
    with wired.database.read() as tx:
        nonce.unspent(tx, verified.nonce)
        if behind.redeemed.offer.state != "redeemed":
            raise CredentialRequestDenied("the one copy of this offer was issued before")
        holder_key.unused(tx, wired.roots.ring("holder-key"), verified.jwk)
    entry_id = str(uuid6.uuid7())
    found = await _fetched(wired, behind, kind, entry_id, now)  # 5
    return Facts(wired, shown, behind, kind, verified, found, entry_id, dpop.offer(ring, now))


def act(tx: Tx, facts: Facts, now: int) -> tuple[Later | Refusal, list[Entry]]:
    """Step 6; an exception undoes all of it."""
    behind, permission_id = facts.behind, facts.behind.given.permission_id
    facts.presented.spend(tx)
    nonce.spend(tx, facts.proof.nonce, expires=facts.proof.nonce_expires)
    given = permission.get(tx, permission_id)
    statuses = {name: one.status for name, one in facts.found.items()}
    provided = [name for name, status in statuses.items() if status == "provided"]
    if given is None or permission.releasable(given, provided, now) is not None:
        return Refusal("credential_request_denied", "the person ended this permission"), []
    token = facts.presented.token
    if not standing.lives(tx, token.family, token.jti) or not offer.issued(tx, permission_id, now=now):
        return Refusal("credential_request_denied", "the one copy of this offer was issued before"), []
    holder_key.spend(tx, facts.wired.roots.ring("holder-key"), facts.proof.jwk)
    entry = ledger_entry.credential_issued(
        behind.stream,
        entry_id=facts.entry_id,
        party=given.client,
        purpose=given.purpose,
        permission=permission_id,
        items=statuses,
        sources=[one.source for one in facts.found.values() if one.source],
        configuration=facts.kind.id,
        sub=facts.presented.token.subject,
    )
    return Later(lambda appended: _signed(facts, appended)), [entry]


def _signed(facts: Facts, appended: tuple[Any, ...]) -> Json:
    """Step 7: open against the committed entry, sign, answer."""
    entry: Appended = appended[0]
    receipt, given = release.ReleaseReceipt.of(entry), facts.behind.given
    values = {
        name: Value(
            release.open_(one.value, receipt, item=name, client=given.client, permission=given.permission_id), one.as_of
        )
        for name, one in facts.found.items()
        if one.status == "provided"
    }
    compact = issuance.issue(
        facts.kind,
        values,
        issuer=facts.wired.issuer,
        holder=facts.proof.jwk,
        signer=facts.wired.keyring.signer("credential", "ES256"),
        now=entry.ts,
    )
    headers = {"Cache-Control": "no-store", **facts.next_nonce}
    return Json({"credentials": [{"credential": compact}]}, headers=headers)


async def _body(request: Request) -> CredentialRequest:
    """Read the JSON body; an encrypted one (`application/jwt`) is not offered."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidCredentialRequest(f"the content type must be {MEDIA_TYPE}")
    content = await parameters.body(request, limit=MAX_BODY)
    try:
        return credential_request.parse(canonical.loads(content))
    except keys_errors.Malformed as problem:
        raise InvalidCredentialRequest("the request is not JSON") from problem


def _behind(tx: Tx, wired: needs.Parts, shown: Presented, now: int) -> Behind:
    """Find what hangs on the token. A token that never came from an offer has no scope for a credential."""
    token = shown.token
    if not {one.scope for one in wired.credentials.values()} & set(token.scope):
        raise _out_of_scope()
    redeemed = offer.by_token(tx, wired.vault, shown.text, now=now)
    given = permission.get(tx, token.grant_id)
    if redeemed is None or given is None or redeemed.offer.permission_id != given.permission_id:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401)
    if given.standing(now) == "withdrawn":
        raise Wire("invalid_token", "the person ended this permission", status=401)
    person_id = redeemed.held["person_id"]
    if not standing.lives(tx, token.family, token.jti) or not standing.acts(tx, person_id):
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401)
    try:
        stream = people.ledger_stream(tx, wired.vault, person_id)
        subject = people.subject(tx, wired.vault, person_id)
    except keys_errors.NoSuchKey as problem:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401) from problem
    return Behind(redeemed, given, stream, subject)


def _chosen(wired: needs.Parts, behind: Behind, asked: CredentialRequest) -> CredentialType:
    redeemed = behind.redeemed
    kind = issuance.choose(
        asked,
        wired.credentials,
        authorized=redeemed.offer.configuration,
        identifier=redeemed.held.get("identifier"),
    )
    if kind is None:
        raise _out_of_scope()
    return kind


def _out_of_scope() -> Wire:
    challenge = {"WWW-Authenticate": 'DPoP error="insufficient_scope"'}
    return Wire("insufficient_scope", "the access token is not for this credential", status=403, headers=challenge)


async def _fetched(wired: needs.Parts, behind: Behind, kind: CredentialType, reference: str, now: int) -> Evidence:
    found = await collect(
        wired.registers.by_id,
        wired.registers.routing,
        behind.subject,
        [name for name in kind.attributes if name in behind.given.items],
        phase="issue",
        reference=reference,
        now=now,
        cut=wired.durations.preview_cut,
    )
    if not found.eligible:
        raise CredentialRequestDenied("this cannot be issued for the person")
    issuance.require(kind, {name: one.status for name, one in found.items()})
    return found
