"""A clock that jumps does not carry the ledger with it: a time that is entered cannot be taken back."""

import asyncio

import pytest

from broker import committer
from broker.committer import Committer
from broker.ledger_clock import JUMP, SECOND, SILENCE, LedgerClock
from broker.publisher import Publisher
from consent import audit, ledger
from consent.checkpoint import Signer
from consent.errors import ClockAhead, ClockBehind
from consent.ledger_entry import SystemRecord
from keys import notes

ORIGIN = "id.example.gov/ledger"
SIGNERS = [Signer.of(ORIGIN, notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]
DAY = 86_400 * SECOND
YEAR = 365 * DAY


class Times:
    """The clock that is set and the one that is not, moved by hand."""

    def __init__(self, now):
        self.now, self.passed = now, 0

    def wait(self, by):
        self.now, self.passed = self.now + by, self.passed + by

    def clock(self):
        return self.now

    def steady(self):
        return self.passed


@pytest.fixture
def times(now):
    return Times(now)


@pytest.fixture
def made(database, now):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, now, vkeys=[str(signer.key) for signer in SIGNERS])
    return database


@pytest.mark.parametrize("back", ["set right", "stays and is accepted"])
def test_a_jump_ahead_enters_nothing_and_blocks_nothing_afterwards(made, times, back):
    judge = LedgerClock(times.steady)

    async def story():
        working = Committer(made, clock=times.clock, judge=judge)

        async def enter():
            return (await working.submit(lambda tx, now: (None, [SystemRecord("filler")]))).entries[0].ts

        try:
            times.wait(DAY)
            await enter()
            times.now += YEAR
            for _ in range(2):
                with pytest.raises(ClockAhead):
                    await enter()
            if back == "set right":
                times.now -= YEAR
            else:
                with made.write() as tx:
                    committer.accept_clock(tx, times.now)
            assert await enter() == times.now
        finally:
            await working.close()

    asyncio.run(story())
    with made.read() as tx:
        assert audit.check(tx, since=0).ts == times.now


def test_a_ledger_that_was_carried_ahead_goes_on_once_an_operator_says_so(made, times, now):
    """A process that begins has seen no time pass; where it entered a wrong time, that is no year of standing still."""

    async def story():
        working = Committer(made, clock=times.clock, judge=LedgerClock(times.steady, silence=None))
        try:
            times.now += YEAR
            await working.submit(lambda tx, now: (None, [SystemRecord("filler")]))
            times.now -= YEAR
            with pytest.raises(ClockBehind):
                await working.submit(lambda tx, now: (None, [SystemRecord("filler")]))
            with made.write() as tx:
                assert committer.accept_clock(tx, times.now) == now + YEAR
            await working.submit(lambda tx, now: (None, [SystemRecord("filler")]))
        finally:
            await working.close()

    asyncio.run(story())
    with made.read() as tx:
        assert audit.check(tx, since=0).ts == now


@pytest.mark.parametrize(("after", "believed"), [(JUMP, True), (DAY, True), (SILENCE, True), (SILENCE + 1, False)])
def test_a_process_that_begins_believes_a_silence_of_some_days(times, now, after, believed):
    if believed:
        LedgerClock(times.steady).check(now + after, now)
    else:
        with pytest.raises(ClockAhead, match="accept-clock"):
            LedgerClock(times.steady).check(now + after, now)


def test_time_that_passes_and_small_steps_are_no_jump(times, now):
    judge = LedgerClock(times.steady)
    judge.check(now, now)
    for step in (0, JUMP, SECOND, -JUMP):
        times.wait(DAY)
        judge.check(times.now + step, now)
    times.wait(YEAR)
    judge.check(times.now, now)
    with pytest.raises(ClockAhead):
        judge.check(times.now + 3 * JUMP, now)
    with pytest.raises(ClockBehind):
        judge.check(times.now, times.now + 2 * JUMP)


@pytest.mark.parametrize(("off", "why"), [(YEAR, ClockAhead), (-YEAR, ClockBehind)])
def test_nothing_is_signed_by_a_clock_that_is_not_believed(made, times, tmp_path, off, why):
    """A checkpoint's second signature says when it was made (C2SP tlog-cosignature)."""
    folder = tmp_path / "ledger"
    publisher = Publisher(made, folder, SIGNERS, clock=times.clock, judge=LedgerClock(times.steady))
    times.now += off
    with pytest.raises(why):
        publisher.publish_once()
    assert not (folder / "checkpoint").exists()
    assert publisher.alarm.standing() is None
    times.now -= off
    publisher.publish_once()
    assert audit.verify_folder(folder).ok
