"""What the sample registers know, read from the personas file: the one source of every made-up person."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Person:
    """One person as the registers have them; `population` and `tax` are None where a register has no record."""

    number: str
    population: dict[str, Any] | None
    children: list[dict[str, Any]] = field(default_factory=list)
    tax: dict[str, Any] | None = None


def read(personas: Path) -> list[Person]:
    """Everyone in `personas.toml`, in its order."""
    declared = tomllib.loads(personas.read_text("utf-8"))["personas"]
    return [
        Person(one["person_number"], one.get("population"), one.get("children", []), one.get("tax")) for one in declared
    ]
