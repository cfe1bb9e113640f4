"""The committer: order of arrival, no gaps, and each change judged after the one before it."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import func, insert, select
from uuid6 import uuid7

from broker.answers import Refusal
from broker.committer import TURN, Closed, Committer, TooManyEntries
from broker.errors import Busy
from broker.tables import replay as notes
from consent import audit, history, ledger, ledger_entry, permission
from consent.errors import ClockBehind, ImpossibleEvent
from consent.ledger_entry import Once, Stream, SystemRecord
from consent.tables import ledger_batch, ledger_leaf

ORIGIN = "id.example.gov/ledger"
MARIA = Stream("person:maria", 0, b"\x01" * 32)
USE = {"party": "norr-childcare", "purpose": "norr.childcare-allowance@3"}
ITEMS = {"address.registered": "provided"}


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock(now):
    return Clock(now)


@pytest.fixture
def made(database, now):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, now)
    return database


def run(made, clock, story, **options):
    async def whole():
        committer = Committer(made, clock=clock, **options)
        try:
            return await asyncio.wait_for(story(committer), 30)
        finally:
            await committer.close()

    return asyncio.run(whole())


def given(permission_id, line=MARIA, **options):
    return ledger_entry.permission_given(
        line,
        entry_id=str(uuid7()),
        **USE,
        permission=permission_id,
        kind=options.pop("kind", "ongoing"),
        mode="consent",
        granted=list(ITEMS),
        decisions=dict.fromkeys(ITEMS, "given"),
        lookup=permission.lookup(line.key, "norr-childcare", permission_id),
        notice=bytes(32),
        language="en",
        **options,
    )


def released(permission_id, line=MARIA, **options):
    return ledger_entry.access_released(
        line, entry_id=str(uuid7()), **USE, permission=permission_id, items=ITEMS, seen=ITEMS, **options
    )


def withdrawn(permission_id, line=MARIA):
    return ledger_entry.permission_withdrawn(line, entry_id=str(uuid7()), **USE, permission=permission_id)


def note(name):
    return insert(notes).values(kind="test", id_hash=name, expires=1)


def noted(made):
    with made.read() as tx:
        return sorted(tx.execute(select(notes.c.id_hash)).scalars())


def sound(made):
    with made.read() as tx:
        head = audit.check(tx, since=0)
        assert tx.execute(select(func.count()).select_from(ledger_leaf)).scalar_one() == head.size
    return head


def test_64_concurrent_submits_are_gapless_and_answered_with_their_own(made, clock):
    lines = [Stream(f"person:{i}", 0, bytes([i]) * 32) for i in range(64)]

    async def story(committer):
        def change(i):
            return lambda tx, now: (i, [given(f"p{i}", lines[i]), released(f"p{i}", lines[i])])

        return await asyncio.gather(*(committer.submit(change(i)) for i in range(64)))

    answers = run(made, clock, story)
    assert [answer.result for answer in answers] == list(range(64))
    assert all([entry.permission for entry in answer.entries] == [f"p{i}"] * 2 for i, answer in enumerate(answers))
    numbers = [entry.seq for answer in answers for entry in answer.entries]
    assert numbers == list(range(1, 129))
    assert sound(made).size == 129
    with made.read() as tx:
        assert [event.type for event in history.read(tx, lines[7])] == ["access.released", "permission.given"]
        assert tx.execute(select(func.count()).select_from(ledger_batch)).scalar_one() < 65


def test_what_a_batch_does_lets_everybody_else_on_the_loop_go_on(made, clock):
    """Of 256 that wait, no more than a short turn's are run between two turns of the event loop."""
    if made.dialect != "sqlite":
        pytest.skip("PostgreSQL has a thread for it")
    done, turns = [], []

    async def story(committer):
        def change(i):
            return lambda tx, now: (done.append(i), [SystemRecord("filler")])

        async def others():
            while len(done) < 256:
                turns.append(len(done))
                await asyncio.sleep(0)

        return await asyncio.gather(*(committer.submit(change(i)) for i in range(256)), others())

    run(made, clock, story)
    turns.append(len(done))
    assert max(after - before for before, after in pairwise(turns)) == TURN
    assert done == list(range(256))
    assert sound(made).size == 257


def test_a_change_that_raises_is_taken_back_alone(made, clock):
    async def story(committer):
        def good(name):
            return lambda tx, now: (tx.execute(note(name)) and name, [given(name.decode())])

        def bad(tx, now):
            tx.execute(note(b"bad"))
            raise ZeroDivisionError

        def refused_by_the_projection(tx, now):
            tx.execute(note(b"bad"))
            return None, [given("x"), released("never-given")]

        changes = [good(b"a"), bad, good(b"b"), refused_by_the_projection, good(b"c")]
        return await asyncio.gather(*(committer.submit(change) for change in changes), return_exceptions=True)

    a, bad, b, impossible, c = run(made, clock, story)
    assert isinstance(bad, ZeroDivisionError)
    assert isinstance(impossible, ImpossibleEvent)
    assert [answer.entries[0].seq for answer in (a, b, c)] == [1, 2, 3]
    assert noted(made) == [b"a", b"b", b"c"]
    assert sound(made).size == 4
    with made.read() as tx:
        assert history.count(tx, MARIA) == 3
        assert permission.get(tx, "x") is None


def test_a_refusal_keeps_what_it_wrote(made, clock):
    async def story(committer):
        def refuse(tx, now):
            tx.execute(note(b"family ended"))
            return Refusal("invalid_grant"), []

        return await committer.submit(refuse)

    answer = run(made, clock, story)
    assert answer.result == Refusal("invalid_grant")
    assert answer.entries == ()
    assert noted(made) == [b"family ended"]
    assert sound(made).size == 1


