"""The data catalogue: what an attribute means, where it comes from, how sensitive it is, how people read it.

Declared by the operator in `openid-config/catalogue/`, a file for each bundle, and `openid-config/registers.toml`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, StringConstraints

from consent import declarations, value
from consent.declarations import Declared, Id, Words
from consent.errors import BadDeclaration, BadValue, UnknownAttribute

Editable = Literal["never", "confirm", "yes"]

_FRESHNESS = re.compile(r"(\d+)([dy])")
_DAYS = {"d": 1, "y": 365}
_AS_IT_IS = value.Writing()
_YEARLY_DAYS = 400  # a year's figures stay the newest until the next year's are out


@dataclass(frozen=True)
class Attribute:
    """One thing that can be known about a person. `max_age_days` is None when a value does not age, 0 when it is live."""

    id: str
    bundle: str
    type: str
    source: str
    sensitivity: int
    freshness: str
    max_age_days: int | None
    editable: Editable
    protectable: bool
    labels: Mapping[str, str]
    help: Mapping[str, str]
    terms: Mapping[str, str]
    vocabulary: str
    vocabulary_version: int
    codes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Bundle:
    """A group of attributes that people understand together. `version` is raised when a text or a meaning changes."""

    id: str
    version: int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Correction:
    """How a person has a mistake in a register corrected, in every language, and where (empty: nowhere on the web)."""

    text: Mapping[str, str]
    url: str


@dataclass(frozen=True)
class Catalogue:
    """All attributes by id, their bundles, what people call the registers, and how their mistakes are corrected."""

    attributes: Mapping[str, Attribute]
    bundles: Mapping[str, Bundle]
    registers: Mapping[str, Mapping[str, str]]
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    def attribute(self, attribute_id: str) -> Attribute:
        """Give one attribute. Raises `UnknownAttribute`."""
        try:
            return self.attributes[attribute_id]
        except KeyError as problem:
            raise UnknownAttribute(attribute_id[:100]) from problem

    def register(self, source: str, language: str) -> str:
        """Name a register for people; an unknown one goes by its id."""
        return self.registers.get(source, {}).get(language, source)


class _Terms(Declared):
    """What other vocabularies call the attribute."""

    oidc: str = ""
    pid: str = ""
    core: str = ""
    schema_org: str = ""


class _Attribute(Declared):
    type: str
    source: str
    sensitivity: Annotated[int, Field(ge=0, le=3)]
    freshness: Annotated[str, StringConstraints(pattern=r"^(\d+[dy]|none|live|yearly|document)$")]
    editable: Editable = "never"
    protectable: bool = False
    vocabulary: str = ""
    terms: _Terms = _Terms()
    label: Words
    help: Words | None = None


class _Vocabulary(Declared):
    version: Annotated[int, Field(ge=1)]
    codes: dict[str, Words]


class BundleFile(Declared):
    """A file of `catalogue/`."""

    version: Annotated[int, Field(ge=1)]
    label: Words
    attributes: dict[Id, _Attribute]
    vocabularies: dict[str, _Vocabulary] = Field(default_factory=dict)


class RegistersFile(RootModel[dict[str, Words]]):
    """`registers.toml`: a table of names for each source."""


class _Correction(Declared):
    text: Words
    url: Annotated[str, StringConstraints(pattern=r"^(https://[^\s<>\"]+)?$")] = ""


class CorrectionsFile(RootModel[dict[str, _Correction]]):
    """`corrections.toml`: a table for each source; the file may be missing."""


def load(config_dir: Path) -> Catalogue:
    """Read the operator's catalogue. Raises `BadDeclaration` naming the file and what is wrong in it."""
    registers = declarations.read(config_dir / "registers.toml", RegistersFile).root
    attributes: dict[str, Attribute] = {}
    bundles: dict[str, Bundle] = {}
    faults: list[str] = []
    for path in declarations.listed(config_dir / "catalogue"):
        with declarations.gathering(faults):
            declared = declarations.read(path, BundleFile)
            bundles[path.stem] = Bundle(path.stem, declared.version, declared.label)
            for attribute_id, one in declared.attributes.items():
                with declarations.gathering(faults):
                    if attribute_id in attributes:
                        raise BadDeclaration(f"{path.name}: {attribute_id} is declared twice")
                    attributes[attribute_id] = _attribute(path, attribute_id, one, declared.vocabularies, registers)
    corrections: dict[str, Correction] = {}
    with declarations.gathering(faults):
        corrections = _corrections(config_dir / "corrections.toml", registers)
    declarations.refuse(faults)
    return Catalogue(attributes, bundles, registers, corrections)


