"""Clients that register themselves and look after their registration (RFC 7591 §3, RFC 7592 §2; OpenID Connect Registration §3).

Registering takes an initial access token (`semel clients token`), which stands for a profile and for so many registrations;
everything after that the registration access token, which is given once and kept as a hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Json, Raw, Refusal
from broker.authorization import grant_management
from broker.clients import authentication, display_name, registered, registration, secret, sector, software
from broker.clients.metadata import ClientMetadata
from broker.clients.registered import Stored
from broker.clients.registration import Policy
from broker.database import Tx
from broker.endpoints import token
from broker.errors import Wire
from broker.notices import streams
from keys import canonical, opaque
from keys import errors as keys_errors

PATH = "/register"
JSON = "application/json"
MAX_TOKEN = 256  # characters
SECOND = 1_000_000  # microseconds
SIGN_IN = frozenset({"openid", "offline_access"})
#: What the server says and a client must not send back (RFC 7592 §2.2).
NOT_SENT = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
UNAUTHORIZED = Refusal(
    "invalid_token", "the token is not valid", status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
)
CHANGED = Refusal("invalid_request", "the registration was changed meanwhile; read it again", status=409)


@dataclass(frozen=True)
class Facts:
    """A checked client with the token that allows it; `stored` is what it was before, `secret` what it is told once."""

    issuer: str
    client: ClientMetadata
    token: str = field(repr=False)
    stored: Stored | None = None
    secret: str | None = field(default=None, repr=False)
    registration_token: str = field(default="", repr=False)


async def gather(request: Request) -> Facts:
    """Check the initial access token before anything else, then everything the client says of itself."""
    wired, given = needs.parts(request), _bearer(request)
    now = wired.clock()
    with wired.database.read() as tx:
        profile = registered.profile_of(tx, given, now)
    if profile is None:
        raise _wire(UNAUTHORIZED)
    client_id = registration.new_id()
    client, made = await _checked(request, await _body(request), profile, client_id=client_id)
    return Facts(wired.issuer, client, given, secret=made, registration_token=opaque.token())


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Use the initial access token once and store the client."""
    if not registered.spend(tx, facts.token, now):
        return UNAUTHORIZED
    registered.add(tx, facts.client, facts.registration_token, now)
    body = _told(facts.issuer, facts.client, facts.registration_token, now, facts.secret)
    return Json(body, status=201, headers=NO_STORE)


async def gather_own(request: Request) -> Facts:
    """Find the registration by its own token."""
    wired, given = needs.parts(request), _bearer(request)
    with wired.database.read() as tx:
        stored = registered.by_token(tx, request.path_params["id"], given)
    if stored is None:
        raise _wire(UNAUTHORIZED)
    try:
        return Facts(wired.issuer, stored.client(), given, stored)
    except ValueError as problem:
        raise Wire("invalid_client_metadata", "what is stored is accepted no more: register again") from problem


def act_read(facts: Facts, _now: int) -> Json:
    """Tell the client what is stored of it (RFC 7592 §2.1); its secret is not."""
    created = facts.stored.created if facts.stored is not None else 0
    return Json(_told(facts.issuer, facts.client, facts.token, created, None), headers=NO_STORE)


async def gather_replace(request: Request) -> Facts:
    """Check what the client now says of itself; it says everything again (RFC 7592 §2.2)."""
    own = await gather_own(request)
    given = await _body(request)
    if any(name in given for name in NOT_SENT) or given.get("client_id") != own.client.client_id:
        raise Wire("invalid_request", "send client_id as it is, and nothing that only the server says")
    if "client_secret" in given:
        _check_secret(given["client_secret"], own.client)
    client, made = await _checked(
        request,
        given,
        own.client.profile,
        client_id=own.client.client_id,
        client_secret_hash=own.client.client_secret_hash,
        client_secret_expires_at=own.client.client_secret_expires_at,
        disabled=own.client.disabled,
        sector=own.client.sector,
        serves=own.client.serves,
        calls=own.client.calls,
    )
    sector.check_kept(client, own.client)
    return Facts(own.issuer, client, own.token, own.stored, made)


def act_replace(tx: Tx, facts: Facts, _now: int) -> Json | Refusal:
    """Store the client anew, unless it changed since it was read."""
    if facts.stored is None or not registered.replace(tx, facts.client, facts.stored.version):
        return CHANGED
    return Json(_told(facts.issuer, facts.client, facts.token, facts.stored.created, facts.secret), headers=NO_STORE)


