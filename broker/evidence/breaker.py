"""A circuit breaker for each source: after repeated failures it is left alone for a while, then tried by one call."""

import asyncio
from collections.abc import Callable

from broker.evidence.source import Evidence, Phase, Source, SourceUnavailable, Subject

FAILURES = 5
REST_SECONDS = 10.0


class Breaker:
    """Counts failures in a row. `clock` gives seconds that only go forward."""

    def __init__(self, clock: Callable[[], float], failures: int = FAILURES, rest: float = REST_SECONDS) -> None:
        self._clock, self._limit, self._rest = clock, failures, rest
        self._failed = 0
        self._opened: float | None = None
        self._trying = False

    def admit(self) -> bool:
        """Whether a call may go out now; after the rest one at a time, until one has succeeded."""
        if self._opened is None:
            return True
        if self._trying or self._clock() - self._opened < self._rest:
            return False
        self._trying = True
        return True

    @property
    def resting(self) -> bool:
        """Whether it is left alone now."""
        return self._opened is not None

    def succeeded(self) -> None:
        """The register answered: everything is as new."""
        self._failed, self._opened, self._trying = 0, None, False

    def failed(self) -> None:
        """The register did not answer; the last allowed failure, or the trial's, opens the breaker."""
        self._failed += 1
        if self._trying or self._failed >= self._limit:
            self._opened, self._trying = self._clock(), False

    def abandoned(self) -> None:
        """The caller went away before there was an answer: this says nothing about the register."""
        self._trying = False


def _loop_clock() -> float:
    return asyncio.get_running_loop().time()


class Guarded:
    """A source behind its breaker, and cut after `seconds`."""

    def __init__(self, source: Source, seconds: float, breaker: Breaker | None = None) -> None:
        self._source, self._seconds = source, seconds
        self._breaker = breaker or Breaker(_loop_clock)

    @property
    def id(self) -> str:
        """The guarded source's own id."""
        return self._source.id

    @property
    def answers(self) -> bool:
        """Whether it is being asked: not after repeated failures, until one call has succeeded."""
        return not self._breaker.resting

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        """Ask the source unless it is resting; no answer and a late one count as failures.

        One with holes does not: what is wrong in one person's record must not close the register for everyone.
        """
        if not self._breaker.admit():
            raise SourceUnavailable("resting")
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._source.fetch(subject, attributes, phase=phase, reference=reference, now=now)
        except asyncio.CancelledError:
            self._breaker.abandoned()
            raise
        except TimeoutError:
            self._breaker.failed()
            raise SourceUnavailable("slow") from None
        except Exception:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    async def aclose(self) -> None:
        """Close the guarded source."""
        await self._source.aclose()
