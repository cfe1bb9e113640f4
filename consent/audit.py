"""Audit: the ledger is believed because it replays, from the database or from the published files, never because it is there.

The published files are checked in this order:
 1. the verifier keys, then the checkpoint: every key has signed it;
 2. the right edge gives the signed root, every full tile the hash above it, every bundle its tile (`published`);
 3. older partial files are the beginning of what came later, and nothing else lies in the folder;
 4. the entries replay: each has its form, no tag comes twice, the first one founds this very log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from consent import checkpoint, ledger, ledger_entry, merkle, published
from consent.checkpoint import Checkpoint, VerifierKey
from consent.errors import CheckpointInvalid, EntryInvalid, LedgerBroken, ProofInvalid, TileInvalid
from consent.ledger_entry import EVENT, EVENT_LEAF_BYTES
from consent.merkle import EMPTY_ROOT, Frontier, leaf_hash
from consent.published import Fetch, Source, Walk
from consent.published_state import PublishedState
from consent.tables import ledger_batch, ledger_checkpoint, ledger_leaf
from consent.tag_list import TagList
from consent.tiles import ENTRIES, WIDTH, Tile

NOTHING = PublishedState()
SLICE = 5000  # rows read at once

_LAST = select(func.max(ledger_batch.c.size)).where(ledger_batch.c.log_id == bindparam("log")).scalar_subquery()
_BEYOND = select(func.max(ledger_leaf.c.seq)).where(  # in one statement: one state of the database
    ledger_leaf.c.log_id == bindparam("log"), ledger_leaf.c.seq >= _LAST
)


class Finding(NamedTuple):
    """A file and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Report:
    """What an audit of published files found. `ahead`: files already written for a size that is not signed yet."""

    origin: str
    size: int
    root: bytes
    files: int
    findings: tuple[Finding, ...]
    ahead: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every file is as it was signed."""
        return not self.findings


class Entries:
    """What entries may say and where: their forms, and no tag twice. The same for start-up, `semel ledger verify`, tests."""

    def __init__(self) -> None:
        self.genesis: dict[str, object] = {}
        self._tags = TagList()

    def add(self, number: int, leaf: bytes) -> None:
        """Take an entry; `EntryInvalid` when it cannot stand at this number."""
        if number == 0:
            self.genesis = ledger_entry.read_system_leaf(leaf)
            if self.genesis["type"] != "genesis":
                raise EntryInvalid("the first entry does not found a log")
        elif leaf[:1] != bytes([EVENT]):
            ledger_entry.read_system_leaf(leaf)
        elif len(leaf) != EVENT_LEAF_BYTES:
            raise EntryInvalid("an event has the wrong length")
        else:
            self._tags.add(leaf[1:33], number)

    def finish(self) -> list[int]:
        """Return the numbers of events that have the tag of an earlier one; nothing can be added any more."""
        repeated = list(self._tags.repeated())
        self._tags.close()
        return repeated

    def take(self, first: int, entries: list[bytes]) -> str | None:
        """Take a proven bundle; say what is wrong with it. Its place in the tree is proven from above, not hashed again."""
        try:
            for number, leaf in enumerate(entries, first):
                self.add(number, leaf)
        except EntryInvalid as error:
            return str(error)
        return None


def replay(leaves: Iterable[bytes], frontier: Frontier | None = None) -> Frontier:
    """Return the right edge after these entries, begun at an earlier one or at the first entry. Raises `EntryInvalid`."""
    edge, state = frontier or Frontier(), Entries()
    for leaf in leaves:
        state.add(edge.size, leaf)
        edge.append(leaf_hash(leaf))
    if state.finish():
        raise EntryInvalid("an event has the tag of another")
    return edge


def check(
    tx: Connection, *, since: int | None = None, public: PublishedState = NOTHING, log_id: int = ledger.LOG_ID
) -> ledger.Head:
    """Return the head once the rows since the last signed size (or `since`; 0 for all) replay to it, else `LedgerBroken`.

    What start-up does: the head must not be smaller than what was signed, and the signed root must be its beginning.
    `public` is the published folder, read before this transaction asked anything: a database that has not signed its
    checkpoint, or holds less than its files, is an older state.
    """
    newest = select(ledger_checkpoint).where(ledger_checkpoint.c.log_id == log_id)
    signed = tx.execute(newest.order_by(ledger_checkpoint.c.size.desc()).limit(1)).one_or_none()
    head = ledger.head(
        tx, log_id
    )  # after what was signed: others write meanwhile, and nothing is signed before it is there
    if signed is not None and signed.size > head.size:
        raise LedgerBroken(f"{signed.size} entries were signed, the database holds {head.size}: an older state of it")
    public.check(_vkeys(tx, log_id) if public.note is not None else (), head.size, partial(signed_root, tx, log_id))
    size = (signed.size if signed is not None else 0) if since is None else since
    start = _frontier_at(tx, size, log_id)
    if signed is not None and size == signed.size and start.root() != signed.root:
        raise LedgerBroken("the database holds another history than the one that was signed")
    try:
        end = replay(_leaves(tx, size, head.size, log_id), start)
    except EntryInvalid as error:
        raise LedgerBroken("a stored entry cannot stand where it is") from error
    if (end.size, end.root()) != (head.size, head.root):
        raise LedgerBroken("the stored entries do not give the head's root")
    if tx.execute(_BEYOND, {"log": log_id}).scalar_one() is not None:
        raise LedgerBroken("entries are stored that no batch holds")
    return head


def signed_root(tx: Connection, log_id: int, size: int) -> bytes | None:
    """Return the root that was signed at a size, None when none was."""
    where = ledger_checkpoint.c.log_id == log_id, ledger_checkpoint.c.size == size
    return tx.execute(select(ledger_checkpoint.c.root).where(*where)).scalar_one_or_none()


def _vkeys(tx: Connection, log_id: int) -> list[VerifierKey]:
    """Return the keys that the log's first entry names: what it publishes is signed with every one."""
    where = ledger_leaf.c.log_id == log_id, ledger_leaf.c.seq == 0
    named = ledger_entry.read_system_leaf(tx.execute(select(ledger_leaf.c.leaf).where(*where)).scalar_one()).get(
        "vkeys"
    )
    return [checkpoint.parse_vkey(key) for key in sorted(_texts(named))]


