"""What the doctor knows of an installation: plain values, gathered elsewhere, judged elsewhere. Times in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.clients.metadata import ClientMetadata
from broker.publication import Publication
from broker.publication_failure import Failure
from keys.sources.sealed import Schedule, StoredKey

#: `fatal`: the server refuses to start; `fail`: it must be mended, and serving goes on meanwhile.
Status = Literal["pass", "warn", "fail", "fatal", "not looked at"]
Kind = Literal["secret", "secret folder", "database"]
NOBODY = "nobody answers"  # why there was no handshake


@dataclass(frozen=True)
class Verdict:
    """What one check found: how it stands, the finding in one sentence, and what mends it in plain words."""

    status: Status
    finding: str
    fix: str = ""


def unseen(what: str, fix: str) -> Verdict:
    """Say that something could not be looked at: never that it is right, never that it is wrong."""
    return Verdict("not looked at", f"{what} not looked at", fix)


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
    checkpoint: float = 2.0
    person_keys: str = ""


@dataclass(frozen=True)
class Stored:
    """The database; `problem` says why it could not be read, and then nothing else is known (`unsafe`: our own refusal).

    `mode` is the one the database was initialised in, None when that was not recorded; `settings` are those in force in the
    sessions a worker has; `round_trip` in milliseconds; `server_clock` what the database's own clock said at `asked_at`;
    `newest_entry` the time of the ledger's last entry; `ledger` why the ledger cannot be continued, `publication`
    how far it is published and `publication_failure` why it last was not; `keys_open` whether the root keyring opens
    every sealed key; `month_keys` the files that wrap what is sealed for persons; `personas` how many invented people can
    sign in, None when that could not be counted; `dead_letters` how many letters to agencies were given up.
    """

    problem: str | None = None
    unsafe: bool = False
    dialect: str = ""
    revision: str | None = None
    newest_revision: str = ""
    issuer: str | None = None
    mode: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    round_trip: float = 0.0
    server_clock: int | None = None
    asked_at: int = 0
    newest_entry: int = 0
    ledger: str | None = None
    publication: Publication | None = None
    publication_failure: Failure | None = None
    keys: tuple[StoredKey, ...] = ()
    keys_open: bool = True
    month_keys: tuple[str, ...] = ()
    personas: int | None = 0
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
    makes flushing do nothing; `shut` are folders that cannot be written to; `month_keys` the names of the key files in the
    folder of the keys of persons, None when there is no such folder; `unreadable` are files that the settings name and that
    cannot be read; `newest_file` is when the database's or the ledger's files last changed, by this machine's clock then.
    """

    clock_synchronised: bool | None
    clock_error: float  # seconds, the kernel's own estimate of the most it can be off
    filesystem: str
    flushes: tuple[float, ...]
    unflushed: str | None
    free: int  # bytes
    total: int  # bytes
    files: tuple[File, ...]
    shut: tuple[str, ...] = ()
    month_keys: tuple[str, ...] | None = ()
    unreadable: tuple[str, ...] = ()
    newest_file: int = 0


@dataclass(frozen=True)
class Roots:
    """The root keyring: why it cannot be used, or why its secret is none."""

    problem: str | None = None
    weak: str | None = None


@dataclass(frozen=True)
class Declared:
    """The operator's declarations: whether their folder is there, and what is wrong in which file and line of it."""

    folder: str = ""
    missing: bool = False
    faults: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()


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
    roots: Roots = Roots()
    declared: Declared = Declared()

    @property
    def production(self) -> bool:
        """Whether real people use this."""
        return self.configured.mode == "production"

    @property
    def announced(self) -> bool:
        """Whether the metadata was got as it is served."""
        return self.served.metadata.problem is None and isinstance(self.served.metadata.body, dict)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata as served, or else as it would be."""
        body: Mapping[str, Any] = self.served.metadata.body
        return body if self.announced else self.computed
