"""Kill -9 in the middle of many changes: every answered one is in the ledger, without a gap, and it replays."""

import subprocess
import sys

from sqlalchemy import select

from broker.database import Database
from consent import audit, ledger
from consent.tables import ledger_leaf

WORKER = """
import asyncio, sys
from broker.app import clock
from broker.committer import Committer
from broker.database import Database
from consent.ledger_entry import SystemRecord

async def story():
    committer = Committer(Database.open(sys.argv[1]), clock=clock)
    async def one(i):
        for step in range(10_000):
            answer = await committer.submit(lambda tx, now: (None, [SystemRecord("filler", {"by": i, "step": step})]))
            print(answer.entries[0].seq, i, step, flush=True)
    await asyncio.gather(*(one(i) for i in range(50)))

asyncio.run(story())
"""


def test_what_was_answered_is_there_after_kill_9(database, database_url, now):
    with database.write() as tx:
        ledger.create(tx, 0, "id.example.gov/ledger", 1)
    database.close()
    answered = {}
    for killed_after in (3, 140, 411):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, database_url], stdout=subprocess.PIPE, text=True)
        with worker:
            for count, line in enumerate(worker.stdout):
                if count == killed_after:
                    worker.kill()
                if line.endswith("\n"):
                    seq, by, step = map(int, line.split())
                    assert seq not in answered
                    answered[seq] = (by, step)
        reopened = Database.open(database_url)
        with reopened.read() as tx:
            head = audit.check(tx, since=0)
            leaves = {row.seq: row.leaf for row in tx.execute(select(ledger_leaf))}
        reopened.close()
        assert sorted(leaves) == list(range(head.size))
        for seq, (by, step) in answered.items():
            assert f'"by":{by},"step":{step},'.encode() in leaves[seq]
    assert len(answered) > 500
