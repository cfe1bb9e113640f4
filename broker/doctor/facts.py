"""What the doctor knows of an installation: plain values, gathered elsewhere, judged elsewhere. Times in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.clients.metadata import ClientMetadata
from keys.sources.sealed import Schedule, StoredKey

Status = Literal["pass", "warn", "fail"]
Kind = Literal["secret", "secret folder", "database"]
NOBODY = "nobody answers"  # why there was no handshake


@dataclass(frozen=True)
class Verdict:
    """What one check found: how it stands, the finding in one sentence, and what mends it in plain words."""

    status: Status
    finding: str
    fix: str = ""


@dataclass(frozen=True)
class Configured:
    """What the operator's settings say. Durations in seconds."""

    issuer: str
    mode: str
    code: int
    token: int
    pushed_request: int
    session_idle: int
    schedule: Schedule
    trusted_proxies: tuple[str, ...]
    egress_allow: tuple[str, ...]
    client_egress_allow: tuple[str, ...]
    legacy: tuple[str, ...]  # names of the settings with `legacy` in them that are on
    person_keys_beside_database: bool


@dataclass(frozen=True)
class Stored:
    """The database; `problem` says why it could not be read, and then nothing else is known (`unsafe`: our own refusal).

    `settings` are those in force in the sessions a worker has; `round_trip` in milliseconds; `server_clock` what the
    database's own clock said at `asked_at`; `newest_entry` the time of the ledger's last entry; `keys_open` whether the
    root keyring opens every sealed key; `personas` how many invented people can sign in; `dead_letters` how many letters to
    agencies were given up.
    """

    problem: str | None = None
    unsafe: bool = False
    dialect: str = ""
    revision: str | None = None
    newest_revision: str = ""
    issuer: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    round_trip: float = 0.0
    server_clock: int | None = None
    asked_at: int = 0
    newest_entry: int = 0
    keys: tuple[StoredKey, ...] = ()
    keys_open: bool = True
    personas: int = 0
    dead_letters: int = 0


@dataclass(frozen=True)
class File:
    """A file or folder that only this program's user may read."""

    path: str
    kind: Kind
    mode: int
    ours: bool


@dataclass(frozen=True)
class Machine:
    """The machine: its clock as the kernel sees it (None: the kernel does not tell), the data folder's disk, file modes.

    `flushes`: milliseconds of each of a few written and flushed blocks; `unflushed` names a library in this process that
    makes flushing do nothing.
    """

    clock_synchronised: bool | None
    clock_error: float  # seconds, the kernel's own estimate of the most it can be off
    filesystem: str
    flushes: tuple[float, ...]
    unflushed: str | None
    free: int  # bytes
    total: int  # bytes
    files: tuple[File, ...]


@dataclass(frozen=True)
class Handshake:
    """TLS as the issuer's address speaks it; `problem` when no handshake succeeded, `weak` a version and suite it should refuse."""

    problem: str | None = None
    version: str = ""
    days_left: float = 0.0
    weak: str | None = None


@dataclass(frozen=True)
class Answer:
    """One thing that was fetched from the issuer, as anyone outside gets it; `problem` when nothing came."""

    problem: str | None = None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None  # parsed where it is JSON


@dataclass(frozen=True)
class Served:
    """What the issuer's address serves: its metadata, its keys, a page; `asked_at` when; TLS where it is https."""

    metadata: Answer
    keys: Answer
    page: Answer
    asked_at: int
    tls: Handshake | None


@dataclass(frozen=True)
class Clients:
    """Every client; `problem` when the declarations cannot be read."""

    problem: str | None = None
    all: tuple[ClientMetadata, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything the checks look at; `computed` is the metadata this program would serve."""

    now: int
    configured: Configured
    stored: Stored
    machine: Machine
    served: Served
    clients: Clients
    computed: Mapping[str, Any]

    @property
    def production(self) -> bool:
        """Whether real people use this."""
        return self.configured.mode == "production"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata as served, or else as it would be."""
        body = self.served.metadata.body
        return body if self.served.metadata.problem is None and isinstance(body, dict) else self.computed
