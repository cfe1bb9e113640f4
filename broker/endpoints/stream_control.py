"""A stream's status, its subjects, and the event that proves it works (OpenID Shared Signals Framework 1.0 §8.1.2, §8.1.3, §8.1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Json, Raw, Refusal
from broker.database import Tx
from broker.endpoints import receiver
from broker.endpoints.receiver import Body, Receiver
from broker.errors import Wire
from broker.notices import event_types, streams
from broker.notices.security_events import Signals
from broker.notices.streams import Status, Stream

STATUS, VERIFY, ADD, REMOVE = "/ssf/status", "/ssf/verify", "/ssf/subjects/add", "/ssf/subjects/remove"
MAX_REASON = 500  # characters
MAX_SUBJECT = 255  # characters, as OpenID Connect Core §2 bounds `sub`
TOO_SOON = Refusal(
    "too_many_requests",
    "a verification was asked for just now",
    status=429,
    headers={"Retry-After": str(streams.VERIFY_SECONDS)},
)
TOO_MANY = Refusal("too_many_subjects", "the stream leaves out as many subjects as it can", status=403)


@dataclass(frozen=True)
class Facts:
    """Who calls, about which stream, saying what."""

    signals: Signals
    receiver: Receiver
    stream_id: str
    given: Body


async def gather_status(request: Request) -> Facts:
    """Read whose status is asked for."""
    caller = receiver.who(request, STATUS, receiver.MAY_READ)
    named = receiver.stream_id(parameters.query(request).get("stream_id"))
    return Facts(needs.parts(request).signals, caller, named, {})


def act_status(tx: Tx, facts: Facts, _now: int) -> Json:
    """Answer the status (§8.1.2.1)."""
    return _status(facts, _found(tx, facts))


async def gather_set_status(request: Request) -> Facts:
    """Read the new status."""
    facts = await _gather(request, STATUS)
    if facts.given.get("status") not in streams.STATUSES:
        raise Wire("invalid_request", "status is one of enabled, paused, disabled")
    _text(facts.given, "reason", MAX_REASON, line=True)
    return facts


def act_set_status(tx: Tx, facts: Facts, now: int) -> Json:
    """Store the new status (§8.1.2.2)."""
    before = _found(tx, facts, change=True)
    after = streams.set_status(tx, before, cast("Status", facts.given["status"]), facts.given.get("reason"))
    facts.signals.changed(tx, before, after, now)
    return _status(facts, after)


async def gather_verify(request: Request) -> Facts:
    """Read what the verification shall repeat."""
    facts = await _gather(request, VERIFY)
    if not isinstance(facts.given.get("state", ""), str):
        raise Wire("invalid_request", "state is text")
    return facts


def act_verify(tx: Tx, facts: Facts, now: int) -> Raw | Refusal:
    """Put a verification into the stream (§8.1.4.2); more often than `min_verification_interval` it is refused."""
    stream = _found(tx, facts)
    if not facts.signals.may_verify(tx, stream, now):
        return TOO_SOON
    facts.signals.send(tx, stream, event_types.verification(stream.stream_id, facts.given.get("state")), now)
    return facts.receiver.empty()


async def gather_add(request: Request) -> Facts:
    """Read whom the receiver wants to hear of."""
    return await _about(request, ADD)


def act_add(tx: Tx, facts: Facts, _now: int) -> Raw:
    """Take somebody in again (§8.1.3.2); whether there is such a person is not told (§9.1)."""
    streams.take_in(tx, facts.signals.ring, _found(tx, facts), facts.given["subject"]["sub"])
    return facts.receiver.empty(200)


async def gather_remove(request: Request) -> Facts:
    """Read whom the receiver wants to hear nothing of."""
    return await _about(request, REMOVE)


def act_remove(tx: Tx, facts: Facts, _now: int) -> Raw | Refusal:
    """Leave somebody out (§8.1.3.3)."""
    left = streams.leave_out(tx, facts.signals.ring, _found(tx, facts), facts.given["subject"]["sub"])
    return facts.receiver.empty() if left else TOO_MANY


async def _gather(request: Request, path: str) -> Facts:
    caller = receiver.who(request, path, receiver.MAY_MANAGE)
    given = await receiver.body(request)
    return Facts(needs.parts(request).signals, caller, receiver.stream_id(given.get("stream_id")), given)


async def _about(request: Request, path: str) -> Facts:
    """Read a subject: only as this issuer names people to this client."""
    facts = await _gather(request, path)
    named = facts.given.get("subject")
    subject: Any = named.get("sub") if isinstance(named, dict) else None
    if not isinstance(subject, str) or named != event_types.person(facts.signals.issuer, subject):
        raise Wire("invalid_request", "subject is of the format iss_sub, with this issuer")
    if not 1 <= len(subject) <= MAX_SUBJECT:
        raise Wire("invalid_request", "subject is of the format iss_sub, with a sub of this issuer")
    return facts


def _found(tx: Tx, facts: Facts, *, change: bool = False) -> Stream:
    facts.receiver.admit(tx)
    return facts.receiver.stream(tx, facts.stream_id, change=change)


def _status(facts: Facts, stream: Stream) -> Json:
    body = {"stream_id": stream.stream_id, "status": stream.status}
    return Json(body | ({} if stream.reason is None else {"reason": stream.reason}), headers=facts.receiver.headers)


def _text(given: Body, name: str, longest: int, *, line: bool = False) -> None:
    value = given.get(name, "")
    if not isinstance(value, str) or len(value) > longest or (line and not value.isprintable()):
        raise Wire("invalid_request", f"{name} is text of at most {longest} characters")
