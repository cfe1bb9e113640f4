"""The stream an agency makes, reads, changes and deletes (OpenID Shared Signals Framework 1.0 §8.1.1).

One stream a client: a second one is refused (409), as §8.1.1.1 leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Json, Raw, Refusal
from broker.clients import web_address
from broker.database import Tx
from broker.endpoints import poll, receiver
from broker.endpoints.receiver import Body, Receiver
from broker.errors import Wire
from broker.notices import event_types, streams
from broker.notices.security_events import Signals
from broker.notices.streams import Stream, Wanted

PATH = "/ssf/streams"
MOST_EVENTS = 50  # in events_requested
MAX_URI = 500  # characters
MAX_DESCRIPTION = 500  # characters
MAX_HEADER = 2048  # characters
EXISTS = Refusal("conflict", "this client has a stream; read it and change that one", status=409)


@dataclass(frozen=True)
class Facts:
    """Who calls; which stream is meant, None where none is named; what is said of it."""

    signals: Signals
    receiver: Receiver
    stream_id: str | None = None
    given: Mapping[str, Any] | None = None

    @property
    def issuer(self) -> str:
        """Whose streams these are."""
        return self.signals.issuer


async def gather_read(request: Request) -> Facts:
    """Read which stream is asked for; without a name all of them are."""
    caller = receiver.who(request, PATH, receiver.MAY_READ)
    named = parameters.query(request).get("stream_id")
    return Facts(needs.parts(request).signals, caller, named)


def act_read(tx: Tx, facts: Facts, _now: int) -> Json:
    """Answer one stream, or the list of them (§8.1.1.2)."""
    facts.receiver.admit(tx)
    if facts.stream_id is not None:
        return _answer(facts, facts.receiver.stream(tx, facts.stream_id))
    own = streams.of_client(tx, facts.receiver.client.client_id)
    return Json([] if own is None else [told(facts.issuer, own)], headers=facts.receiver.headers)


async def gather_create(request: Request) -> Facts:
    """Read what the receiver wants."""
    caller = receiver.who(request, PATH, receiver.MAY_MANAGE)
    return Facts(needs.parts(request).signals, caller, None, await receiver.body(request))


def act_create(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Make the stream (§8.1.1.1)."""
    facts.receiver.admit(tx)
    client, wanted = facts.receiver.client, _wants(facts, Wanted())
    made = streams.create(tx, client.client_id, client.id_token_signed_response_alg, wanted, now)
    return EXISTS if made is None else _answer(facts, made, 201)


async def gather_change(request: Request) -> Facts:
    """Read which stream is changed and how."""
    caller = receiver.who(request, PATH, receiver.MAY_MANAGE)
    given: Body = await receiver.body(request)
    return Facts(needs.parts(request).signals, caller, receiver.stream_id(given.get("stream_id")), given)


def act_update(tx: Tx, facts: Facts, now: int) -> Json:
    """Change what is named and leave the rest (§8.1.1.3)."""
    return _change(tx, facts, now, keep=True)


def act_replace(tx: Tx, facts: Facts, now: int) -> Json:
    """Put what is said in the place of all that was (§8.1.1.4)."""
    return _change(tx, facts, now, keep=False)


async def gather_delete(request: Request) -> Facts:
    """Read which stream is to go."""
    caller = receiver.who(request, PATH, receiver.MAY_MANAGE)
    named = receiver.stream_id(parameters.query(request).get("stream_id"))
    return Facts(needs.parts(request).signals, caller, named)


def act_delete(tx: Tx, facts: Facts, now: int) -> Raw:
    """Delete the stream and what waits in it (§8.1.1.5)."""
    facts.receiver.admit(tx)
    stream = facts.receiver.stream(tx, facts.stream_id or "", change=True)
    facts.signals.changed(tx, stream, None, now)
    streams.remove(tx, stream)
    return facts.receiver.empty()


