"""A client's public keys: inline, or behind its `jwks_uri` and kept for a while (RFC 7591 §2, OpenID Connect Core §10.1.1).

1. An address is fetched once at a time, whoever waits for it, and after a failure not again for `PAUSE`.
2. Whoever's key is in a set that still serves waits for no fetch that somebody else set off.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.clients import fetch_failure
from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused
from keys import errors as keys_errors
from keys import jwk
from keys.jwk import KeySet

SECOND = 1_000_000  # microseconds
KEPT = 300 * SECOND  # how long a fetched set serves without asking again
TRUSTED = 3600 * SECOND  # how long it still serves while its address does not answer
ANY = ""  # a `kid` that no key has: who asks looks for whatever key fits, not for one by name
PAUSE = (
    15 * SECOND
)  # at most one fetch of an address in this time, whoever asks with whatever `kid`, also after a failure
MAX_BYTES = 128 * 1024
REMEMBERED = 10_000  # sets, registered and fetched ones each, kept parsed in a process
TIMEOUT = 5.0  # seconds
MEDIA_TYPES = ("application/jwk-set+json", "application/json")


class NoKeys(Exception):
    """The client's keys cannot be had now; the message says why, in words for the client's developer."""


@dataclass(frozen=True)
class _Fetched:
    """What an address gave, at what time, and when it was last tried; `problem` is why the last try failed, if it did."""

    keys: KeySet | None
    at: int
    tried: int
    problem: str = ""


class KeySets:
    """The key sets of all clients; fetched ones are remembered in the process, being public and slow to change."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._fetched: dict[str, _Fetched] = {}
        self._inline: dict[str, tuple[ClientMetadata, KeySet]] = {}
        self._fetching: dict[str, asyncio.Task[_Fetched]] = {}

    async def of(self, client: ClientMetadata, kid: str | None, now: int, *, certificate: str | None = None) -> KeySet:
        """Return the client's keys, asking again for an unknown `kid` or `certificate`, or an old set; `now` in microseconds.

        A rotation is thus seen at once, and a stranger's `kid`s cause one fetch in `PAUSE`, not more. Raises `NoKeys`.
        """
        if client.jwks is not None:
            return self._registered(client, client.jwks)
        address = client.jwks_uri or ""
        known = self._fetched.get(address)
        if known is None or _worth_asking(known, kid, certificate, now):
            under_way = address in self._fetching
            if not (under_way and known is not None and _serves(known, kid, certificate, now)):
                known = await self._ask(address, now)
        if known.keys is None or now - known.at > TRUSTED:
            raise NoKeys(known.problem)
        return replace(known.keys, trouble=known.problem) if known.problem else known.keys

    def _registered(self, client: ClientMetadata, jwks: Mapping[str, Any]) -> KeySet:
        """The keys in a client's registration, parsed once for this very object, which never changes."""
        known = self._inline.get(client.client_id)
        if known is None or known[0] is not client:
            if len(self._inline) >= REMEMBERED:
                self._inline.clear()
            known = self._inline[client.client_id] = client, jwk.parse_set(jwks)
        return known[1]

    async def _ask(self, address: str, now: int) -> _Fetched:
        """Fetch an address, or wait for whoever does already; the fetch goes on when one who waits is gone."""
        task = self._fetching.get(address)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._fetching[address] = asyncio.create_task(self._renew(address, now))
        return await asyncio.shield(task)

    async def _renew(self, address: str, now: int) -> _Fetched:
        known = self._fetched.get(address)
        try:
            found = _Fetched(await self._fetch(address), now, now)
        except EgressRefused as refused:
            if refused.reason == "busy":  # of ours, not of the address: nothing is remembered of it
                return _failed(known, f"the jwks_uri was not read: {fetch_failure.sentence(refused)}", now)
            found = _failed(known, f"the jwks_uri cannot be used: {fetch_failure.sentence(refused)}", now)
        except keys_errors.InvalidKey as refused:
            found = _failed(known, f"the jwks_uri cannot be used: its answer is {refused}", now)
        finally:
            self._fetching.pop(address, None)
        if len(self._fetched) >= REMEMBERED:
            self._fetched.clear()
        self._fetched[address] = found
        return found

    async def _fetch(self, address: str) -> KeySet:
        reply = await self._egress.request(
            "GET", address, max_bytes=MAX_BYTES, timeout=TIMEOUT, media_types=MEDIA_TYPES
        )
        if reply.status != 200:
            raise EgressRefused("unreachable")
        return jwk.parse_set(reply.content)


def _failed(known: _Fetched | None, problem: str, now: int) -> _Fetched:
    """What is remembered of a failure: the set there was, which may serve a while longer, and why there is no newer one."""
    return _Fetched(None, 0, now, problem) if known is None else _Fetched(known.keys, known.at, now, problem)


def _worth_asking(known: _Fetched, kid: str | None, certificate: str | None, now: int) -> bool:
    """Whether the set is old, or lacks the key or certificate asked for; never twice within the pause."""
    if now - known.tried < PAUSE:
        return False
    return now - known.at >= KEPT or not _lists(known, kid, certificate)


def _serves(known: _Fetched, kid: str | None, certificate: str | None, now: int) -> bool:
    """Whether the set that is there has what is asked for and may still be used."""
    return now - known.at <= TRUSTED and _lists(known, kid, certificate)


def _lists(known: _Fetched, kid: str | None, certificate: str | None) -> bool:
    if known.keys is None:
        return False
    if certificate is not None:
        return certificate in known.keys.certificates
    return kid == ANY or any(key.get("kid") == kid for key in known.keys.keys)
