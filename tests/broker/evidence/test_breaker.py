"""The breaker: closed, open, one trial."""

import asyncio

import pytest

from broker.evidence.breaker import Breaker, Guarded
from broker.evidence.source import Evidence, Phase, SourceUnavailable, Status, Subject, without_value

SUBJECT = Subject("p1", "1", {})
ASKED = frozenset({"identity.given_name"})


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(time: Time) -> Breaker:
    breaker = Breaker(time, failures=3, rest=10)
    for _ in range(3):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_it_opens_at_the_last_allowed_failure_in_a_row() -> None:
    breaker = Breaker(Time(), failures=3, rest=10)
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        assert breaker.admit()
        outcome()
    assert breaker.admit()
    breaker.failed()
    assert not breaker.admit()


def test_after_the_rest_one_call_tries_and_its_success_closes() -> None:
    time = Time()
    breaker = opened(time)
    time.now += 9.9
    assert not breaker.admit()
    time.now += 0.1
    assert breaker.admit()
    assert not breaker.admit()
    breaker.succeeded()
    assert breaker.admit()
    assert breaker.admit()


def test_a_failed_trial_opens_again_for_a_whole_rest() -> None:
    time = Time()
    breaker = opened(time)
    time.now += 10
    assert breaker.admit()
    breaker.failed()
    time.now += 9.9
    assert not breaker.admit()
    time.now += 0.1
    assert breaker.admit()


def test_an_abandoned_trial_leaves_the_next_one_free() -> None:
    time = Time()
    breaker = opened(time)
    time.now += 10
    assert breaker.admit()
    breaker.abandoned()
    assert breaker.admit()


class Scripted:
    """A source that does what it is told, once a call."""

    id = "scripted"

    def __init__(self, *script: "Status | Exception | float") -> None:
        self.script = list(script)
        self.calls = 0

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        self.calls += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
            step = "not_held"
        return Evidence(without_value(attributes, step, self.id, now))

    async def aclose(self) -> None:
        """Nothing."""


async def outcome(guarded: Guarded) -> str:
    try:
        answer = await guarded.fetch(SUBJECT, ASKED, phase="preview", reference="r", now=1)
    except SourceUnavailable as unavailable:
        return unavailable.reason
    except ZeroDivisionError:
        return "bug"
    return answer["identity.given_name"].status


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (SourceUnavailable("down"), "down"),
        (ZeroDivisionError(), "bug"),
        (5.0, "slow"),
    ],
)
def test_every_kind_of_failure_counts(step: "Status | Exception | float", said: str) -> None:
    async def run() -> tuple[list[str], int]:
        source = Scripted(step)
        guarded = Guarded(source, 0.02, Breaker(Time(), failures=2))
        return [await outcome(guarded) for _ in range(4)], source.calls

    assert asyncio.run(run()) == ([said, said, "resting", "resting"], 2)


@pytest.mark.parametrize("status", ["not_held", "withheld", "source_unavailable"])
def test_an_answer_is_no_failure_whatever_it_says_of_one_person(status: Status) -> None:
    async def run() -> list[str]:
        guarded = Guarded(Scripted(status), 1, Breaker(Time(), failures=1))
        return [await outcome(guarded) for _ in range(3)]

    assert asyncio.run(run()) == [status] * 3


def test_being_cancelled_says_nothing_about_the_source() -> None:
    async def run() -> str:
        guarded = Guarded(Scripted(5.0, "not_held"), 10, Breaker(Time(), failures=1))
        task = asyncio.create_task(outcome(guarded))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await outcome(guarded)

    assert asyncio.run(run()) == "not_held"
