"""The conditions under which nothing is served: one list for `semel doctor`, which says them, and `semel serve`, which refuses.

A condition looks at facts alone. Some facts cannot be had (a database that does not answer): then it says nothing, and the
line of the doctor says what was not looked at. What the settings refuse by themselves (`broker/settings.py`,
`broker/lifetimes.py`) is refused before this, by every command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.doctor.facts import Facts
from keys.sources.sealed import WANTED

SECOND = 1_000_000  # microseconds
CLOCK = 8  # seconds clocks may be apart: so far a token's times are believed
FILES = 86_400  # seconds that files may be younger than this machine's clock says it is now
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SHARED = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"})
EVERY = frozenset({"demo", "sandbox", "production"})
PRODUCTION, DEMO, TRIAL = frozenset({"production"}), frozenset({"demo"}), frozenset({"demo", "sandbox"})


@dataclass(frozen=True)
class Condition:
    """Something that must not be: its name, the doctor's line that says it, in which modes, how it is seen, what mends it.

    `seen` gives what is wrong, in one sentence, or None.
    """

    name: str
    line: str
    modes: frozenset[str]
    seen: Callable[[Facts], str | None]
    fix: str


@dataclass(frozen=True)
class Broken:
    """A condition that holds, and what was seen."""

    condition: Condition
    finding: str

    def __str__(self) -> str:
        return f"{self.condition.name}: {self.finding}. To mend it: {self.condition.fix}."


def seen(facts: Facts) -> tuple[Broken, ...]:
    """Return every condition that holds, in the list's order: what must be mended before anything is served."""
    found = ((one, one.seen(facts)) for one in CONDITIONS if facts.configured.mode in one.modes)
    return tuple(Broken(one, finding) for one, finding in found if finding is not None)


def _world(facts: Facts) -> str | None:
    open_ = urlsplit(facts.configured.issuer).hostname not in LOOPBACK
    return "the demo publishes its people's passwords, and the address is not only this machine's" if open_ else None


def _other_mode(facts: Facts) -> str | None:
    made, mode = facts.stored.mode, facts.configured.mode
    return f"the database was initialised in mode {made}, not {mode}" if made not in {None, mode} else None


def _personas(facts: Facts) -> str | None:
    count = facts.stored.personas
    return f"{count} invented people with published passwords can sign in" if count else None


def _declared(facts: Facts) -> str | None:
    declared = facts.declared
    return f"{declared.folder} is not there" if declared.missing else None


def _faults(facts: Facts) -> str | None:
    return "; ".join(facts.declared.faults) or None


def _placeholders(facts: Facts) -> str | None:
    return "; ".join(facts.declared.placeholders) or None


def _loose_files(facts: Facts) -> str | None:
    loose = [file.path for file in facts.machine.files if file.mode & 0o077]
    return f"others on this machine may read {', '.join(loose)}" if loose else None


def _month_keys(facts: Facts) -> str | None:
    """The folder is told from its files: an empty one on a mount that is not there is the commoner fault."""
    there, where = facts.machine.month_keys, facts.configured.person_keys
    if there is None:
        return f"the folder {where} is not there" if facts.stored.month_keys else None
    gone = sorted(set(facts.stored.month_keys) - set(there))
    return f"{where} lacks {', '.join(gone)}, which opens what is kept of persons" if gone else None


def _database(facts: Facts) -> str | None:
    broken = facts.stored.problem is not None and not facts.stored.unsafe
    return f"the database cannot be used: {facts.stored.problem}" if broken else None


def _unsafe(facts: Facts) -> str | None:
    return facts.stored.problem if facts.stored.unsafe else None


def _there(facts: Facts) -> bool:
    """Whether the database could be read at all."""
    return facts.stored.problem is None


def _current(facts: Facts) -> bool:
    return _there(facts) and facts.stored.revision == facts.stored.newest_revision


def _never_made(facts: Facts) -> str | None:
    return "the database was never initialised" if _there(facts) and facts.stored.revision is None else None


def _pending(facts: Facts) -> str | None:
    stored = facts.stored
    if not _there(facts) or stored.revision in {None, stored.newest_revision}:
        return None
    return f"the database stands at {stored.revision}, this program needs {stored.newest_revision}"


def _other_issuer(facts: Facts) -> str | None:
    made, issuer = facts.stored.issuer, facts.configured.issuer
    return f"the database was made for {made}, not for {issuer}" if _current(facts) and made != issuer else None


def _sealed(facts: Facts) -> str | None:
    shut = _current(facts) and facts.roots.problem is None and not facts.stored.keys_open
    return "the root keyring does not open the stored keys" if shut else None


def _unsigned(facts: Facts) -> str | None:
    signing = {(key.purpose, key.alg) for key in facts.stored.keys if key.stage == "signing"}
    missing = [f"{alg} for {purpose}" for purpose, alg in WANTED if (purpose, alg) not in signing]
    return f"no key signs {', '.join(missing)}" if missing and _current(facts) else None


