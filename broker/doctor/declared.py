"""The operator's declarations as a whole: every fault of every file at once, with its line; and the shape each file must have."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from broker import personas
from broker.clients.metadata import ClientMetadata
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import BadClient, Registry
from broker.clients.software import Registration
from broker.doctor.facts import Declared
from broker.egress import Egress
from broker.evidence import assured, registers
from broker.evidence.connectors import account, rest, sql
from broker.pages import operator_texts
from broker.settings import Settings
from consent import catalogue, intended_use, sign_in
from consent import errors as consent_errors
from consent.receipt import Operator
from keys import errors as keys_errors
from wallet import credential_type
from wallet import errors as wallet_errors

PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
NAMED = re.compile(r"[A-Za-z0-9_-]+(?:[.@][A-Za-z0-9_-]+)+|[a-z]+_[a-z_]+")  # ids and members, as messages name them
HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?")
MEMBER = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*[^=]+)?\s*=""")
PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")
BY_CONNECTOR: Mapping[str, type[BaseModel]] = {
    "sql": sql.Declaration,
    "rest": rest.Declaration,
    "account": account.Declaration,
}
#: Every kind of file: where it lies, and its shape. `sources/` have one for each connector.
FILES: Mapping[str, type[BaseModel]] = {
    "broker.toml": Operator,
    "registers.toml": catalogue.RegistersFile,
    "corrections.toml": catalogue.CorrectionsFile,
    "scopes.toml": intended_use.ScopesFile,
    "sign-in.toml": sign_in.SignInFile,
    "assurance.toml": assured.Assurance,
    "registration.toml": Registration,
    "pages/*.toml": operator_texts.PagesFile,
    "catalogue/*.toml": catalogue.BundleFile,
    "uses/*.toml": intended_use.IntendedUse,
    "clients/*.toml": ClientMetadata,
    "credentials/*.toml": credential_type.CredentialType,
}
#: What the readers of declarations raise for a file that is wrong.
FAULTY = (
    consent_errors.BadDeclaration,
    BadClient,
    wallet_errors.InvalidCredentialType,
    keys_errors.InvalidCertificate,
    OSError,
)


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong: the file below the folder of declarations, its line (1 is the first), and what it is."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def look(settings: Settings) -> Declared:
    """Say what stands in the folder of declarations, for the doctor's facts."""
    folder = settings.config_dir
    if not folder.is_dir():
        return Declared(str(folder), missing=True)
    open_, found = placeholders(folder), faults(settings)
    return Declared(str(folder), faults=tuple(map(str, found)), placeholders=tuple(map(str, open_)))


def placeholders(folder: Path) -> tuple[Fault, ...]:
    """Find what the demo fills in and nobody filled in here."""
    return tuple(
        Fault(file.relative_to(folder).as_posix(), number, f"{found[0]} was not filled in")
        for file in sorted(folder.rglob("*.toml"))
        for number, line in enumerate(_text(file).splitlines(), start=1)
        if (found := PLACEHOLDER.search(line.partition("#")[0]))
    )


