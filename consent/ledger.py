"""The ledger in the database: the lock, the head, and the one way entries get their numbers.

Numbers are given under a lock that is held until the commit, so they have no gaps, and who sees entry n sees every entry
before it. Only the committer appends (`broker/committer.py`); genesis is the one exception, made by `create`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Executable, Table, bindparam, delete, insert, select, text

from consent import commitment, ledger_entry
from consent.errors import LedgerBroken, LedgerExists, LedgerMissing, ProofInvalid, RepeatDiffers
from consent.ledger_entry import EVENT, SYSTEM, Entry, SystemRecord
from consent.merkle import Frontier, leaf_hash
from consent.tables import ledger_batch, ledger_event, ledger_leaf, ledger_once, ledger_tag, ledger_tile, stream
from consent.tiles import HEIGHT
from keys import base64url

LOG_ID = 0
LOCK_CLASS = 0x5E3E1
REPEAT_SECONDS = 86_400

_INSERT = {one: insert(one) for one in (ledger_leaf, ledger_tile, ledger_tag, ledger_event, ledger_batch)}
_COUNT = text(
    "INSERT INTO stream (stream_id, generation, log_id, next_n) VALUES (:stream_id, :generation, :log_id, :next_n) "
    "ON CONFLICT (stream_id, generation, log_id) DO UPDATE SET next_n = excluded.next_n"
)
_LOCK = text("SELECT pg_advisory_xact_lock(:class, :log_id)")
_HEAD = (
    select(
        ledger_batch,
        select(ledger_leaf.c.leaf)
        .where(ledger_leaf.c.log_id == bindparam("log"), ledger_leaf.c.seq == 0)
        .scalar_subquery()
        .label("genesis"),
    )
    .where(ledger_batch.c.log_id == bindparam("log"))
    .order_by(ledger_batch.c.size.desc())
    .limit(1)
)
_NEXT = select(stream.c.next_n).where(
    stream.c.stream_id == bindparam("stream"),
    stream.c.generation == bindparam("generation"),
    stream.c.log_id == bindparam("log"),
)


@dataclass(frozen=True)
class Head:
    """The ledger as of its newest batch. `ts` in microseconds."""

    log_id: int
    origin: str
    size: int
    root: bytes
    ts: int
    frontier: bytes = field(repr=False)


@dataclass(frozen=True)
class Appended:
    """An entry that has its number; durable once the transaction that gave it is. `client` is the party's id.

    For a system record the salts and the private part are empty and `body` is the record itself.
    """

    entry_id: str
    seq: int
    log_id: int
    origin: str
    type: str
    ts: int
    leaf: bytes
    body: bytes = field(repr=False)
    client: str | None = None
    purpose: str | None = None
    permission: str | None = None
    journey: str | None = None
    items_digest: bytes = b""
    salt: bytes = field(default=b"", repr=False)
    psalt: bytes = field(default=b"", repr=False)
    private: bytes = field(default=b"", repr=False)


def create(tx: Connection, log_id: int, origin: str, now: int, *, vkeys: Sequence[str] = ()) -> Head:
    """Make the ledger: its first leaf is a public record of its origin and verifier keys. Once: else `LedgerExists`."""
    lock(tx, log_id)
    if tx.execute(select(ledger_batch.c.size).where(ledger_batch.c.log_id == log_id).limit(1)).first():
        raise LedgerExists("the ledger exists")
    batch = Batch(tx, Head(log_id, origin, 0, b"", now, b""), now)
    batch.add([SystemRecord("genesis", {"log": log_id, "origin": origin, "vkeys": list(vkeys)})])
    return batch.write()


def lock(tx: Connection, log_id: int = LOG_ID) -> None:
    """Take the ledger's lock until the transaction ends; on SQLite its BEGIN IMMEDIATE already has."""
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCK, {"class": LOCK_CLASS, "log_id": log_id})