def _corrections(path: Path, registers: Mapping[str, Mapping[str, str]]) -> dict[str, Correction]:
    declared = declarations.read(path, CorrectionsFile).root if path.exists() else {}
    unknown = sorted(declared.keys() - registers.keys())
    if unknown:
        raise BadDeclaration(f"{path.name}: registers.toml does not name {', '.join(unknown)}")
    return {source: Correction(one.text, one.url) for source, one in declared.items()}


def _attribute(
    path: Path,
    attribute_id: str,
    one: _Attribute,
    vocabularies: Mapping[str, _Vocabulary],
    registers: Mapping[str, Mapping[str, str]],
) -> Attribute:
    where = f"{path.name}: {attribute_id}"
    if one.type not in value.KINDS:
        raise BadDeclaration(f"{where}: no type {one.type}")
    if one.source not in registers:
        raise BadDeclaration(f"{where}: registers.toml does not name {one.source}")
    if one.vocabulary and one.vocabulary not in vocabularies:
        raise BadDeclaration(f"{where}: no vocabulary {one.vocabulary} in this file")
    words = vocabularies.get(one.vocabulary)
    return Attribute(
        id=attribute_id,
        bundle=path.stem,
        type=one.type,
        source=one.source,
        sensitivity=one.sensitivity,
        freshness=one.freshness,
        max_age_days=_max_age(one.freshness),
        editable=one.editable,
        protectable=one.protectable,
        labels=one.label,
        help=one.help or {},
        terms={name: term for name, term in one.terms.model_dump().items() if term},
        vocabulary=one.vocabulary,
        vocabulary_version=words.version if words else 0,
        codes=words.codes if words else {},
    )


def _max_age(freshness: str) -> int | None:
    found = _FRESHNESS.fullmatch(freshness)
    if found:
        return int(found[1]) * _DAYS[found[2]]
    return {"live": 0, "yearly": _YEARLY_DAYS}.get(freshness)


def check_value(attribute: Attribute, given: Any) -> None:
    """Refuse a value that has not the attribute's shape. Raises `BadValue`, which names the attribute only."""
    try:
        value.check(attribute.type, attribute.codes, given)
    except BadValue as problem:
        raise BadValue(f"{attribute.id}: {problem.description}") from None


def display(attribute: Attribute, given: Any, language: str, writing: value.Writing = _AS_IT_IS) -> list[str]:
    """Say a value of the right shape to a person, a line for each thing.

    `writing`: how the reader's language writes dates, amounts, languages and countries; without it they stay as they are.
    """
    return value.lines(attribute.type, attribute.codes, given, language, writing)


def label(attribute: Attribute, given: Any) -> Mapping[str, str] | None:
    """Give the text of a coded value in every language, None for values that speak for themselves."""
    return attribute.codes.get(given) if isinstance(given, str) else None


def stale(attribute: Attribute, as_of: str | None, now: int) -> bool:
    """Say whether a value of day `as_of` is older than its attribute allows at `now` (microseconds)."""
    if as_of is None or not attribute.max_age_days:
        return False
    today = datetime.fromtimestamp(now / 1_000_000, UTC).date()
    return (today - date.fromisoformat(as_of)).days > attribute.max_age_days
