"""To which key of a client an answer is encrypted, where the client registered that (OpenID Connect Core §10.2, RFC 7591 §2)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from broker.clients.key_sets import ANY, NoKeys
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.errors import Wire
from keys import jwe
from keys.jwe import Recipient

Answer = Literal["id_token", "userinfo", "authorization", "introspection"]
NO_KEY = "the client has no key that its answer can be encrypted to"


async def of(registry: Registry, client: ClientMetadata, answer: Answer, now: int) -> Recipient | None:
    """Return the recipient of a client's answers of a kind; None where it registered none. `now` in microseconds.

    Nothing is sent in clear instead: `Wire` `invalid_request` when the client's keys cannot be had, or none of them fits.
    """
    alg, enc = client.encryption(answer)
    if alg is None or enc is None:
        return None
    try:
        keys = await registry.keys_of(client, ANY, now)
    except NoKeys as problem:
        raise Wire("invalid_request", f"{NO_KEY}: {problem}") from problem
    key = keys.recipient(alg, jwe.ALGS[alg])
    if key is None:
        raise Wire("invalid_request", NO_KEY)
    return Recipient(alg, enc, dict(key))


async def of_response(registry: Registry, client: ClientMetadata, now: int) -> dict[str, Any] | None:
    """Return the recipient of a client's authorization responses as members, to be kept with its request (JARM §3)."""
    to = await of(registry, client, "authorization", now)
    return None if to is None else asdict(to)