def head(tx: Connection, log_id: int = LOG_ID) -> Head:
    """Return the newest batch. Raises `LedgerMissing` before `create`, `LedgerBroken` when it does not add up."""
    row = tx.execute(_HEAD, {"log": log_id}).one_or_none()
    if row is None or row.genesis is None:
        raise LedgerMissing("there is no ledger in this database")
    origin = ledger_entry.read_system_leaf(row.genesis).get("origin", "")
    try:
        root = Frontier.from_bytes(row.size, row.frontier).root()
    except ProofInvalid as error:
        raise LedgerBroken("the head's frontier is damaged") from error
    if root != row.root:
        raise LedgerBroken("the head's frontier does not give its root")
    return Head(log_id, origin, row.size, row.root, row.ts, row.frontier)


def once(tx: Connection, key: bytes, digest: bytes, now: int) -> int | None:
    """Return the number that the first request with this idempotency key got, None when this is the first.

    Called inside a change, under the lock; the first one's entry carries `Once(key, digest)`. `RepeatDiffers` when the
    key came with another digest. A key is forgotten after a day.
    """
    tx.execute(delete(ledger_once).where(ledger_once.c.key == key, ledger_once.c.expires <= now))
    row = tx.execute(select(ledger_once.c.digest, ledger_once.c.seq).where(ledger_once.c.key == key)).one_or_none()
    if row is None:
        return None
    if row.digest != digest:
        raise RepeatDiffers("this idempotency key was used for another request")
    return int(row.seq)


def sweep(tx: Connection, now: int) -> None:
    """Forget idempotency keys older than a day."""
    tx.execute(delete(ledger_once).where(ledger_once.c.expires <= now))


def receipt_for_agency(appended: Appended, key: bytes, client_id: str) -> dict[str, Any]:
    """Return what an agency gets beside the data: enough to prove, without us, what it was given and when."""
    return {
        "origin": appended.origin,
        "seq": appended.seq,
        "leaf": base64url.encode(appended.leaf),
        "salt": base64url.encode(appended.salt),
        "body": appended.body.decode(),
        "mac": base64url.encode(commitment.receipt_mac(key, appended.origin, client_id)),
    }


def append(tx: Connection, entries: Sequence[Entry | SystemRecord], now: int, log_id: int = LOG_ID) -> list[Appended]:
    """Append entries in a transaction of their own batch: what the committer does for one change, for tests and tools."""
    lock(tx, log_id)
    batch = Batch(tx, head(tx, log_id), now)
    appended = batch.add(entries)
    batch.write()
    return appended


