"""What is kept and where: database, flushing, disk, file modes, signing keys (RFC 7517 §5)."""

from __future__ import annotations

from statistics import median

from broker.doctor.deployment import UNSEEN
from broker.doctor.facts import Facts, Verdict, unseen
from keys.sources.sealed import StoredKey

SECOND = 1_000_000  # microseconds
DAY = 86_400
SLACK = 3600  # seconds the clockwork may be late
ROUND_TRIP_WARN, ROUND_TRIP_FAIL = 2.0, 20.0  # milliseconds
INSTANT = 0.02  # milliseconds: no disk that keeps anything is this fast
FREE_WARN, FREE_FAIL = 0.15, 0.03  # of the disk
FREE_BYTES = 1 << 30
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
FIRST = "see the line `database` first"

#: What our sessions on PostgreSQL must run with: the setting, the values that will do, and what is lost otherwise.
POSTGRESQL = {
    "fsync": (("on",), "an answered release could be lost with the power"),
    "full_page_writes": (("on",), "a torn page could not be mended after a crash"),
    "synchronous_commit": (
        ("on", "remote_apply", "remote_write", "local"),
        "an answered release could be lost in a crash",
    ),
    "statement_timeout": (("2s",), "one slow statement holds a worker"),
    "lock_timeout": (("100ms",), "one waiting statement holds a worker"),
    "idle_in_transaction_session_timeout": (("5s",), "a lost worker keeps its locks"),
}
SQLITE = {
    "journal_mode": (("wal",), "readers and the writer wait for each other"),
    "foreign_keys": (("1",), "rows may point to nothing"),
}


def roots(facts: Facts) -> Verdict:
    """Whether what all secrets hang on is there, and is a secret; a broken condition says so before this is asked."""
    del facts
    return Verdict("pass", "the root keyring is there, and is no pattern")


def declarations(facts: Facts) -> Verdict:
    """Whether the operator's files can be used, all of them."""
    return Verdict("pass", f"every file of {facts.declared.folder} can be used")


def named_files(facts: Facts) -> Verdict:
    """Whether the files that the settings name can be read."""
    del facts
    return Verdict("pass", "whatever the settings name can be read")


def folders(facts: Facts) -> Verdict:
    """Whether the server may write where it must."""
    del facts
    return Verdict("pass", "data, published ledger and keys of persons can be written")


def keys_of_persons(facts: Facts) -> Verdict:
    """Whether everything that is sealed for persons can still be opened."""
    if not _known(facts):
        return unseen("which keys of persons are needed was", FIRST)
    return Verdict("pass", f"{len(facts.stored.month_keys)} files, all there")


def _known(facts: Facts) -> bool:
    """Whether what is stored could be read: the database answers, and stands at this version."""
    return facts.stored.problem is None and facts.stored.revision == facts.stored.newest_revision


def database(facts: Facts) -> Verdict:
    """Whether the database is there, is this installation's, and stands at this version."""
    stored = facts.stored
    if stored.unsafe:
        return unseen("the database was", "see the line `database settings` first")
    return Verdict("pass", f"{stored.dialect}, at {stored.revision}")


def ledger(facts: Facts) -> Verdict:
    """Whether the ledger can be continued, and whether what is entered is also signed and published, soon."""
    standing = facts.stored.publication
    if standing is None:
        return unseen("the ledger was", FIRST)
    late, failure = standing.late(facts.now, facts.configured.checkpoint), facts.stored.publication_failure
    if late is not None:
        running = facts.served.metadata.problem is None
        return Verdict(
            "fail" if running else "warn",
            f"{standing.size - min(standing.signed, standing.public or 0)} entries are not published, for {late:.0f} s"
            + (f": {failure.cause}" if failure is not None else ""),
            "keep a server running, look in its log for the event `publish`, and at the folder `ledger` in SEMEL_DATA_DIR",
        )
    if failure is not None:
        return Verdict(
            "warn",
            f"the last publication failed: {failure.cause}",
            "mend the cause: the server tries again by itself, and this line is gone once it succeeds",
        )
    if standing.public is None:
        return unseen("the published checkpoint was", "start the server, which publishes it")
    return Verdict("pass", f"{standing.size} entries, {standing.public} published")


def database_settings(facts: Facts) -> Verdict:
    """Whether what the database promises is what the ledger needs."""
    stored = facts.stored
    if stored.problem is not None or not stored.settings:
        return unseen("the database's settings were", FIRST)
    wanted = SQLITE if stored.dialect == "sqlite" else POSTGRESQL
    for name, (good, otherwise) in wanted.items():
        value = stored.settings.get(name, "")
        if value not in good:
            return Verdict(
                "fail",
                f"{name} is {value or 'not known'}: {otherwise}",
                f"set {name} to {good[0]}; where a pooler stands between, let it pass on what our sessions ask for",
            )
    if stored.settings.get("superuser") == "on":
        return Verdict(
            "warn",
            "the program is the database's superuser: it could switch off what keeps the ledger unchanged",
            "give it a role of its own that owns its database and nothing else",
        )
    return Verdict("pass", "as the ledger needs them")


def round_trip(facts: Facts) -> Verdict:
    """Whether the database is near: a batch of the ledger takes about seven round trips under its lock."""
    if facts.stored.problem is not None:
        return unseen("the way to the database was", FIRST)
    taken = facts.stored.round_trip
    if taken > ROUND_TRIP_WARN:
        return Verdict(
            "fail" if taken > ROUND_TRIP_FAIL else "warn",
            f"a question to the database takes {taken:.1f} ms; every decision waits for about seven",
            "run the workers in the same site as the primary database",
        )
    return Verdict("pass", f"{taken:.2f} ms to the database and back")


