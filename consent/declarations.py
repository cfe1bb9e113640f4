"""What the operator's files have in common: strict TOML, texts in every language, errors that name the file."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from consent.errors import BadDeclaration

LANGUAGES = ("en", "ar")
LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")

ID = r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9_-]*)+"


def _complete(words: dict[str, str]) -> dict[str, str]:
    missing = [language for language in LANGUAGES if not words.get(language, "").strip()]
    if missing:
        raise ValueError(f"no text in {', '.join(missing)}")
    for language, text in words.items():
        if not LANGUAGE_TAG.fullmatch(language):
            raise ValueError(f"{language!r} is not a language tag")
        if text != " ".join(text.split()) or not text.isprintable():
            raise ValueError(f"stray white space or control characters in {language}")
    return words


#: One text in every language of the house, keyed by language tag (RFC 5646).
Words = Annotated[dict[str, str], AfterValidator(_complete)]
#: A short fixed text.
Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
#: A dotted id such as `norr.childcare-allowance` or `identity.given_name`.
Id = Annotated[str, StringConstraints(pattern=f"^{ID}$", max_length=100)]


class Declared(BaseModel):
    """A table of a TOML file: frozen, exact types, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


D = TypeVar("D", bound=BaseModel)
T = TypeVar("T")

#: TOML has arrays; what is read must not change.
Several = Annotated[tuple[T, ...], Field(strict=False)]


def read(path: Path, shape: type[D]) -> D:
    """Read one TOML file as `shape`.

    Raises `BadDeclaration` naming the file and every place in it that is wrong: syntax, unknown key, missing text.
    """
    try:
        return shape.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as problem:
        raise BadDeclaration(f"{path.name}: {_said(problem)}") from problem


@contextmanager
def gathering(found: list[str]) -> Iterator[None]:
    """Write down what a file declares wrongly and go on: the operator hears of every fault at once. See `refuse`."""
    try:
        yield
    except BadDeclaration as problem:
        found.append(problem.description)


def refuse(found: Sequence[str]) -> None:
    """Raise one `BadDeclaration` with every fault that was gathered, a line for each; return when there is none."""
    if found:
        raise BadDeclaration("\n".join(found))


def listed(folder: Path) -> list[Path]:
    """Name the TOML files of a folder in order. Raises `BadDeclaration` when there is none."""
    found = sorted(folder.glob("*.toml"))
    if not found:
        raise BadDeclaration(f"{folder.name}: no declarations")
    return found


def _said(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(f"{_place(error['loc'])}: {error['msg']}" for error in problem.errors(include_url=False))


def _place(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location) or "(file)"
