"""Who calls the shared signals endpoints: a client with a token for itself, and what it sends (SSF 1.0 §8, RFC 6750 §3.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import caller, needs, parameters
from broker.answers import Raw
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.notices import streams
from broker.notices.streams import Stream
from broker.tokens import dpop, standing
from broker.tokens.presented import Presented

JSON = "application/json"
MAX_STREAM_ID = 100  # characters
MAX_BODY = 16 * 1024  # what a receiver says waits in a row of its stream
MAY_READ, MAY_MANAGE = frozenset(streams.SCOPES), frozenset({streams.MANAGE})
Body = dict[str, Any]


@dataclass(frozen=True)
class Receiver:
    """A client whose token allows what it asks for; `headers` go with every answer."""

    client: Client
    presented: Presented
    headers: dict[str, str]

    def admit(self, tx: Tx) -> None:
        """Let the proof count once; raises `replay.Replayed` (401)."""
        self.presented.spend(tx)

    def stream(self, tx: Tx, stream_id: str, *, change: bool = False) -> Stream:
        """Find a stream of this client by its id; raises `Wire` (404), also for another's."""
        found = streams.find(tx, self.client.client_id, stream_id, change=change)
        if found is None:
            raise Wire("not_found", "there is no such stream", status=404)
        return found

    def empty(self, status: int = 204) -> Raw:
        """Answer without a body."""
        return Raw(b"", JSON, status, self.headers)


def who(request: Request, path: str, allowed: Collection[str]) -> Receiver:
    """Verify the token of a call to `path`; one of the scope values `allowed` must be in it.

    Raises `Wire`: 401 `invalid_token`, also for a token about a person, 403 `insufficient_scope`.
    """
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, path, now, own=True)
    client = wired.registry.active(shown.token.client_id)
    with wired.database.read() as tx:
        revoked = standing.is_revoked(tx, shown.token.jti)
    if client is None or revoked:
        raise Wire(standing.DEAD.code, standing.DEAD.description, status=standing.DEAD.status)
    nonce = dpop.offer(ring, now) if shown.proof is not None else {}
    if not set(allowed) & set(shown.token.scope):
        needed = " ".join(sorted(allowed))
        said = {"WWW-Authenticate": f'{shown.token.scheme} error="insufficient_scope", scope="{needed}"', **nonce}
        raise Wire("insufficient_scope", "the token has not the scope for this", status=403, headers=said)
    return Receiver(client, shown, {"Cache-Control": "no-store", **nonce})


async def body(request: Request) -> Body:
    """Read a JSON object; raises `Malformed` (400), or 415 for what says that it is something else."""
    kind = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if kind != JSON:
        raise Wire("invalid_request", f"the content type must be {JSON}", status=415)
    content = await parameters.body(request, limit=MAX_BODY)
    try:
        given = parameters.structure(content.decode("utf-8"), "the body")
    except UnicodeDecodeError as problem:
        raise Wire("invalid_request", "the body is not UTF-8") from problem
    if not isinstance(given, dict):
        raise Wire("invalid_request", "the body is not a JSON object")
    return given


def stream_id(given: object) -> str:
    """Read the id of a stream; raises `Wire` (400) when there is none."""
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_STREAM_ID:
        raise Wire("invalid_request", "stream_id is needed")
    return given
