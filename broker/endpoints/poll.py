"""Polling for security events (RFC 8936 §2).

What is acknowledged is forgotten at once; then, unless something waits, the answer is held back for a while. No connection
is out meanwhile: the stream is looked at again and again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import needs, telemetry, throttle
from broker.answers import Json
from broker.endpoints import receiver
from broker.endpoints.receiver import Body, Receiver
from broker.errors import Wire
from broker.notices import security_events
from broker.notices.security_events import Held
from broker.notices.streams import Stream
from broker.throttle import Limit

PREFIX = "/ssf/poll/"
PATH = PREFIX + "{id}"
MOST = 100  # events of one answer
MOST_ACKNOWLEDGED = 1000
MAX_JTI = 128  # characters
LOOK_EVERY = 0.5  # seconds
POLLS = Limit(hourly=3600, burst=60)
#: What a receiver may say is wrong with an event (RFC 8935 §2.4, SSF 1.0 §8.1.4.1); other words are not logged.
ERRORS = frozenset(
    {"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}
    | {"invalid_state"}
)


@dataclass(frozen=True)
class Asked:
    """What a receiver has, what it will not have, how many it wants, and whether it waits."""

    acknowledged: tuple[str, ...]
    refused: Mapping[str, str]
    most: int
    waits: bool


async def gather(request: Request) -> Json:
    """Forget what is acknowledged, wait for something to hand out, and sign it."""
    wired, named = needs.parts(request), str(request.path_params["id"])
    caller = receiver.who(request, PREFIX + named, receiver.MAY_READ)
    asked = _asked(await receiver.body(request))
    _settle(wired, caller, named, asked)
    stream, found = await _look(request, caller, named, asked)
    now, keyring = wired.clock(), wired.keyring
    sets = {one.jti: wired.signals.token(keyring, stream, one, now) for one in found[: asked.most]}
    more = {"moreAvailable": True} if len(found) > asked.most else {}
    return Json({"sets": sets, **more}, headers=caller.headers)


def act(answer: Json, _now: int) -> Json:
    """Pass on the answer."""
    return answer


def _settle(wired: needs.Parts, caller: Receiver, named: str, asked: Asked) -> None:
    """Let the proof count, and forget what the receiver has (RFC 8936 §2.4)."""
    now, client_id = wired.clock(), caller.client.client_id
    with wired.database.write() as tx:
        caller.admit(tx)
        stream = caller.stream(tx, named)
        wait = throttle.allow(tx, "poll", wired.signals.ring.mac(client_id.encode()), POLLS, now)
        done = {*asked.acknowledged, *asked.refused}
        if wait is None and done:
            security_events.forget(tx, stream, done)
    if wait is not None:
        again = {"Retry-After": str(wait)}
        raise Wire("too_many_requests", "polled too often", status=429, headers=again)
    for error, count in Counter(asked.refused.values()).items():
        telemetry.log("signal_refused", client_id=client_id, reason=error, count=count)


async def _look(request: Request, caller: Receiver, named: str, asked: Asked) -> tuple[Stream, list[Held]]:
    """Read what waits, one more than is wanted; if nothing does, look again until the time is over or nobody listens."""
    wired = needs.parts(request)
    looks = int(wired.durations.long_poll / LOOK_EVERY) if asked.waits else 0
    for left in range(looks, -1, -1):
        with wired.database.read() as tx:
            stream = caller.stream(tx, named)
            found = wired.signals.waiting(tx, stream, asked.most + 1)
        if found or left == 0 or await request.is_disconnected():
            break
        await asyncio.sleep(LOOK_EVERY)
    return stream, found


def _asked(given: Body) -> Asked:
    """Read the request (RFC 8936 §2.2); raises `Wire` (400)."""
    most, at_once = given.get("maxEvents", MOST), given.get("returnImmediately", False)
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise Wire("invalid_request", "maxEvents is a number")
    if not isinstance(at_once, bool):
        raise Wire("invalid_request", "returnImmediately is true or false")
    acknowledged, refused = given.get("ack", []), given.get("setErrs", {})
    if not isinstance(acknowledged, list) or not isinstance(refused, dict):
        raise Wire("invalid_request", "ack is a list, setErrs an object")
    if len(acknowledged) + len(refused) > MOST_ACKNOWLEDGED or not all(map(_is_jti, [*acknowledged, *refused])):
        raise Wire("invalid_request", f"ack and setErrs name at most {MOST_ACKNOWLEDGED} events")
    said = {jti: _error(problem) for jti, problem in refused.items()}
    return Asked(tuple(acknowledged), said, min(most, MOST), waits=not at_once and most > 0)


def _is_jti(given: Any) -> bool:
    return isinstance(given, str) and 1 <= len(given) <= MAX_JTI


def _error(problem: Any) -> str:
    """The receiver's error as a word that may be logged."""
    if not isinstance(problem, dict) or not isinstance(problem.get("err"), str):
        raise Wire("invalid_request", "setErrs says for each event what is wrong with it: err")
    said: str = problem["err"]
    return said if said in ERRORS else "other"
