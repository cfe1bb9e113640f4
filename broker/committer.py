"""The committer: the one holder of the ledger's lock. Changes are judged one after the other and numbered together.

A change is a plain function of (transaction, now): it makes the request's own writes and returns its result and the entries
to append. Its entries are applied to the permissions before the next change runs, so a release that comes after a
withdrawal in the same batch is refused. Nobody is answered before the commit; there is no write-behind.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import text

from broker.database import Database, Tx, now_from
from broker.errors import Busy, Wire
from broker.ledger_clock import LedgerClock
from consent import ledger, permission
from consent.errors import ClockBehind
from consent.ledger import Appended
from consent.ledger_entry import Entry, SystemRecord, instant

R = TypeVar("R")
Change = Callable[[Tx, int], tuple[R, Sequence[Entry | SystemRecord]]]
Apply = Callable[[Tx, Appended], object]

BATCH = 1000  # changes in one transaction, in a thread of their own
TURN = 32  # changes in one transaction on the event loop: everybody else waits meanwhile
ENTRIES = 1000  # entries of one change
_SAVEPOINT, _ROLLBACK, _RELEASE = (text(f"{what} SAVEPOINT change".strip()) for what in ("", "ROLLBACK TO", "RELEASE"))
PATIENCE = 1_000_000  # microseconds the clock may stand behind the newest batch


class Closed(Wire):
    """The server is stopping; nothing was or will be written."""

    def __init__(self) -> None:
        super().__init__("temporarily_unavailable", "stopping; try again", status=503, headers={"Retry-After": "1"})


class TooManyEntries(Exception):
    """One change may append a thousand entries at most."""


@dataclass(frozen=True)
class Committed(Generic[R]):
    """What a change returned, and its entries with their numbers; durable."""

    result: R
    entries: tuple[Appended, ...]


@dataclass(frozen=True)
class _Waiter:
    change: Change[Any]
    future: asyncio.Future[Committed[Any]]
    loop: asyncio.AbstractEventLoop


Outcome = Committed[Any] | Exception


class Committer:
    """Runs changes in order of arrival; whoever arrives while a batch commits forms the next one.

    On SQLite a batch runs on the event loop, where every other writing block runs too, and is short; on PostgreSQL in one
    thread with its own connection. `clock` gives microseconds since 1970 and is read after the lock; None reads the database server's own.
    `judge` says whether what it reads is believed. `applied` is called with each entry once it is applied, in the same transaction.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int] | None,
        log_id: int = ledger.LOG_ID,
        apply: Apply = permission.apply,
        applied: Apply | None = None,
        sleep: Callable[[float], None] = time.sleep,
        judge: LedgerClock | None = None,
    ) -> None:
        self._database, self._clock, self._log_id, self._apply, self._sleep = database, clock, log_id, apply, sleep
        self._applied, self._clock_judge = applied, judge
        self._waiting: deque[_Waiter] = deque()
        self._closed = False
        self._drain_due = False
        self._inbox: queue.SimpleQueue[_Waiter | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if database.dialect == "postgresql":
            self._thread = threading.Thread(target=self._serve, name="committer", daemon=True)
            self._thread.start()

    async def submit(self, change: Change[R]) -> Committed[R]:
        """Run a change under the ledger's lock and return once it is durable.

        A returned refusal keeps the change's writes; a raised exception takes back this change alone and is raised here.
        Giving up waiting does not stop the change. Raises `Closed` once the server stops.
        """
        if self._closed:
            raise Closed
        loop = asyncio.get_running_loop()
        waiter = _Waiter(change, loop.create_future(), loop)
        if self._thread is not None:
            self._inbox.put(waiter)
        else:
            self._waiting.append(waiter)
            if not self._drain_due:
                self._drain_due = True
                loop.call_soon(self._drain)
        return await waiter.future

    async def close(self) -> None:
        """Take no more changes, finish those that wait, and return when they are answered."""
        self._closed = True
        if self._thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(self._thread.join)
        await asyncio.gather(*(waiter.future for waiter in self._waiting), return_exceptions=True)
        await asyncio.sleep(0)  # let the thread's last answers out

    def _drain(self) -> None:
        """Run one batch on the event loop; the next one gets its own turn, so that other requests are served between."""
        waiters = [self._waiting.popleft() for _ in range(min(TURN, len(self._waiting)))]
        self._drain_due = bool(self._waiting)
        if self._waiting:
            waiters[0].loop.call_soon(self._drain)
        for waiter, outcome in zip(waiters, self._run(waiters), strict=True):
            _answer(waiter.future, outcome)

    def _serve(self) -> None:
        """Run batches in the committer's own thread until it is closed."""
        stopping = False
        while not stopping:
            waiters = [self._inbox.get()]
            while len(waiters) < BATCH and waiters[-1] is not None and not self._inbox.empty():
                waiters.append(self._inbox.get())
            stopping = waiters[-1] is None
            batch = [waiter for waiter in waiters if waiter is not None]
            if not batch:
                continue
            for waiter, outcome in zip(batch, self._run(batch), strict=True):
                with suppress(RuntimeError):  # the caller's loop has closed; the change stands all the same
                    waiter.loop.call_soon_threadsafe(_answer, waiter.future, outcome)

    def _run(self, waiters: Sequence[_Waiter]) -> list[Outcome]:
        """Run one batch in one transaction; when that cannot commit, all of it fails and nothing was written."""
        try:
            with self._database.committing() as tx:
                ledger.lock(tx, self._log_id)
                head = ledger.head(tx, self._log_id)
                now = self._now(tx, head.ts)
                batch = ledger.Batch(tx, head, now)
                if len(waiters) == 1:  # the transaction is its savepoint
                    outcomes: list[Outcome] = [self._make(tx, batch, waiters[0].change, now)]
                else:
                    outcomes = [self._judge(tx, batch, waiter.change, now) for waiter in waiters]
                batch.write()
        except Exception as problem:  # noqa: BLE001 - whatever stopped the commit is each waiter's answer
            return [problem] * len(waiters)
        return outcomes

    def _judge(self, tx: Tx, batch: ledger.Batch, change: Change[Any], now: int) -> Outcome:
        """Run one change in its savepoint and apply its entries, before the next one is looked at."""
        mark = len(batch)
        tx.execute(_SAVEPOINT)  # in text: SQLAlchemy compiles a named savepoint anew each time
        try:
            made: Outcome = self._make(tx, batch, change, now)
        except Exception as problem:  # noqa: BLE001 - whatever a change raises is its caller's answer
            batch.rewind(mark)
            tx.execute(_ROLLBACK)  # raises when the whole transaction is gone
            made = problem
        tx.execute(_RELEASE)
        return made

    def _make(self, tx: Tx, batch: ledger.Batch, change: Change[Any], now: int) -> Committed[Any]:
        result, entries = change(tx, now)
        if len(entries) > ENTRIES:
            raise TooManyEntries(f"{len(entries)} entries in one change")
        appended = tuple(batch.add(entries))
        for entry in appended:
            self._apply(tx, entry)
            if self._applied is not None:
                self._applied(tx, entry)
        return Committed(result, appended)

    def _now(self, tx: Tx, last: int) -> int:
        """Read the clock; it never stands behind the newest batch: a short lag is waited out, a long one refused."""
        now = self._read(tx)
        if now < last and last - now <= PATIENCE:
            if self._thread is None:  # the event loop sleeps for nobody: whoever submitted comes again, with pauses
                raise Busy
            self._sleep((last - now) / 1_000_000)
            now = self._read(tx)
        if now < last:
            raise ClockBehind("the clock stands behind the newest batch; nothing is recorded until it is right")
        if self._clock_judge is not None:
            self._clock_judge.check(now, last)
        return now

    def _read(self, tx: Tx) -> int:
        return now_from(tx) if self._clock is None else self._clock()


def accept_clock(tx: Tx, now: int) -> int:
    """Enter that the clock is right at `now`, however far that is from the newest entry; an operator's act.

    Returns the time of the entry before, in microseconds; the ledger goes on from `now`.
    """
    ledger.lock(tx)
    was = ledger.head(tx).ts
    ledger.append(tx, [SystemRecord("clock.accepted", {"was": instant(was)})], now)
    return was


def _answer(future: asyncio.Future[Committed[Any]], outcome: Outcome) -> None:
    if future.done():  # the caller went away; the change stands all the same
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
