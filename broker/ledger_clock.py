"""Whether the clock may be believed before the ledger is: a time that is entered cannot be taken back (ledger §5.3).

One entry made while the clock stood a year ahead would have every later one refused for a year.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from consent.errors import ClockAhead, ClockBehind

SECOND = 1_000_000  # microseconds
JUMP = 60 * SECOND  # that a clock may gain on time that passes; time services step by less
SILENCE = 7 * 86_400 * SECOND  # that nothing was entered, when a process begins: it has seen no time pass itself


class LedgerClock:
    """Judges readings of a clock by time that passed, and by the ledger's newest entry; all in microseconds.

    `steady` gives time that passes and is never set; `silence` is the longest that a process believes nothing was entered before
    it began (None: any). A reading that was believed is what later ones are measured from.
    """

    def __init__(self, steady: Callable[[], int], *, silence: int | None = SILENCE) -> None:
        self._steady, self._silence = steady, silence
        self._believed: tuple[int, int] | None = None

    def check(self, now: int, newest: int) -> None:
        """Return when a reading is plausible; `ClockAhead` or `ClockBehind` otherwise, until the clock is right again.

        An entry made near to the reading always makes it plausible: that is how an operator accepts it.
        """
        passed = self._steady()
        if newest - now > JUMP:
            raise ClockBehind("the clock stands behind the ledger's newest entry")
        if self._believed is not None:
            then, before = self._believed
            if now > max(newest, then + passed - before) + JUMP:
                raise ClockAhead("the clock has jumped ahead; set it right, or `semel ledger accept-clock`")
        elif self._silence is not None and now - newest > self._silence:
            days = (now - newest) // (86_400 * SECOND)
            raise ClockAhead(f"nothing was entered for {days} days: if the clock is right, `semel ledger accept-clock`")
        self._believed = now, passed


def passed() -> int:
    """Microseconds since this machine started, sleep included: nobody sets this clock, and no time of day comes from it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def judge(mode: str, *, machine: bool) -> LedgerClock | None:
    """Make the judge of the machine's (or its database's) clock; another clock that is handed in is right by itself.

    A demo or a sandbox may lie for months, production does not fall silent.
    """
    return LedgerClock(passed, silence=SILENCE if mode == "production" else None) if machine else None
