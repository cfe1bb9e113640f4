"""A person's (or agency's) own history: found by the tags only its key can make, never by a subject column."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select

from consent import commitment, ledger
from consent.errors import EntryInvalid, LedgerBroken
from consent.ledger_entry import Stream, instant
from consent.tables import ledger_event, ledger_leaf, ledger_tag, stream
from keys import canonical

CHUNK = 200  # tags in one query


@dataclass(frozen=True)
class Event:
    """One entry of a stream, opened and checked against its leaf. `ts` in microseconds, `n` its place in the stream."""

    seq: int
    n: int
    ts: int
    type: str
    party: str | None
    purpose: str | None
    permission: str | None
    body: dict[str, Any] = field(repr=False)
    private: dict[str, Any] = field(repr=False)


def count(tx: Connection, line: Stream, *, log_id: int = ledger.LOG_ID) -> int:
    """Return how many entries the stream has in this generation."""
    where = (
        stream.c.stream_id == commitment.counter_of(line.key),
        stream.c.generation == line.generation,
        stream.c.log_id == log_id,
    )
    return tx.execute(select(stream.c.next_n).where(*where)).scalar_one_or_none() or 0


def read(
    tx: Connection, line: Stream, *, limit: int = 100, before: int | None = None, log_id: int = ledger.LOG_ID
) -> list[Event]:
    """Return a stream's newest entries, newest first; `before` is an `Event.n`, for the next page.

    Raises `LedgerBroken` when an entry is missing or does not open to what its leaf commits to: a history with a hole is
    never shown as if it were whole.
    """
    end = count(tx, line, log_id=log_id)
    end = end if before is None else min(end, before)
    origin = ledger.head(tx, log_id).origin if end else ""
    numbers = range(end - 1, max(end - limit, 0) - 1, -1)
    events: list[Event] = []
    for start in range(0, len(numbers), CHUNK):
        events += _chunk(tx, line, numbers[start : start + CHUNK], origin, log_id)
    return events


def newest(tx: Connection, line: Stream, fits: Callable[[Event], bool], *, log_id: int = ledger.LOG_ID) -> Event | None:
    """Return a stream's newest entry that fits, however much came after it; None when there is none. Raises as `read`."""
    before: int | None = None
    while before != 0:
        events = read(tx, line, limit=CHUNK, before=before, log_id=log_id)
        found = next(filter(fits, events), None)
        if found is not None or not events:
            return found
        before = events[-1].n
    return None


def _chunk(tx: Connection, line: Stream, numbers: range, origin: str, log_id: int) -> list[Event]:
    tags = {commitment.tag_of(line.key, origin, n): n for n in numbers}
    rows = tx.execute(
        select(ledger_tag.c.tag, ledger_leaf.c.leaf, ledger_event)
        .join(ledger_leaf, (ledger_leaf.c.log_id == ledger_tag.c.log_id) & (ledger_leaf.c.seq == ledger_tag.c.seq))
        .join(ledger_event, (ledger_event.c.log_id == ledger_tag.c.log_id) & (ledger_event.c.seq == ledger_tag.c.seq))
        .where(ledger_tag.c.tag.in_(tags), ledger_tag.c.log_id == log_id)
    ).all()
    if len(rows) != len(tags):
        raise LedgerBroken("entries of a stream are missing")
    events = []
    for row in rows:
        n = tags[row.tag]
        try:
            opened = commitment.open_(line, n, origin, row.leaf, row.nonce + row.ct)
        except EntryInvalid as error:
            raise LedgerBroken("an entry of a stream does not open to its leaf") from error
        body, private = canonical.loads(opened.body), canonical.loads(opened.private)
        columns = ("type", "party", "purpose", "permission")
        if body.get("ts") != instant(row.ts) or any(body.get(name) != getattr(row, name) for name in columns):
            raise LedgerBroken("an entry's query columns are not what it says")
        events.append(
            Event(row.seq, n, row.ts, row.type, row.party, row.purpose, row.permission, body=body, private=private)
        )
    events.sort(key=lambda event: -event.n)
    if any(newer.seq <= older.seq for newer, older in pairwise(events)):
        raise LedgerBroken("the entries of a stream are out of order")
    return events
