"""The clients this server knows: read at start from the operator's files (RFC 7591 §2 names, one file a client)."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.egress import Egress
from keys import errors as keys_errors
from keys import jwk
from keys.jwk import KeySet

Client = ClientMetadata


class BadClient(Exception):
    """A client's file cannot be used; the message names the file and what is wrong in it."""


class Registry:
    """All registered clients by id, with where their keys come from."""

    def __init__(self, clients: Iterable[Client], key_sets: KeySets) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._key_sets = key_sets

    @classmethod
    def load(cls, config_dir: Path, egress: Egress) -> "Registry":
        """Read `clients/*.toml` below the folder of declarations; raises `BadClient`."""
        return cls([_read(path) for path in sorted((config_dir / "clients").glob("*.toml"))], KeySets(egress))

    def get(self, client_id: str) -> Client | None:
        """Return a client, also a disabled one: who asks decides what that means to them."""
        return self._clients.get(client_id)

    def active(self, client_id: str) -> Client | None:
        """Return a client that may act now; None for an unknown and for a disabled one, told apart by nobody outside."""
        client = self._clients.get(client_id)
        return None if client is None or client.disabled else client

    def all(self) -> tuple[Client, ...]:
        """Return every client, by id."""
        return tuple(self._clients[client_id] for client_id in sorted(self._clients))

    async def keys_of(self, client: Client, kid: str | None, now: int) -> KeySet:
        """Return the keys that may have signed for a client; raises `key_sets.NoKeys`."""
        return await self._key_sets.of(client, kid, now)


def _read(path: Path) -> Client:
    try:
        client = ClientMetadata.model_validate(tomllib.loads(path.read_text("utf-8")))
        if client.jwks is not None:
            jwk.parse_set(client.jwks)
    except (OSError, ValueError, keys_errors.InvalidKey) as problem:
        raise BadClient(f"clients/{path.name}: {_what(problem)}") from problem
    if client.client_id != path.stem:
        raise BadClient(f"clients/{path.name}: the file is named after another client than {client.client_id}")
    return client


def _what(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or 'the file'}: {error['msg']}"
        for error in problem.errors(include_url=False, include_input=False)
    )