class Batch:
    """Entries on their way in: numbered as they come, written together. Lives inside one transaction with the lock."""

    def __init__(self, tx: Connection, start: Head, ts: int) -> None:
        self._tx, self._start, self._ts = tx, start, ts
        self._counters: dict[tuple[str, int], int] = {}
        self._appended: list[Appended] = []
        self._events: list[tuple[Entry, commitment.SealedEntry] | None] = []

    def __len__(self) -> int:
        return len(self._appended)

    def add(self, entries: Iterable[Entry | SystemRecord]) -> list[Appended]:
        """Number and seal entries; nothing but their idempotency keys reaches the database before `write`."""
        first = len(self)
        for entry in entries:
            seq = self._start.size + len(self)
            if isinstance(entry, SystemRecord):
                self._add_system(entry, seq)
            else:
                self._add_event(entry, seq)
        return self._appended[first:]

    def _add_system(self, record: SystemRecord, seq: int) -> None:
        leaf = ledger_entry.system_leaf(record, self._ts)
        at, log = self._ts, self._start
        self._appended.append(Appended("", seq, log.log_id, log.origin, record.type, at, leaf, leaf[1:]))
        self._events.append(None)

    def _add_event(self, entry: Entry, seq: int) -> None:
        log, line = self._start, (commitment.counter_of(entry.stream.key), entry.stream.generation)
        n = self._counters[line] if line in self._counters else self._next_n(*line)
        sealed = commitment.seal(entry, n, log.origin, self._ts)
        items = entry.private.get("items") or entry.body.get("items") or {}
        appended = Appended(
            entry_id=entry.id,
            seq=seq,
            log_id=log.log_id,
            origin=log.origin,
            type=entry.type,
            ts=self._ts,
            leaf=sealed.leaf,
            body=sealed.body,
            client=entry.party,
            purpose=entry.purpose,
            permission=entry.permission,
            journey=entry.private.get("journey"),
            items_digest=ledger_entry.items_digest(items),
            salt=sealed.salt,
            psalt=sealed.psalt,
            private=sealed.private,
        )
        if entry.once is not None:
            expires = self._ts + REPEAT_SECONDS * 1_000_000
            row = {"key": entry.once.key, "digest": entry.once.digest, "seq": seq, "expires": expires}
            self._tx.execute(insert(ledger_once).values(row))
        self._counters[line] = n + 1
        self._events.append((entry, sealed))
        self._appended.append(appended)

    def _next_n(self, stream_id: str, generation: int) -> int:
        line = {"stream": stream_id, "generation": generation, "log": self._start.log_id}
        return self._tx.execute(_NEXT, line).scalar_one_or_none() or 0

    def rewind(self, length: int) -> None:
        """Forget every entry after the first `length`: their change was rolled back."""
        for event in self._events[length:]:
            if event is not None:
                self._counters[commitment.counter_of(event[0].stream.key), event[0].stream.generation] -= 1
        del self._events[length:], self._appended[length:]

    def write(self) -> Head:
        """Write the batch, set-based, and return the new head; an empty batch leaves no trace."""
        log = self._start
        if not self._appended:
            return log
        frontier = Frontier.from_bytes(log.size, log.frontier)
        leaves, tiles = [], []
        for appended, event in zip(self._appended, self._events, strict=True):
            digest = leaf_hash(appended.leaf)
            kind = SYSTEM if event is None else EVENT
            leaves.append({"seq": appended.seq, "kind": kind, "leaf": appended.leaf, "leaf_hash": digest})
            for height, index, root in frontier.append(digest):
                if height % HEIGHT == 0:
                    tiles.append({"level": height // HEIGHT - 1, "idx": index, "root": root})
        new = Head(log.log_id, log.origin, frontier.size, frontier.root(), self._ts, frontier.to_bytes())
        self._insert(ledger_leaf, leaves)
        self._insert(ledger_tile, tiles)
        self._write_events()
        self._insert(ledger_batch, [{"size": new.size, "frontier": new.frontier, "root": new.root, "ts": new.ts}])
        return new

    def _write_events(self) -> None:
        tags, rows = [], []
        for appended, event in zip(self._appended, self._events, strict=True):
            if event is None:
                continue
            entry, sealed = event
            tags.append({"tag": sealed.tag, "seq": appended.seq})
            row = {"seq": appended.seq, "ts": appended.ts, "type": entry.type, "outcome": entry.outcome}
            row |= {"party": entry.party, "purpose": entry.purpose, "permission": entry.permission}
            rows.append(row | {"nonce": sealed.nonce, "ct": sealed.ct})
        self._insert(ledger_tag, tags)
        self._insert(ledger_event, rows)
        counts = [{"stream_id": s, "generation": g, "next_n": n} for (s, g), n in sorted(self._counters.items()) if n]
        self._run(_COUNT, counts)

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        self._run(_INSERT[table], rows)

    def _run(self, statement: Executable, rows: list[dict[str, Any]]) -> None:
        """Run a statement for each row, all of them of this log; one by itself is no batch to a driver."""
        given = [{**row, "log_id": self._start.log_id} for row in rows]
        if given:
            self._tx.execute(statement, given if len(given) > 1 else given[0])
