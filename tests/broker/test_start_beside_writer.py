"""A server that starts, and a publisher that publishes, beside others that write: nothing they commit meanwhile is a fault."""

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from broker.database import Database
from broker.publisher import Publisher
from consent import audit, ledger
from consent.checkpoint import Signer
from consent.errors import LedgerBroken
from consent.ledger_entry import SystemRecord
from consent.tables import ledger_leaf
from keys import notes

ORIGIN = "id.example.gov/ledger"
SIGNERS = [Signer.of(ORIGIN, notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]
STARTS = 60
COMMITS = 10_000_000  # that the writer would make, at most 250 a second; it is stopped long before

WRITER = """
import asyncio, sys
from broker.app import clock
from broker.committer import Committer
from broker.database import Database
from consent.ledger_entry import SystemRecord

async def story():
    committer = Committer(Database.open(sys.argv[1]), clock=clock)
    for step in range(int(sys.argv[2])):
        await committer.submit(lambda tx, now: (None, [SystemRecord("filler")] * 3))
        await asyncio.sleep(0.004)
        if step == 5:
            print("writing", flush=True)

asyncio.run(story())
"""


class Between:
    """A connection before each of whose statements somebody else commits entries."""

    def __init__(self, tx, commit):
        self._tx, self._commit, self.dialect = tx, commit, tx.dialect

    def execute(self, *given):
        self._commit()
        return self._tx.execute(*given)


class Busy:
    """A database where others commit before every statement that only reads."""

    def __init__(self, database, commit):
        self._database, self._commit, self.dialect, self.write = database, commit, database.dialect, database.write

    @contextmanager
    def read(self):
        with self._database.read() as tx:
            yield Between(tx, self._commit)


@pytest.fixture
def made(database, now):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, 1, vkeys=[str(signer.key) for signer in SIGNERS])
    return database


@pytest.fixture
def other(made, database_url):
    opened = Database.open(database_url)
    yield opened
    opened.close()


def test_sixty_starts_beside_a_writer_all_succeed(made, database_url, tmp_path, now):
    """Each looks as `semel serve` does, and half of them publish between the looks; the writer is a process of its own."""
    publisher = Publisher(made, tmp_path / "ledger", SIGNERS, clock=lambda: now)
    command = [sys.executable, "-c", WRITER, database_url, str(COMMITS)]
    sizes = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline() == "writing\n"
            for start in range(STARTS):
                with made.read() as tx:
                    sizes.append(audit.check(tx, since=None if start % 3 else 0).size)
                if start % 2:
                    publisher.publish_once()
            assert writer.poll() is None, "it wrote all the time"
        finally:
            writer.kill()
    assert len(sizes) == STARTS
    assert len(set(sizes)) > STARTS // 4, "entries came between the starts"
    assert sizes == sorted(sizes)


def unheld(folder):
    """Whether another publisher could show its checkpoint now, and need not wait until the one who looks is done."""
    if not folder.is_dir():
        return True
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@pytest.mark.parametrize("since", [None, 0])
def test_entries_that_come_between_two_reads_are_no_fault(made, other, tmp_path, now, since):
    """On PostgreSQL each statement sees what is committed by then; so do the files, which no transaction covers."""
    publisher = Publisher(other, tmp_path / "ledger", SIGNERS, clock=lambda: now)

    def commit():
        with other.write() as tx:
            ledger.append(tx, [SystemRecord("filler")], now)
        if unheld(tmp_path / "ledger"):
            publisher.publish_once()

    for _ in range(3):
        with made.read() as tx:
            assert audit.check(Between(tx, commit), since=since).size > 0
    both = Publisher(Busy(made, commit), tmp_path / "ledger", SIGNERS, clock=lambda: now)
    for _ in range(3):
        both.publish_once()


def test_an_entry_that_no_batch_holds_is_still_found(made, now):
    with made.write() as tx:
        tx.execute(ledger_leaf.insert().values(log_id=0, seq=1, kind=1, leaf=b"\x01", leaf_hash=bytes(32)))
        with pytest.raises(LedgerBroken, match="no batch"):
            audit.check(tx)
