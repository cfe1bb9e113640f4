"""Asking every register at once: nobody waits for the slowest, nobody pays for another's fault."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from broker.evidence.collect import collect
from broker.evidence.source import Evidence, Found, Phase, Source, SourceUnavailable, Subject
from consent import release

SUBJECT = Subject("p1", "9000000103", {})
ROUTING = {"a.one": "a", "a.two": "a", "b.one": "b"}


class Register:
    """A source with one behaviour."""

    def __init__(self, name: str, behaves: Callable[[frozenset[str]], Any] | None = None, waits: float = 0) -> None:
        self.id, self.behaves, self.waits = name, behaves, waits
        self.asked: list[tuple[frozenset[str], str, str]] = []
        self.cancelled = False
        self.together: asyncio.Barrier | None = None

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        self.asked.append((attributes, phase, reference))
        try:
            await asyncio.sleep(self.waits)
            if self.together:
                await self.together.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.behaves:
            made: Evidence = self.behaves(attributes)
            return made
        return Evidence(Found(one, "provided", release.seal(one), self.id, None, now) for one in attributes)

    async def aclose(self) -> None:
        """Nothing."""


def ask(*sources: Register, wanted: tuple[str, ...] = tuple(ROUTING), cut: float = 0.2) -> Evidence:
    async def run() -> Evidence:
        by_id: dict[str, Source] = {source.id: source for source in sources}
        return await collect(by_id, ROUTING, SUBJECT, wanted, phase="preview", reference="j1", now=42, cut=cut)

    return asyncio.run(run())


def statuses(found: Evidence) -> dict[str, str]:
    return {attribute: one.status for attribute, one in found.items()}


def test_each_source_is_asked_once_for_its_own_and_at_the_same_time() -> None:
    a, b = Register("a"), Register("b")
    a.together = b.together = asyncio.Barrier(2)  # neither answers before both were asked
    found = ask(a, b, cut=60)
    assert statuses(found) == dict.fromkeys(ROUTING, "provided")
    assert a.asked == [(frozenset({"a.one", "a.two"}), "preview", "j1")]
    assert b.asked == [(frozenset({"b.one"}), "preview", "j1")]
    assert {one.retrieved_at for one in found.values()} == {42}


def raises(error: Exception) -> Callable[[frozenset[str]], Any]:
    def behave(_: frozenset[str]) -> Any:
        raise error

    return behave


@pytest.mark.parametrize(
    "broken",
    [
        Register("a", raises(SourceUnavailable("down"))),
        Register("a", raises(KeyError("9000000103"))),
        Register("a", raises(asyncio.CancelledError())),  # type: ignore[arg-type]  # a source may well do this
        Register("a", waits=3600),
        Register("a", lambda asked: Evidence([])),
        Register("a", lambda asked: Evidence([Found("b.one", "not_held", None, "a", None, 1)])),
        Register("a", lambda asked: None),
    ],
    ids=["unavailable", "bug", "cancelled", "slow", "silent", "of others", "nothing"],
)
def test_a_broken_source_costs_its_own_attributes_only(broken: Register, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(broken, Register("b"))
    assert statuses(found) == {"a.one": "source_unavailable", "a.two": "source_unavailable", "b.one": "provided"}
    said = capsys.readouterr()
    assert "9000000103" not in said.out + said.err


def test_what_comes_after_the_cut_is_stopped() -> None:
    slow = Register("a", waits=3600)
    ask(slow, Register("b"))
    assert slow.cancelled


def test_a_source_that_will_not_be_stopped_does_not_hold_the_answer() -> None:
    answered = asyncio.Event()

    class Stubborn(Register):
        async def fetch(self, *args: Any, **kwargs: Any) -> Evidence:
            try:
                return await super().fetch(*args, **kwargs)
            except asyncio.CancelledError:
                await answered.wait()
                raise

    async def run() -> Evidence:
        sources: dict[str, Source] = {"a": Stubborn("a", waits=3600)}
        async with asyncio.timeout(60):
            found = await collect(sources, ROUTING, SUBJECT, ["a.one"], phase="preview", reference="j", now=1, cut=0.05)
        answered.set()
        return found

    assert statuses(asyncio.run(run())) == {"a.one": "source_unavailable"}


def test_an_attribute_nobody_holds_is_not_held_and_one_of_a_missing_source_is_unavailable() -> None:
    found = ask(Register("b"), wanted=("x.y", "a.one", "b.one"))
    assert statuses(found) == {"x.y": "not_held", "a.one": "source_unavailable", "b.one": "provided"}


def test_nothing_asked_nothing_answered() -> None:
    found = ask(Register("a"), wanted=())
    assert len(found) == 0
    assert found.eligible


def test_one_register_that_knows_of_a_death_ends_it_for_all() -> None:
    def dead(asked: frozenset[str]) -> Evidence:
        return Evidence((Found(one, "not_held", None, "a", None, 1) for one in asked), eligible=False)

    found = ask(Register("a", dead), Register("b"))
    assert not found.eligible
    assert statuses(found) == dict.fromkeys(ROUTING, "not_held")


def test_whoever_asks_may_go_away() -> None:
    """The caller's cancellation reaches the sources."""
    slow = Register("a", waits=3600)

    async def run() -> None:
        call = collect({"a": slow}, ROUTING, SUBJECT, ["a.one"], phase="preview", reference="j", now=1)
        task = asyncio.create_task(call)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(run())
    assert slow.cancelled