def faults(settings: Settings) -> tuple[Fault, ...]:
    """Find every fault of every file: of its form, of its shape, and of what it says beside the others."""
    folder = settings.config_dir
    shapes = [fault for file, shape in _files(folder) for fault in _of_shape(folder, file, shape)]
    wrong = {fault.file for fault in shapes}
    meanings = [fault for fault in _of_meaning(settings) if fault.file not in wrong]
    return tuple(sorted({*shapes, *meanings}))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of each kind of file (draft 2020-12), by its place; and of the settings under `SEMEL_…`."""
    sources = {f"sources/*.toml ({name})": shape for name, shape in BY_CONNECTOR.items()}
    made = {place: shape.model_json_schema() for place, shape in {**FILES, **sources}.items()}
    settings = Settings.model_json_schema()
    members = {f"SEMEL_{name.upper()}": member for name, member in settings.pop("properties").items()}
    return {"environment": {**settings, "properties": members}, **made}


def _files(folder: Path) -> Iterator[tuple[Path, type[BaseModel] | None]]:
    for place, shape in FILES.items():
        yield from ((file, shape) for file in sorted(folder.glob(place)))
    for file in sorted(folder.glob("sources/*.toml")):
        yield file, None


def _of_shape(folder: Path, file: Path, shape: type[BaseModel] | None) -> Iterator[Fault]:
    name, text = file.relative_to(folder).as_posix(), _text(file)
    try:
        content = tomllib.loads(text)
        chosen = shape or BY_CONNECTOR[content.get("connector", "")]
        given = {**content, "id": file.stem} if chosen is credential_type.CredentialType else content
        chosen.model_validate(given)
    except tomllib.TOMLDecodeError as problem:
        found = re.search(r"line (\d+)", str(problem))
        yield Fault(name, int(found[1]) if found else max(1, len(text.splitlines())), f"not TOML: {problem}")
    except (KeyError, TypeError):
        yield Fault(name, line_of(text, ("connector",)), f"connector: one of {', '.join(BY_CONNECTOR)}")
    except ValidationError as problem:
        for error in problem.errors(include_url=False, include_input=False):
            place = ".".join(map(str, error["loc"]))
            yield Fault(name, line_of(text, error["loc"]), f"{place}: {error['msg']}" if place else error["msg"])


def _of_meaning(settings: Settings) -> Iterator[Fault]:
    """Ask each reader of declarations, as the server does at its start; what one refuses is put where it stands."""
    folder, egress = settings.config_dir, Egress()
    for read in _readers(settings, egress):
        try:
            read()
        except FAULTY as problem:
            for said in str(problem).splitlines():
                yield _placed(folder, said)


def _readers(settings: Settings, egress: Egress) -> Sequence[Callable[[], object]]:
    folder = settings.config_dir

    def known() -> catalogue.Catalogue:
        return catalogue.load(folder)

    def clients() -> object:
        offered = MutualTls.load(settings.mtls_origin, settings.client_ca_file)
        return Registry.load(folder, egress, mode=settings.mode, mutual_tls=offered)

    def people() -> object:
        return personas.load(folder) if settings.mode != "production" and (folder / "personas.toml").exists() else None

    return (
        lambda: operator_texts.load(folder),
        lambda: sign_in.uses(folder, known()),
        lambda: registers.load(folder, egress=egress, known=known()),
        lambda: credential_type.load(folder),
        clients,
        people,
    )


def _placed(folder: Path, said: str) -> Fault:
    """Find the file that a sentence begins with, and the line with the first id it names."""
    name, _, what = said.partition(": ")
    bare = name.rsplit("/", 1)[-1]
    files = [file for file in sorted(folder.rglob("*.toml")) if file.name == bare or said.startswith(str(file))]
    if not files:
        return Fault("(all)", 1, said)
    text = _text(files[0]).splitlines()
    lines = (number for word in NAMED.findall(what) for number, line in enumerate(text, 1) if word in line)
    return Fault(files[0].relative_to(folder).as_posix(), next(lines, 1), what or said)


def line_of(text: str, location: Sequence[int | str]) -> int:
    """Return the line (1 is the first) where a member of a TOML text stands, or as much of its path as is there.

    `location` as pydantic gives it: names of tables and members, and numbers of elements of an array.
    """
    best, length, at = 1, 0, tuple[str | int, ...]()
    counted: dict[tuple[str | int, ...], int] = {}
    wanted = tuple(location)
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.fullmatch(line):
            at = tuple(next(filter(None, part), "") for part in PART.findall(header[2]))
            if header[1] == "[[":
                counted[at] = counted.get(at, -1) + 1
            at = _numbered(at, counted)
            here = at
        elif member := MEMBER.match(line):
            here = (*at, member[1].strip("\"'"))
        else:
            continue
        shared = next((i for i, (one, other) in enumerate(zip(here, wanted, strict=False)) if one != other), None)
        shared = min(len(here), len(wanted)) if shared is None else shared
        if shared > length:
            best, length = number, shared
    return best


def _numbered(at: tuple[str | int, ...], counted: Mapping[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """Put into a table's path which element of an array of tables each part of it is."""
    path: list[str | int] = []
    names: tuple[str | int, ...] = ()
    for name in at:
        names = (*names, name)
        path.append(name)
        if names in counted:
            path.append(counted[names])
    return tuple(path)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
