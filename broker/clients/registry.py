"""The clients this server knows: the operator's files, and those that registered themselves (RFC 7591 §2)."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from broker import telemetry
from broker.clients import mutual_tls, profile, registered, software
from broker.clients.key_sets import KeySets
from broker.clients.metadata import NO_SECTOR, ClientMetadata
from broker.clients.mutual_tls import MutualTls
from broker.clients.software import Registration
from broker.database import Database
from broker.egress import Egress
from keys import errors as keys_errors
from keys import jwk
from keys.jwk import KeySet

Client = ClientMetadata
OWN_ORIGIN = "no client stands at this server's own origin"
REMEMBERED = 10_000  # registered clients kept parsed in a process


class BadClient(Exception):
    """A client's file cannot be used; the message names the file and what is wrong in it."""


class Registry:
    """All clients by id, from files and registered ones alike, with where their keys come from.

    Files are read at start; a registered client's row at every question, parsed again only when its version changed, so
    that a change made by one process is in force in all of them at once. `mode` is the installation's.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        key_sets: KeySets,
        *,
        mode: str = "production",
        database: Database | None = None,
        registration: Registration | None = None,
        mutual_tls: MutualTls | None = None,
        own: Iterable[str] = (),
    ) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._key_sets = key_sets
        self._mode = mode
        self._database = database
        self.registration = registration or Registration()
        self.mutual_tls = mutual_tls
        self.own = tuple(origin for origin in own if origin)
        self._admitted: dict[str, Client] = {}
        self._parsed: dict[str, tuple[int, Client]] = {}

    @classmethod
    def load(
        cls,
        config_dir: Path,
        egress: Egress,
        *,
        mode: str,
        database: Database | None = None,
        mutual_tls: MutualTls | None = None,
        own: Iterable[str] = (),
    ) -> "Registry":
        """Read `clients/*.toml` below the folder of declarations; raises `BadClient`, also for what `mode` does not allow.

        `database` holds the clients that registered themselves; without it there are none. `mutual_tls` is what the
        operator offers of it, `own` are this server's origins, where no client stands.
        """
        ours = tuple(origin for origin in own if origin)
        try:
            rules = software.load(config_dir)
        except (OSError, ValueError) as problem:
            raise BadClient(f"{software.FILE}: {_what(problem)}") from problem
        paths = sorted((config_dir / "clients").glob("*.toml"))
        files, faults = list[Client](), list[str]()
        for path in paths:
            try:
                files.append(_read(path, mode, mutual_tls, ours))
            except BadClient as problem:
                faults.append(str(problem))
        if faults:
            raise BadClient("\n".join(faults))
        return cls(
            files,
            KeySets(egress),
            mode=mode,
            database=database,
            registration=rules,
            mutual_tls=mutual_tls,
            own=ours,
        )

    def get(self, client_id: str) -> Client | None:
        """Return a client, also a disabled one: who asks decides what that means to them."""
        return self._clients.get(client_id) or self._registered(client_id)

    def _registered(self, client_id: str) -> Client | None:
        if self._database is None or not registered.ID.fullmatch(client_id):
            return None
        with self._database.read() as tx:
            stored = registered.find(tx, client_id)
        if stored is None:
            self._parsed.pop(client_id, None)
            return None
        known = self._parsed.get(client_id)
        if known is None or known[0] != stored.version:
            client = _accepted(stored)
            if client is None:
                return None
            if len(self._parsed) >= REMEMBERED:
                self._parsed.clear()
                self._admitted.clear()
            known = self._parsed[client_id] = stored.version, client
        return known[1]

    def active(self, client_id: str) -> Client | None:
        """Return a client that may act now: known, not disabled, keeping to its profile; why not is told to nobody outside."""
        client = self.get(client_id)
        return client if client is not None and self._admits(client) else None

    def _admits(self, client: Client) -> bool:
        """Whether a client may act; what was found out about this very object, which never changes, is not asked twice."""
        if self._admitted.get(client.client_id) is client:
            return True
        if client.disabled or profile.broken(client, self._mode) or client.at_origin(self.own):
            return False
        self._admitted[client.client_id] = client
        return True

    def all(self) -> tuple[Client, ...]:
        """Return every client, by id."""
        every = dict(self._clients)
        if self._database is not None:
            with self._database.read() as tx:
                found = (_accepted(stored) for stored in registered.every(tx))
                every |= {client.client_id: client for client in found if client is not None}
        return tuple(every[client_id] for client_id in sorted(every))

    async def keys_of(self, client: Client, kid: str | None, now: int, *, certificate: str | None = None) -> KeySet:
        """Return the keys that may have signed for a client, and their certificates; raises `key_sets.NoKeys`."""
        return await self._key_sets.of(client, kid, now, certificate=certificate)


def _accepted(stored: registered.Stored) -> Client | None:
    """The client of a row; none of one that an older program accepted and this one does not, which the log then names."""
    try:
        return stored.client()
    except ValueError as problem:
        telemetry.log("client not accepted", client_id=stored.client_id, reason=_what(problem)[:120])
        return None


def _read(path: Path, mode: str, offered: MutualTls | None, own: tuple[str, ...]) -> Client:
    try:
        declared = tomllib.loads(path.read_text("utf-8"))
        client = ClientMetadata.model_validate(declared)
        if client.jwks is not None:
            jwk.parse_set(client.jwks)
    except (OSError, ValueError, keys_errors.InvalidKey) as problem:
        raise BadClient(f"clients/{path.name}: {_what(problem)}") from problem
    if client.client_id != path.stem:
        raise BadClient(f"clients/{path.name}: the file is named after another client than {client.client_id}")
    if client.lacks_sector(declared):
        raise BadClient(f"clients/{path.name}: redirect_uris: {NO_SECTOR}")
    refused = profile.broken(client, mode)
    if refused:
        raise BadClient(f"clients/{path.name}: {profile.told(refused)}")
    if member := client.at_origin(own):
        raise BadClient(f"clients/{path.name}: {member}: {OWN_ORIGIN}")
    if missing := mutual_tls.lacking(client, offered):
        raise BadClient(f"clients/{path.name}: a client with a certificate needs {missing} (RFC 8705)")
    return client


def _what(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or 'the file'}: {error['msg']}"
        for error in problem.errors(include_url=False, include_input=False)
    )