def _frontier_at(tx: Connection, size: int, log_id: int) -> Frontier:
    if size == 0:
        return Frontier()
    where = ledger_batch.c.log_id == log_id, ledger_batch.c.size == size
    row = tx.execute(select(ledger_batch.c.frontier).where(*where)).one_or_none()
    if row is None:
        raise LedgerBroken(f"no batch ended at the size {size}")
    return Frontier.from_bytes(size, row.frontier)


def _leaves(tx: Connection, start: int, end: int, log_id: int) -> Iterator[bytes]:
    """Yield stored entries [start, end) in order, a slice of rows at a time; `LedgerBroken` at a gap or a wrong hash.

    What was appended since the head was read is not looked at: on PostgreSQL every statement sees what is committed by then.
    """
    while start < end:
        until = min(start + SLICE, end)
        where = ledger_leaf.c.log_id == log_id, ledger_leaf.c.seq >= start, ledger_leaf.c.seq < until
        rows = tx.execute(select(ledger_leaf).where(*where).order_by(ledger_leaf.c.seq)).all()
        for row in rows:
            if row.seq != start or leaf_hash(row.leaf) != row.leaf_hash or row.kind != row.leaf[0]:
                raise LedgerBroken(f"entry {start} is missing or is not what was hashed")
            start += 1
            yield row.leaf
        if start < until:
            raise LedgerBroken(f"entry {start} is missing or is not what was hashed")


def verify_folder(
    path: Path, vkeys: Sequence[str] = (), *, since: bytes | None = None, witnesses: Sequence[str] = ()
) -> Report:
    """Check every file of a folder of published files; trusts `vkeys`, or when none are given the folder's own."""
    return verify(published.folder(path), vkeys, since=since, witnesses=witnesses)


def verify_fetched(
    fetch: Fetch, vkeys: Sequence[str] = (), *, since: bytes | None = None, witnesses: Sequence[str] = ()
) -> Report:
    """Check everything a published checkpoint reaches; `fetch(path)` gives a file's bytes, None when it is absent."""
    return verify(Source(fetch), vkeys, since=since, witnesses=witnesses)


