"""What a register is to us: one Protocol, what is asked of it and what it answers (the closed list of item statuses)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from broker.people.people import Subject
from consent.release import Sealed

__all__ = ["Check", "Evidence", "Found", "Phase", "Source", "SourceUnavailable", "Status", "Subject", "without_value"]

Status = Literal["provided", "not_held", "not_applicable", "withheld", "source_unavailable"]
Phase = Literal["preview", "release", "issue"]
Check = Callable[[str, Any], object]
"""Refuses a value that has not the shape of its attribute, by raising; the catalogue's own check."""


class SourceUnavailable(Exception):
    """A register did not answer, or not in the agreed form. `reason` is a fixed word; no person and no value in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What became of one attribute: its status; only when `provided` a sealed value. `as_of` is a day or nothing."""

    attribute: str
    status: Status
    value: Sealed[Any] | None = field(repr=False)
    source: str
    as_of: str | None
    retrieved_at: int

    def __post_init__(self) -> None:
        if (self.status == "provided") != (self.value is not None):
            raise ValueError("a value goes with the status provided, and only with it")


class Evidence(Mapping[str, Found]):
    """Attribute to Found, and whether this person can be acted for at all.

    `eligible` is false when a register says that the person has died: then there is no value in it, and the journey
    ends with `access_denied`.
    """

    __slots__ = ("_found", "eligible")

    def __init__(self, found: Iterable[Found], *, eligible: bool = True) -> None:
        self._found = {one.attribute: one for one in found}
        self.eligible = eligible
        if not eligible and any(one.value is not None for one in self._found.values()):
            raise ValueError("nothing is handed over about a person who is not eligible")

    def __getitem__(self, attribute: str) -> Found:
        return self._found[attribute]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        statuses = {attribute: found.status for attribute, found in self._found.items()}
        return f"Evidence({statuses}, eligible={self.eligible})"


def without_value(attributes: Iterable[str], status: Status, source: str, now: int) -> list[Found]:
    """The same answer for several attributes: not held, withheld, not to be had at the moment."""
    return [Found(attribute, status, None, source, None, now) for attribute in attributes]


class Source(Protocol):
    """One register.

    `fetch` is asked for attributes this source is declared to hold and answers for each of them, exactly once. It
    waits for the network only, never blocks the event loop, and may be cancelled at any await. A value is sealed the
    moment it is parsed; nothing else keeps it. A person it does not know is `not_held`, not an error. When it cannot
    answer for some it says `source_unavailable` for those; when it cannot answer at all it raises SourceUnavailable,
    with nothing of the question or the answer in it. `phase` and `reference` (an opaque id of the journey or call) tell
    the register why it is asked. `now` is microseconds since 1970 and becomes `retrieved_at`.
    """

    @property
    def id(self) -> str:
        """The name of its file, as shown to agencies and written to the ledger."""

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        """Ask about one person. Raises SourceUnavailable."""

    async def aclose(self) -> None:
        """Let go of connections and threads; the source is not used afterwards."""
