"""Asking a person behind the front: the client names them, and asks for the answer or is pinged (CIBA Core §7, FAPI-CIBA §5.2.2).

Whether there is such a person is told to nobody: a request about no one is stored as any other, and waits until its time is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request

from broker import caller, needs, parameters, throttle
from broker.answers import Json, Refusal
from broker.authorization import backchannel, checks, hints, request_object, waiting
from broker.authorization.hints import Hint
from broker.authorization.request import AuthorizationRequest, Unchecked
from broker.clients.authentication import AuthenticatedClient
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.parameters import Parameters
from broker.people import inbox, known_subject, people
from broker.sign_in import subject
from broker.throttle import Limit
from broker.tokens import dpop, replay
from broker.tokens.dpop import VerifiedProof
from broker.tokens.replay import Marker
from keys import errors as keys_errors
from keys import opaque

PATH = caller.BACKCHANNEL
SECOND = 1_000_000  # microseconds
ONE_PERSON = Limit(hourly=30, burst=5)  # requests of one client about one name, whether or not somebody has it


@dataclass(frozen=True)
class Facts:
    """A checked request, and the person it is about, if there is such a person."""

    client: AuthenticatedClient
    proof: VerifiedProof | None
    signed: Marker | None
    request: AuthorizationRequest
    wired: needs.Parts = field(repr=False)
    person_id: str | None = field(repr=False)
    name: bytes = field(repr=False)
    tx_id: str
    box: bytes = field(repr=False)
    auth_req_id: str = field(repr=False)
    lifetime: int
    next_nonce: dict[str, str]


async def gather(request: Request) -> Facts:
    """Authenticate the client, open a signed request, check it, and look for the person; refused here, nothing is stored."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    given = await parameters.read(request)
    client = await caller.client(request, given, now)
    if not client.confidential:
        raise Wire("unauthorized_client", "the client is not registered for this flow")
    proof = caller.proof(request, PATH, now) if "dpop" in request.headers else None
    inside, signed = await _opened(wired, client.client, given, now)
    jkt = proof.jkt if proof else None
    asked = needs.unchecked(wired, client.client, inside, now, proof_jkt=jkt, signed=signed is not None)
    checked = checks.check(asked, checks.At.BACKCHANNEL)
    token = backchannel.notification_token(client.client, inside)
    lifetime = backchannel.lifetime(inside, wired.durations.backchannel_request)
    person_id, name, hint = _person(wired, asked)
    tx_id, auth_req_id = waiting.new_id(), opaque.token()
    to = client.client.backchannel_client_notification_endpoint
    ping = None if token is None else {"to": to, "token": token, "auth_req_id": auth_req_id}
    return Facts(
        client,
        proof,
        signed,
        replace(checked, hint=hints.sealed(hint, wired.roots.ring("cookie"), client.client_id)),
        wired,
        person_id,
        name,
        tx_id,
        waiting.seal(wired.roots.ring("token"), tx_id, {"person_id": person_id, "ping": ping}),
        auth_req_id,
        lifetime,
        dpop.offer(ring, now) if proof else {},
    )


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Let what counts once count once, store the request, and lay it before the person."""
    replay.spend_all(tx, facts.client.marker, facts.proof.marker if facts.proof is not None else None)
    replay.spend_all(tx, facts.signed)
    wait = throttle.allow(tx, "ciba", facts.name, ONE_PERSON, now)
    if wait is not None:
        return Refusal("too_many", "this person was asked too often", status=429, headers={"Retry-After": str(wait)})
    waiting.store(
        tx,
        facts.request,
        facts.auth_req_id,
        tx_id=facts.tx_id,
        box=facts.box,
        now=now,
        lifetime=facts.lifetime,
    )
    inbox.put(tx, facts.wired.vault, facts.person_id, facts.tx_id, now + facts.lifetime * SECOND)
    body = {"auth_req_id": facts.auth_req_id, "expires_in": facts.lifetime, "interval": waiting.INTERVAL}
    return Json(body, headers={"Cache-Control": "no-store", **facts.next_nonce})


async def _opened(wired: needs.Parts, client: Client, given: Parameters, now: int) -> tuple[Parameters, Marker | None]:
    """Return what is asked: out of the signed request, or as it stands where a client may leave it unsigned."""
    if "request" not in given:
        if backchannel.must_sign(client):
            raise Wire("invalid_request", "this client signs its requests: request is missing")
        return given, None
    backchannel.check_beside(given)
    return await request_object.read_backchannel(
        given["request"], client, registry=wired.registry, issuer=wired.issuer, now=now
    )


def _person(wired: needs.Parts, asked: Unchecked) -> tuple[str | None, bytes, Hint]:
    """Find whom the client means; with a code over the name it used, and the hint that only this person meets.

    For nobody the hint is met by nobody.
    """
    client = asked.client
    with wired.database.read() as tx:
        person_id, name = _named(tx, wired, asked)
        person = None if person_id is None else people.by_id(tx, person_id)
        keys: Any = None
        if person is not None and not person.disabled:
            try:
                keys = wired.vault.person(tx, person.person_id)
            except keys_errors.NoSuchKey:
                person = None
    known = person is not None and keys is not None
    sub = subject.pairwise(keys.pairwise, client.pairwise_sector) if known else opaque.token()
    covered = wired.roots.ring("pepper").mac(b"semel/ciba/v1\x00" + client.client_id.encode() + b"\x00" + name)
    return (person.person_id if known and person else None), covered, Hint(None, sub, client.pairwise_sector)


def _named(tx: Tx, wired: needs.Parts, asked: Unchecked) -> tuple[str | None, bytes]:
    login = asked.parameters.get("login_hint")
    if login is not None:
        found = people.by_username(tx, wired.roots, login)
        return (None if found is None else found.person_id), people.name_codes(wired.roots, login)[0]
    try:
        sub = hints.subject_of_token(asked)
    except ValueError as problem:
        raise Wire("invalid_request", str(problem)) from problem
    if sub is None:
        raise Wire("invalid_request", "id_token_hint is empty")
    return known_subject.find(tx, sub), sub.encode()