def act_remove(tx: Tx, facts: Facts, _now: int) -> Raw | Refusal:
    """Delete the client; whatever it holds opens nothing from now on (RFC 7592 §2.3)."""
    if not registered.remove(tx, facts.client.client_id, facts.token):
        return UNAUTHORIZED
    own = streams.of_client(tx, facts.client.client_id)
    if own is not None:
        streams.remove(tx, own)
    return Raw(b"", JSON, status=204, headers=NO_STORE)


async def _checked(
    request: Request, given: Mapping[str, Any], profile: str, **ours: Any
) -> tuple[ClientMetadata, str | None]:
    wired = needs.parts(request)
    declared = wired.registry.registration
    statement = given.get("software_statement")
    if statement is not None:
        vouched = software.read(statement, declared, wired.clock())
        given, ours = {**given, **registration.read(vouched)}, {**ours, "software_statement": statement}
    elif declared.software_statement_required:
        raise Wire("invalid_software_statement", "a software statement is needed here")
    uses = {f"use:{use.id}" for use in wired.uses.current.values() if use.client_id == ours["client_id"]}
    grants = frozenset(name for name, grant in token.GRANTS.items() if not grant.anonymous)
    scopes = SIGN_IN | set(streams.SCOPES) | grant_management.SCOPES | wired.uses.words.keys() | uses
    methods, own = authentication.methods(wired.registry), wired.registry.own
    policy = Policy(profile, wired.mode, grants, scopes, methods, own, _default_scope(wired))
    client, made = registration.build(given, policy, **ours)
    others = [other for other in wired.registry.all() if other.client_id != client.client_id]
    _check_names(wired, client, others)
    await sector.check(client, wired.outbound.client_addresses, others)
    return client, made


def _check_names(wired: needs.Parts, client: ClientMetadata, others: Iterable[ClientMetadata]) -> None:
    """No client takes the name of another's service or of an agency; one whose answers all end where the other's do is the same people's.

    An address of somebody else's beside one's own proves nothing: anybody can write it down.
    """
    same = set(client.answers_at)
    strangers = [name for other in others if not same <= set(other.answers_at) for name in other.names]
    declared = (use for use in wired.uses.current.values() if use.client_id != client.client_id)
    agencies = [name for use in declared for name in use.controller.name.values()]
    if display_name.is_taken(client.names, [*strangers, *agencies]):
        raise Wire("invalid_client_metadata", "client_name: another is called that, or something that looks like it")


def _default_scope(wired: needs.Parts) -> str:
    """What a client may ask for that registers no scope (RFC 7591 §2): the words of a sign-in."""
    return " ".join(["openid", *(wired.uses.sign_in.words if wired.uses.sign_in is not None else ())])


def _told(issuer: str, client: ClientMetadata, own: str, created: int, made: str | None) -> dict[str, Any]:
    """The client information response (RFC 7591 §3.2.1, RFC 7592 §3)."""
    body = {
        **registration.told(client),
        "client_id": client.client_id,
        "client_id_issued_at": created // SECOND,
        "registration_access_token": own,
        "registration_client_uri": f"{issuer}{PATH}/{client.client_id}",
    }
    if made is not None:
        body |= {"client_secret": made, "client_secret_expires_at": client.client_secret_expires_at}
    return body


def _bearer(request: Request) -> str:
    sent = request.headers.getlist("authorization")
    scheme, _, text = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not 1 <= len(text) <= MAX_TOKEN or not text.isascii():
        raise Wire("invalid_token", "a bearer token is needed", status=401, headers={"WWW-Authenticate": "Bearer"})
    return text


async def _body(request: Request) -> Mapping[str, Any]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON:
        raise Wire("invalid_client_metadata", f"the content type must be {JSON}", status=415)
    try:
        given = canonical.loads(await parameters.body(request))
    except keys_errors.Malformed as problem:
        raise Wire("invalid_client_metadata", "the body is not JSON") from problem
    if not isinstance(given, dict):
        raise Wire("invalid_client_metadata", "the body is not a JSON object")
    return given


def _check_secret(given: object, client: ClientMetadata) -> None:
    try:
        secret.verify(given if isinstance(given, str) else "", client.client_secret_hash)
    except keys_errors.Mismatch as wrong:
        raise Wire("invalid_client_metadata", "client_secret is not the one that was given") from wrong


def _wire(refused: Refusal) -> Wire:
    return Wire(refused.code, refused.description, status=refused.status, headers=refused.headers)