def test_withdrawal_and_release_in_one_batch_are_judged_in_order(made, clock):
    def release(tx, now):
        held = permission.get(tx, "p")
        why = permission.releasable(held, list(ITEMS), now)
        return (Refusal("invalid_token", why), []) if why else ("released", [released("p")])

    async def story(committer):
        await committer.submit(lambda tx, now: (None, [given("p")]))
        waiting = [
            committer.submit(release),
            committer.submit(lambda tx, now: ("stopped", [withdrawn("p")])),
            committer.submit(release),
        ]
        return await asyncio.gather(*waiting)

    before, stop, after = run(made, clock, story)
    assert (before.result, stop.result) == ("released", "stopped")
    assert after.result == Refusal("invalid_token", "withdrawn")
    assert before.entries[0].seq < stop.entries[0].seq
    assert sound(made).size == 4


def test_one_of_sixteen_concurrent_redemptions_succeeds(made, clock):
    def spend(tx, now):
        if ledger.once(tx, b"k" * 32, b"d" * 32, now) is not None:
            return Refusal("invalid_grant"), []
        return "spent", [replace(given("p"), once=Once(b"k" * 32, b"d" * 32))]

    async def story(committer):
        return await asyncio.gather(*(committer.submit(spend) for _ in range(16)))

    results = [answer.result for answer in run(made, clock, story)]
    assert results.count("spent") == 1
    assert results[0] == "spent"


def test_two_committers_never_give_one_number_twice(made, clock):
    if made.dialect == "sqlite":
        pytest.skip("SQLite has one process and one committer (house rule); PostgreSQL has one a process")
    answers = []

    def worker(which):
        lines = [Stream(f"person:{which}-{i}", 0, bytes([which, i]) * 16) for i in range(40)]

        async def story(committer):
            work = (
                committer.submit(lambda tx, now, i=i: (None, [given(f"p{which}-{i}", lines[i])])) for i in range(40)
            )
            answers.extend(await asyncio.gather(*work))

        run(made, clock, story)

    threads = [threading.Thread(target=worker, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.entries[0].seq for answer in answers) == list(range(1, 81))
    assert sound(made).size == 81


class FullDisk:
    """A database whose first commit fails."""

    def __init__(self, database):
        self.dialect, self._database, self.full = database.dialect, database, True

    @contextmanager
    def committing(self):
        with self._database.committing() as tx:
            yield tx
            if self.full:
                self.full = False
                raise OSError("disk full")


def test_a_commit_that_fails_fails_everyone_and_leaves_nothing(made, clock):
    async def story(committer):
        def change(tx, now):
            return tx.execute(note(b"x")) and None, [given("p")]

        return await asyncio.gather(committer.submit(change), return_exceptions=True), await committer.submit(change)

    failed, again = run(FullDisk(made), clock, story)
    assert [type(each) for each in failed] == [OSError]
    assert again.entries[0].seq == 1
    assert noted(made) == [b"x"]


def test_a_caller_that_goes_away_does_not_stop_its_change(made, clock):
    async def story(committer):
        task = asyncio.create_task(committer.submit(lambda tx, now: (None, [given("p")])))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await committer.submit(lambda tx, now: (None, [released("p")]))

    assert run(made, clock, story).entries[0].seq == 2


def test_closing_finishes_what_waits_and_takes_no_more(made, clock):
    async def whole():
        committer = Committer(made, clock=clock)
        waiting = asyncio.gather(
            *(committer.submit(lambda tx, now: (None, [SystemRecord("filler")])) for _ in range(20))
        )
        await asyncio.sleep(0)
        await committer.close()
        assert waiting.done() or len(await waiting) == 20
        with pytest.raises(Closed):
            await committer.submit(lambda tx, now: (None, []))

    asyncio.run(whole())
    assert sound(made).size == 21


@pytest.mark.parametrize("behind", [1, 1_000_000])
def test_a_clock_a_little_behind_is_waited_for(made, clock, now, behind):
    clock.now = now - behind
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        clock.now = now

    if made.dialect == "sqlite":  # there the committer runs on the event loop, which sleeps for nobody
        with pytest.raises(Busy):
            run(made, clock, lambda c: c.submit(lambda tx, at: (at, [SystemRecord("filler")])), sleep=sleep)
        assert (slept, sound(made).size) == ([], 1)
        clock.now = now
    answer = run(made, clock, lambda c: c.submit(lambda tx, at: (at, [SystemRecord("filler")])), sleep=sleep)
    assert answer.result == now
    assert slept == ([] if made.dialect == "sqlite" else [behind / 1_000_000])


@pytest.mark.parametrize("behind", [1_000_001, 10**9])
def test_a_clock_far_behind_is_refused(made, clock, now, behind):
    clock.now = now - behind
    with pytest.raises(ClockBehind):
        run(made, clock, lambda c: c.submit(lambda tx, at: (at, [SystemRecord("filler")])))
    assert sound(made).size == 1


def test_a_change_of_more_than_a_thousand_entries_is_refused(made, clock):
    with pytest.raises(TooManyEntries):
        run(made, clock, lambda c: c.submit(lambda tx, now: (None, [SystemRecord("filler")] * 1001)))


def test_a_batch_without_entries_leaves_no_trace_in_the_ledger(made, clock):
    run(made, clock, lambda c: c.submit(lambda tx, now: (None, [])))
    with made.read() as tx:
        assert tx.execute(select(func.count()).select_from(ledger_batch)).scalar_one() == 1
