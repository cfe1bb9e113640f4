"""The clients this server knows: read at start from the operator's files (RFC 7591 §2 names, one file a client)."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from broker.clients import profile
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
    """All registered clients by id, with where their keys come from; `mode` is the installation's."""

    def __init__(self, clients: Iterable[Client], key_sets: KeySets, *, mode: str = "production") -> None:
        self._clients = {client.client_id: client for client in clients}
        self._key_sets = key_sets
        self._mode = mode
        self._admitted: dict[str, Client] = {}

    @classmethod
    def load(cls, config_dir: Path, egress: Egress, *, mode: str) -> "Registry":
        """Read `clients/*.toml` below the folder of declarations; raises `BadClient`, also for what `mode` does not allow."""
        paths = sorted((config_dir / "clients").glob("*.toml"))
        return cls([_read(path, mode) for path in paths], KeySets(egress), mode=mode)

    def get(self, client_id: str) -> Client | None:
        """Return a client, also a disabled one: who asks decides what that means to them."""
        return self._clients.get(client_id)

    def active(self, client_id: str) -> Client | None:
        """Return a client that may act now: known, not disabled, keeping to its profile; why not is told to nobody outside."""
        client = self._clients.get(client_id)
        return client if client is not None and self._admits(client) else None

    def _admits(self, client: Client) -> bool:
        """Whether a client may act; what was found out about this very object, which never changes, is not asked twice."""
        if self._admitted.get(client.client_id) is client:
            return True
        if client.disabled or profile.broken(client, self._mode):
            return False
        self._admitted[client.client_id] = client
        return True

    def all(self) -> tuple[Client, ...]:
        """Return every client, by id."""
        return tuple(self._clients[client_id] for client_id in sorted(self._clients))

    async def keys_of(self, client: Client, kid: str | None, now: int) -> KeySet:
        """Return the keys that may have signed for a client; raises `key_sets.NoKeys`."""
        return await self._key_sets.of(client, kid, now)


def _read(path: Path, mode: str) -> Client:
    try:
        client = ClientMetadata.model_validate(tomllib.loads(path.read_text("utf-8")))
        if client.jwks is not None:
            jwk.parse_set(client.jwks)
    except (OSError, ValueError, keys_errors.InvalidKey) as problem:
        raise BadClient(f"clients/{path.name}: {_what(problem)}") from problem
    if client.client_id != path.stem:
        raise BadClient(f"clients/{path.name}: the file is named after another client than {client.client_id}")
    refused = profile.broken(client, mode)
    if refused:
        raise BadClient(f"clients/{path.name}: {profile.told(refused)}")
    return client


def _what(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or 'the file'}: {error['msg']}"
        for error in problem.errors(include_url=False, include_input=False)
    )