def flushing(facts: Facts) -> Verdict:
    """Whether what is flushed is really on a disk."""
    machine = facts.machine
    fix = "put SEMEL_DATA_DIR on a local disk that keeps what it was told to keep"
    if machine.unflushed is not None:
        return Verdict("fail", f"{machine.unflushed} is loaded: nothing is flushed", "start the program without it")
    if machine.filesystem in IN_MEMORY:
        return Verdict(
            "fail" if facts.production else "warn", f"the data folder is in memory ({machine.filesystem})", fix
        )
    if not machine.flushes:
        return unseen("how long a flush takes was", "let the user that runs `semel serve` own SEMEL_DATA_DIR")
    if median(machine.flushes) < INSTANT:
        return Verdict("warn", f"a flush takes {median(machine.flushes) * 1000:.0f} µs: no disk is that fast", fix)
    return Verdict("pass", f"a flush takes {median(machine.flushes):.2f} ms on {machine.filesystem}")


def disk(facts: Facts) -> Verdict:
    """Whether there is room: a full disk stops the ledger, and with it every release."""
    machine = facts.machine
    share = machine.free / max(machine.total, 1)
    if share < FREE_WARN and (share < FREE_FAIL or machine.free < FREE_BYTES):
        critical = share < FREE_FAIL and machine.free < FREE_BYTES
        return Verdict(
            "fail" if critical else "warn",
            f"{machine.free >> 20} MiB are free on the data folder's disk ({share:.0%})",
            "make room or a larger disk: without room nothing can be entered, so nothing is released",
        )
    return Verdict("pass", f"{machine.free >> 20} MiB free ({share:.0%})")


def secret_files(facts: Facts) -> Verdict:
    """Whether nobody else on this machine can read keys and data."""
    if not facts.machine.files:
        return unseen("no file with a secret is there yet, so none was", "run `semel init`, once")
    foreign = [file.path for file in facts.machine.files if not file.ours]
    if foreign:
        return Verdict(
            "warn", f"another user owns {', '.join(foreign)}", "let the user that runs `semel serve` own them"
        )
    if facts.production and facts.configured.person_keys_beside_database:
        return Verdict(
            "warn",
            "the keys of persons lie beside the database: a backup of both together brings erased people back",
            "set SEMEL_PERSON_KEY_DIR to a folder of its own, and back it up apart",
        )
    return Verdict("pass", f"{len(facts.machine.files)} files and folders are this user's alone")


def signing_keys(facts: Facts) -> Verdict:
    """Whether each algorithm has its one key that signs, none too old, and the clockwork turns."""
    stored, schedule = facts.stored, facts.configured.schedule
    if not _known(facts):
        return unseen("the keys were", FIRST)
    signing = {(key.purpose, key.alg): key for key in stored.keys if key.stage == "signing"}
    waiting = [key for key in stored.keys if key.stage == "upcoming"]
    overdue = [key for key in waiting if facts.now - key.staged > (schedule.announce + SLACK) * SECOND]
    clocked = [key for key in signing.values() if key.purpose != "ledger"]
    old = [key for key in clocked if facts.now - key.staged > (schedule.every + schedule.announce + SLACK) * SECOND]
    if overdue or old:
        kept = max(facts.now - key.staged for key in [*overdue, *old]) // SECOND // DAY
        return Verdict(
            "fail",
            f"keys are not changed any more: one is in its stage for {kept} days",
            "keep a server running (`semel serve` changes them), and look in its log for signing_keys",
        )
    return Verdict("pass", f"{len(signing)} sign, {len(waiting)} announced")


def _encrypted_to(key: StoredKey) -> bool:
    """Whether others may encrypt to a key: not once another took its place."""
    return key.purpose == "encryption" and key.stage != "retiring"


def published_keys(facts: Facts) -> Verdict:
    """Whether the world gets the keys that this installation signs with."""
    got = facts.served.keys
    if got.problem is not None or facts.stored.problem is not None:
        return unseen("the published keys were", UNSEEN)
    members = got.body.get("keys") if isinstance(got.body, dict) else None
    served = [key for key in members if isinstance(key, dict)] if isinstance(members, list) else []
    if any(name in key for key in served for name in ("d", "p", "q", "k")):
        return Verdict("fail", "private keys are published", "stop serving this, and run `semel keys rotate --revoke`")
    wanted = {key.kid for key in facts.stored.keys if key.purpose == "token" or _encrypted_to(key)}
    if {key.get("kid") for key in served} != wanted:
        return Verdict(
            "fail",
            "the published keys are not those of this installation's database",
            "let a cache in between keep /jwks no longer than its Cache-Control says, and restart servers of another database",
        )
    return Verdict("pass", f"{len(served)} published, the same as stored")


def letters(facts: Facts) -> Verdict:
    """Whether agencies get what they must be told."""
    if not _known(facts):
        return unseen("the letters were", FIRST)
    if facts.stored.dead_letters:
        return Verdict(
            "warn",
            f"{facts.stored.dead_letters} letters to agencies were given up",
            "`semel outbox list --dead` says why; mend that with the agency, then `semel outbox replay --all`",
        )
    return Verdict("pass", "none was given up")