def told(issuer: str, stream: Stream) -> dict[str, Any]:
    """Write a stream's configuration as its receiver reads it; the header it gave us is not told again."""
    wanted = stream.wanted
    body: dict[str, Any] = {
        "stream_id": stream.stream_id,
        "iss": issuer,
        "aud": stream.client_id,
        "events_supported": event_types.supported(issuer),
        "events_delivered": stream.delivers(issuer),
        "delivery": {
            "method": wanted.method,
            "endpoint_url": wanted.endpoint or f"{issuer}{poll.PREFIX}{stream.stream_id}",
        },
        "min_verification_interval": streams.VERIFY_SECONDS,
    }
    if wanted.requested is not None:
        body["events_requested"] = list(wanted.requested)
    if wanted.description is not None:
        body["description"] = wanted.description
    return body


def _wants(facts: Facts, before: Wanted) -> Wanted:
    """Read what a receiver may say, over what it said before; raises `Wire` (400). Other members mean nothing here."""
    given, wanted = facts.given or {}, before
    if "events_requested" in given:
        wanted = replace(wanted, requested=_events(given["events_requested"]))
    if "description" in given:
        wanted = replace(wanted, description=_description(given["description"]))
    if "delivery" in given:
        wanted = _delivered(facts, given["delivery"], wanted)
    return wanted


def _change(tx: Tx, facts: Facts, now: int, *, keep: bool) -> Json:
    facts.receiver.admit(tx)
    stream = facts.receiver.stream(tx, facts.stream_id or "", change=True)
    _check_ours(facts.given or {}, told(facts.issuer, stream))
    wanted = _wants(facts, stream.wanted if keep else Wanted())
    changed = streams.alter(tx, stream, facts.receiver.client.id_token_signed_response_alg, wanted)
    facts.signals.changed(tx, stream, changed, now)
    return _answer(facts, changed)


def _check_ours(given: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """What the transmitter says may be repeated, and is then as it was."""
    for name in ("iss", "aud", "events_supported", "events_delivered", "min_verification_interval"):
        if name in given and not _same(given[name], ours[name]):
            raise Wire("invalid_request", f"{name} is not the receiver's to change")


def _same(given: Any, ours: Any) -> bool:
    if isinstance(ours, list):
        return isinstance(given, list) and sorted(map(str, given)) == sorted(ours)
    return bool(given == ours)


def _events(given: Any) -> tuple[str, ...]:
    """What a stream shall carry; what this server does not know is kept and never delivered."""
    named = isinstance(given, list) and all(isinstance(one, str) and 1 <= len(one) <= MAX_URI for one in given)
    if not named or len(given) > MOST_EVENTS:
        raise Wire("invalid_request", "events_requested is a list of event types")
    return tuple(dict.fromkeys(given))


def _description(given: Any) -> str:
    if not isinstance(given, str) or not given.isprintable():
        raise Wire("invalid_request", "description is a line of text")
    return given[:MAX_DESCRIPTION]


def _delivered(facts: Facts, given: Any, wanted: Wanted) -> Wanted:
    """How the stream is delivered: polled at an address of ours, or pushed to one of the receiver's (§6.1).

    The header is not told again, so one that is not named stays with its address; null takes it away.
    """
    method = given.get("method") if isinstance(given, dict) else None
    if method == streams.POLL:
        return replace(wanted, method=method, endpoint=None, authorization=None)
    if method != streams.PUSH:
        raise Wire("invalid_request", "delivery names a method that is not supported")
    endpoint, header = given.get("endpoint_url"), given.get("authorization_header")
    try:
        web_address.parse(endpoint if isinstance(endpoint, str) else "")
    except ValueError as problem:
        raise Wire("invalid_request", f"endpoint_url: {problem}") from problem
    if "authorization_header" not in given and wanted.endpoint == endpoint:
        return replace(wanted, method=method)
    if header is not None and not _is_header(header):
        raise Wire("invalid_request", "authorization_header is a line of printable ASCII")
    client_id, ring = facts.receiver.client.client_id, facts.signals.ring
    sealed = None if header is None else streams.seal(ring, client_id, endpoint, header)
    return replace(wanted, method=method, endpoint=endpoint, authorization=sealed)


def _is_header(given: Any) -> bool:
    return isinstance(given, str) and 1 <= len(given) <= MAX_HEADER and given.isascii() and given.isprintable()


def _answer(facts: Facts, stream: Stream, status: int = 200) -> Json:
    return Json(told(facts.issuer, stream), status, facts.receiver.headers)