def _set_back(facts: Facts) -> str | None:
    behind = facts.stored.newest_entry / SECOND - facts.now / SECOND
    if _there(facts) and behind > CLOCK:
        return f"this machine's clock was set back: it stands {_long(behind)} behind the ledger's last entry"
    behind = facts.machine.newest_file / SECOND - facts.now / SECOND
    return f"this machine's clock stands {_long(behind)} behind its own files" if behind > FILES else None


def _apart(facts: Facts) -> str | None:
    told = facts.stored.server_clock
    apart = 0.0 if told is None else abs(told - facts.stored.asked_at) / SECOND
    return f"this machine's clock and the database's are {_long(apart)} apart" if apart > CLOCK else None


def _long(seconds: float) -> str:
    """Say how long, in the largest unit that fits twice."""
    units = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
    size, unit = next((one for one in units if seconds >= 2 * one[0]), units[-1])
    return f"{seconds / size:.0f} {unit}"


def _shared_disk(facts: Facts) -> str | None:
    on = facts.machine.filesystem
    lost = on in SHARED and facts.stored.dialect == "sqlite"
    return f"SQLite on a network file system ({on}) loses data" if lost else None


def _unflushed(facts: Facts) -> str | None:
    name = facts.machine.unflushed
    return f"{name} is loaded: nothing that is written is certain to be kept" if name is not None else None


# fmt: off
CONDITIONS: tuple[Condition, ...] = (
    Condition("demo in the world",      "mode",              DEMO,       _world,
              "set SEMEL_MODE=production, or SEMEL_MODE=sandbox for a public trial"),
    Condition("another mode",           "mode",              EVERY,      _other_mode,
              "set SEMEL_MODE as it was at `semel init`, or make a new database with `semel init`"),
    Condition("published passwords",    "mode",              PRODUCTION, _personas,
              "make a new database with SEMEL_MODE=production and `semel init`"),
    Condition("no root keyring",        "root keyring",      EVERY,      lambda facts: facts.roots.problem,
              "give the keyring this installation was made with (SEMEL_KEY_ENCRYPTION_KEY_FILE)"),
    Condition("weak root key",          "root keyring",      EVERY,      lambda facts: facts.roots.weak,
              "make 32 random bytes (`openssl rand`) for a new installation; one that exists must be made anew"),
    Condition("no declarations",        "declarations",      EVERY,      _declared,
              "correct SEMEL_CONFIG_DIR"),
    Condition("faulty declarations",    "declarations",      EVERY,      _faults,
              "correct each named line; `semel config check` lists them one by one"),
    Condition("placeholders",           "declarations",      EVERY,      _placeholders,
              "write the real address or path; only `semel demo` fills placeholders in"),
    Condition("unreadable files",       "named files",       EVERY,      lambda facts: "; ".join(facts.machine.unreadable) or None,
              "correct the setting, or let the user that runs `semel serve` read the file"),
    Condition("open secret files",      "secret files",      EVERY,      _loose_files,
              "take away what others may: chmod 600 for files, chmod 700 for folders"),
    Condition("keys of persons gone",   "keys of persons",   EVERY,      _month_keys,
              "mount or restore SEMEL_PERSON_KEY_DIR; without these files nobody's data can be opened again"),
    Condition("folders shut",           "folders",           EVERY,      lambda facts: "; ".join(facts.machine.shut) or None,
              "let the user that runs `semel serve` own these folders"),
    Condition("database away",          "database",          EVERY,      _database,
              "start the database or correct SEMEL_DATABASE_URL; on a new installation run `semel init`"),
    Condition("unsafe database",        "database settings", EVERY,      _unsafe,
              "change it in postgresql.conf and reload the database; SQLite, and PostgreSQL 15 or newer, are what this runs on"),
    Condition("not initialised",        "database",          EVERY,      _never_made,
              "run `semel init`, once"),
    Condition("pending migrations",     "database",          EVERY,      _pending,
              "run `semel db upgrade`"),
    Condition("another issuer",         "database",          EVERY,      _other_issuer,
              "correct SEMEL_ISSUER or SEMEL_DATABASE_URL: an issuer cannot change"),
    Condition("another keyring",        "signing keys",      EVERY,      _sealed,
              "give the keyring this installation was made with (SEMEL_KEY_ENCRYPTION_KEY_FILE)"),
    Condition("no signing key",         "signing keys",      EVERY,      _unsigned,
              "run `semel keys rotate --revoke` for that purpose: the new key signs at once"),
    Condition("broken ledger",          "ledger",            EVERY,      lambda facts: facts.stored.ledger,
              "stop, keep everything as it is, and find out how it came about before anything is restored"),
    Condition("clock set back",         "clock",             EVERY,      _set_back,
              "set the clock, and run a time service (chrony, systemd-timesyncd) on every machine of the installation"),
    Condition("clocks apart",           "clock",             EVERY,      _apart,
              "run a time service (chrony, systemd-timesyncd) on every machine of the installation"),
    Condition("database on a share",    "flushing",          EVERY,      _shared_disk,
              "put SEMEL_DATA_DIR on a local disk that keeps what it was told to keep"),
    Condition("nothing is flushed",     "flushing",          PRODUCTION, _unflushed,
              "start the program without it"),
)
# fmt: on