def verify(
    source: Source, vkeys: Sequence[str] = (), *, since: bytes | None = None, witnesses: Sequence[str] = ()
) -> Report:
    """Check published files. Every wrong file is named in the report; `CheckpointInvalid` only for unreadable keys.

    `since` is a checkpoint kept from earlier: what is published now must begin with its tree (RFC 9162 §2.1.4). Each of the
    `witnesses`, verifier keys of others, must have cosigned the checkpoint (C2SP tlog-cosignature).
    """
    trusted = [checkpoint.parse_vkey(key) for key in vkeys]
    cosigners = [checkpoint.parse_vkey(key) for key in witnesses]
    findings: dict[str, str] = {}
    keys = _keys(source, trusted, findings)
    signed, files = _signed(source, keys, findings)
    if "checkpoint" in findings:
        return _report(signed, files, findings)
    _cosigned(source, cosigners, findings)
    state = Entries()
    walk = Walk(source, signed.size, signed.root, state.take, findings)
    walk.run()
    for number in state.finish():
        at = number // WIDTH
        bundle = Tile(ENTRIES, at, min(WIDTH, signed.size - at * WIDTH))
        findings.setdefault(bundle.path, "an event has the tag of another")
    if since is not None:
        _continues(source, signed, since, keys, findings)
    if state.genesis and state.genesis.get("origin") != signed.origin:
        findings.setdefault("checkpoint", "signs another log than the one these entries found")
    if (named := state.genesis.get("vkeys")) and keys and {str(key) for key in keys} != _texts(named):
        findings.setdefault("vkeys", "are not the keys that the log's first entry names")
    return _report(signed, files + walk.files, findings, tuple(walk.ahead))


def _keys(source: Source, trusted: list[VerifierKey], findings: dict[str, str]) -> list[VerifierKey]:
    """Return every key the checkpoint must be signed with; a published list that is damaged, or not the trusted one, is a finding."""
    data = source.read("vkeys")
    try:
        found = list(checkpoint.parse_vkeys(data or b""))
    except CheckpointInvalid as error:
        findings["vkeys"] = "is missing" if data is None else str(error)
        return trusted
    if not set(trusted) <= set(found):
        findings["vkeys"] = "does not list the keys you trust"
    return list(dict.fromkeys([*trusted, *found]))


def _signed(source: Source, keys: list[VerifierKey], findings: dict[str, str]) -> tuple[Checkpoint, int]:
    """Return what the checkpoint says and how many files were read to know it."""
    files = 2 - ("vkeys" in findings and source.read("vkeys") is None)
    note = source.read("checkpoint")
    if note is None:
        findings["checkpoint"] = "is missing"
        return Checkpoint("", 0, EMPTY_ROOT), files - 1
    try:
        return (checkpoint.verify(note, keys) if keys else checkpoint.read(note)[0]), files
    except CheckpointInvalid as error:
        findings["checkpoint"] = str(error)
        return Checkpoint("", 0, EMPTY_ROOT), files


def _cosigned(source: Source, witnesses: Sequence[VerifierKey], findings: dict[str, str]) -> None:
    note = source.read("checkpoint") or b""
    for key in witnesses:
        try:
            checkpoint.verify_cosignature(note, key)
        except CheckpointInvalid as error:
            findings.setdefault("checkpoint", str(error))


def _continues(
    source: Source, signed: Checkpoint, since: bytes, keys: list[VerifierKey], findings: dict[str, str]
) -> None:
    """Find when the published tree does not begin with the one of a checkpoint that was kept from earlier."""
    try:
        kept = checkpoint.verify(since, keys) if keys else checkpoint.read(since)[0]
        node = published.nodes(signed.size, source.read)
        proof = merkle.consistency_proof(kept.size, signed.size, node)
        merkle.verify_consistency(kept.size, signed.size, kept.root, signed.root, proof)
    except CheckpointInvalid as error:
        findings.setdefault("checkpoint", f"the one kept from earlier is none of this log: {error}")
    except (ProofInvalid, TileInvalid) as error:
        findings.setdefault(
            "checkpoint", f"does not continue the one of {kept.size} entries kept from earlier: {error}"
        )


def _texts(named: object) -> set[str]:
    return {str(each) for each in named} if isinstance(named, list) else set()


def _report(signed: Checkpoint, files: int, findings: dict[str, str], ahead: tuple[str, ...] = ()) -> Report:
    wrong = tuple(Finding(file, what) for file, what in sorted(findings.items()))
    return Report(signed.origin, signed.size, signed.root, files, wrong, ahead)
