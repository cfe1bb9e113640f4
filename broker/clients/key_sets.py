"""A client's public keys: inline, or behind its `jwks_uri` and kept for a while (RFC 7591 §2, OpenID Connect Core §10.1.1)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused
from keys import errors as keys_errors
from keys import jwk
from keys.jwk import KeySet

SECOND = 1_000_000  # microseconds
KEPT = 300 * SECOND  # how long a fetched set serves without asking again
TRUSTED = 3600 * SECOND  # how long it still serves while its address does not answer
ANY = ""  # a `kid` that no key has: who asks looks for whatever key fits, not for one by name
PAUSE = 15 * SECOND  # at most one fetch for a client in this time, whoever asks with whatever `kid`
MAX_BYTES = 128 * 1024
REMEMBERED = 10_000  # registered sets kept parsed in a process
TIMEOUT = 5.0  # seconds
MEDIA_TYPES = ("application/jwk-set+json", "application/json")


_Whose = tuple[str, str]  # client id, address of its keys


class NoKeys(Exception):
    """The client's keys cannot be had now: its address does not answer, or answers with something else."""


@dataclass(frozen=True)
class _Fetched:
    keys: KeySet
    at: int
    tried: int


class KeySets:
    """The key sets of all clients; fetched ones are remembered in the process, being public and slow to change."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._fetched: dict[_Whose, _Fetched] = {}
        self._inline: dict[str, tuple[ClientMetadata, KeySet]] = {}
        self._asking: dict[_Whose, asyncio.Lock] = {}

    async def of(self, client: ClientMetadata, kid: str | None, now: int, *, certificate: str | None = None) -> KeySet:
        """Return the client's keys, asking again for an unknown `kid` or `certificate`, or an old set; `now` in microseconds.

        A rotation is thus seen at once, and a stranger's `kid`s cause one fetch in `PAUSE`, not more. Raises `NoKeys`.
        """
        if client.jwks is not None:
            return self._registered(client, client.jwks)
        whose = client.client_id, client.jwks_uri or ""  # a client that moves its keys starts anew
        async with self._asking.setdefault(whose, asyncio.Lock()):
            known = self._fetched.get(whose)
            if known is not None and not _worth_asking(known, kid, certificate, now):
                return known.keys
            return await self._ask(whose, known, now)

    def _registered(self, client: ClientMetadata, jwks: Mapping[str, Any]) -> KeySet:
        """The keys in a client's registration, parsed once for this very object, which never changes."""
        known = self._inline.get(client.client_id)
        if known is None or known[0] is not client:
            if len(self._inline) >= REMEMBERED:
                self._inline.clear()
            known = self._inline[client.client_id] = client, jwk.parse_set(jwks)
        return known[1]

    async def _ask(self, whose: _Whose, known: _Fetched | None, now: int) -> KeySet:
        try:
            keys = await self._fetch(whose[1])
        except (EgressRefused, keys_errors.InvalidKey) as problem:
            if known is None or now - known.at > TRUSTED:
                raise NoKeys("the key set cannot be fetched") from problem
            self._fetched[whose] = _Fetched(known.keys, known.at, now)
            return known.keys
        self._fetched[whose] = _Fetched(keys, now, now)
        return keys

    async def _fetch(self, address: str) -> KeySet:
        reply = await self._egress.request(
            "GET", address, max_bytes=MAX_BYTES, timeout=TIMEOUT, media_types=MEDIA_TYPES
        )
        if reply.status != 200:
            raise EgressRefused("unreachable")
        return jwk.parse_set(reply.content)


def _worth_asking(known: _Fetched, kid: str | None, certificate: str | None, now: int) -> bool:
    """Whether the set is old, or lacks the key or certificate asked for; never twice within the pause."""
    if now - known.tried < PAUSE:
        return False
    if certificate is None:
        listed = kid == ANY or any(key.get("kid") == kid for key in known.keys.keys)
    else:
        listed = certificate in known.keys.certificates
    return now - known.at >= KEPT or not listed
