"""Intended uses: who may ask for what, why, on which legal basis and for how long (ETSI TS 119 475, ISO/IEC TS 27560).

Declared by the operator in `openid-config/uses/<id>.toml`, or `<id>@<version>.toml` for a version that is kept for the
permissions given under it. The highest version of an id is the one in force. `scopes.toml` beside them says which items
a scope word such as `email` stands for (OpenID Connect Core §5.4).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, RootModel, model_validator

from consent import catalogue, declarations
from consent.catalogue import Catalogue
from consent.declarations import Declared, Id, Line, Several, Words
from consent.errors import BadDeclaration, UnknownUse
from keys import canonical

if TYPE_CHECKING:
    from consent.sign_in import SignIn

LOA = "http://eidas.europa.eu/LoA/"
ACR = (LOA + "low", LOA + "substantial", LOA + "high")

#: The built-in use of whoever asks for a sign-in and nothing else (`consent.sign_in`).
SIGN_IN = "semel.sign-in"

#: By sensitivity class: the longest permission in days, and the lowest assurance of the person who gives it.
CEILING_DAYS = {0: 1095, 1: 1095, 2: 365, 3: 90}
ASSURANCE = {0: 0, 1: 0, 2: 1, 3: 2}


class Controller(Declared):
    """The body that answers for the data once it has it (GDPR art. 4(7))."""

    id: Line
    scheme: Line
    name: Words
    domain: Line
    country: Line
    address: Words
    contact: Line
    data_protection_contact: Line
    erasure_contact: Line
    supervisory_authority: Words


class LegalBasis(Declared):
    """Why it is lawful: a code of the Data Privacy Vocabulary, the article, and plain words."""

    code: Line
    article: Line
    text: Words


class Alternative(Declared):
    """The other way to the same service, for whoever does not want to share."""

    text: Words
    url: Annotated[Line, Field(pattern=r"^(https?://|\$\{)[!-~]+$")]  # it becomes a link: no other scheme


class Processor(Declared):
    """Another agency that may act for the controller, inside what the person gave it (GDPR art. 28); `client_id` is its own."""

    client_id: Line
    name: Words
    reason: Words


class UseItem(Declared):
    """One item of a use. `sensitivity` is the catalogue's class; `retention_days` how long the agency keeps the value."""

    id: Id
    required: bool
    reason: Words
    retention_days: Annotated[int, Field(ge=1, le=36_500)]
    sensitivity: int = Field(default=0, exclude=True)


class IntendedUse(Declared):
    """One version of one use. `ceiling_days` and `durations` (ascending, in days) are those of an ongoing use."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    client_id: Line
    mode: Literal["consent", "explicit_request"]
    kind: Literal["once", "ongoing"]
    ceiling_days: int | None = None
    durations: Several[int] = ()
    minimum_acr: Literal[
        "http://eidas.europa.eu/LoA/low", "http://eidas.europa.eu/LoA/substantial", "http://eidas.europa.eu/LoA/high"
    ]
    purpose_code: Line
    direct_return: bool = False
    replaces_documents: Several[Line] = ()
    title: Words
    purpose: Words
    legal_basis: LegalBasis
    controller: Controller
    processors: Several[Processor] = ()
    items: Several[UseItem]
    consequence: Words
    alternative: Alternative

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        twice = [item for item, count in Counter(item.id for item in self.items).items() if count > 1]
        if twice or not self.items:
            raise ValueError(f"items named twice: {' '.join(twice)}" if twice else "no items")
        acting = [self.client_id, *(one.client_id for one in self.processors)]
        if len(set(acting)) < len(acting):
            raise ValueError("a processor is named once, and is not the client itself")
        if self.kind == "once" and (self.ceiling_days is not None or self.durations):
            raise ValueError("a use of kind once has no ceiling and no durations")
        if self.kind == "ongoing":
            ascending = sorted({days for days in self.durations if days >= 1})
            if not ascending or list(self.durations) != ascending or ascending[-1] != self.ceiling_days:
                raise ValueError("an ongoing use offers durations, shortest first, up to its ceiling_days")
        return self

    @property
    def digest(self) -> bytes:
        """SHA-256 of the use's canonical JSON: what a record cites. Members that came later are in it where they are used."""
        members = self.model_dump(mode="json")
        if not self.processors:
            del members["processors"]
        return hashlib.sha256(canonical.dumps(members)).digest()

    @property
    def purpose_id(self) -> str:
        """The use and its version as the ledger writes them."""
        return f"{self.id}@{self.version}"

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The ids of all registered items, in the order they are shown."""
        return tuple(item.id for item in self.items)

    def processor(self, client_id: str) -> Processor | None:
        """Give the processor that is this client; None when it is none of this use."""
        return next((one for one in self.processors if one.client_id == client_id), None)

    def item(self, item_id: str) -> UseItem:
        """Give one registered item. Raises `KeyError`."""
        return {item.id: item for item in self.items}[item_id]


@dataclass(frozen=True)
class Uses:
    """Every registered use, by id and version.

    `words` and `claims` say which items a scope word and a claim's name stand for (OpenID Connect Core §5.1, §5.4), `bundles` in
    which bundle of the catalogue an item is; `sign_in` is what those get that have no use of their own.
    """

    versions: Mapping[tuple[str, int], IntendedUse]
    current: Mapping[str, IntendedUse]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    bundles: Mapping[str, str] = field(default_factory=dict)
    sign_in: "SignIn | None" = None

    def named(self) -> Mapping[str, str]:
        """Say by which claim each item goes that has one."""
        return {item: claim for claim, item in self.claims.items()}

    def get(self, use_id: str) -> IntendedUse:
        """Give the version in force. Raises `UnknownUse`."""
        if use_id == SIGN_IN and self.sign_in is not None:
            return self.sign_in.template
        try:
            return self.current[use_id]
        except KeyError as problem:
            raise UnknownUse("no such use") from problem

    def version(self, use_id: str, version: int) -> IntendedUse:
        """Give one version, in force or kept; of the built-in one, the only one there is. Raises `UnknownUse`."""
        if use_id == SIGN_IN and self.sign_in is not None:
            return self.sign_in.template
        try:
            return self.versions[use_id, version]
        except KeyError as problem:
            raise UnknownUse("no such version of the use") from problem

    def by_purpose(self, purpose: str) -> IntendedUse:
        """Give the use that the ledger calls `use@version`. Raises `UnknownUse`."""
        use_id, _, version = purpose.partition("@")
        return self.version(use_id, int(version) if version.isascii() and version.isdigit() else 0)

    def of_client(self, client_id: str) -> tuple[IntendedUse, ...]:
        """Give the uses in force of one client."""
        return tuple(use for use in self.current.values() if use.client_id == client_id)


def load(config_dir: Path) -> Uses:
    """Read the operator's uses and hold them against the catalogue.

    Raises `BadDeclaration` naming the file: an unknown key, a missing text, an item the catalogue does not have, a
    ceiling above what the items' class allows, an assurance below what it needs.
    """
    known = catalogue.load(config_dir)
    read: list[IntendedUse] = []
    faults: list[str] = []
    for path in declarations.listed(config_dir / "uses"):
        with declarations.gathering(faults):
            read.append(_read(path, known))
    declarations.refuse(faults)
    uses = collect(read)
    named = {one.terms["oidc"]: one.id for one in known.attributes.values() if "oidc" in one.terms}
    bundles = {one.id: one.bundle for one in known.attributes.values()}
    return replace(uses, words=_scope_words(config_dir, known), claims=named, bundles=bundles)


class ScopesFile(RootModel[dict[str, Several[Id]]]):
    """`scopes.toml`: a scope word and the items it stands for."""


def _scope_words(config_dir: Path, known: Catalogue) -> Mapping[str, tuple[str, ...]]:
    words = declarations.read(config_dir / "scopes.toml", ScopesFile).root
    unknown = {item for items in words.values() for item in items} - known.attributes.keys()
    if unknown:
        raise BadDeclaration(f"scopes.toml: not in the catalogue: {' '.join(sorted(unknown))}")
    return words


def collect(declared: Iterable[IntendedUse]) -> Uses:
    """Make uses findable by id and version; the highest version of an id is in force."""
    versions: dict[tuple[str, int], IntendedUse] = {}
    current: dict[str, IntendedUse] = {}
    for use in declared:
        if (use.id, use.version) in versions:
            raise BadDeclaration(f"{use.purpose_id} is declared twice")
        versions[use.id, use.version] = use
        if use.id not in current or current[use.id].version < use.version:
            current[use.id] = use
    return Uses(versions, current)


def _read(path: Path, known: Catalogue) -> IntendedUse:
    use = declarations.read(path, IntendedUse)
    if path.stem not in {use.id, use.purpose_id}:
        raise BadDeclaration(f"{path.name}: the file of {use.purpose_id} is {use.id}.toml or {use.purpose_id}.toml")
    try:
        return check(use, known)
    except BadDeclaration as problem:
        raise BadDeclaration(f"{path.name}: {problem.description}") from None


def check(use: IntendedUse, known: Catalogue) -> IntendedUse:
    """Hold a use against the catalogue and give it back with each item's sensitivity class filled in.

    Raises `BadDeclaration` for an item the catalogue does not have, and for what the items' class does not allow.
    """
    unknown = [item for item in use.item_ids if item not in known.attributes]
    if unknown:
        raise BadDeclaration(f"not in the catalogue: {' '.join(unknown)}")
    items = tuple(item.model_copy(update={"sensitivity": known.attributes[item.id].sensitivity}) for item in use.items)
    highest = max(item.sensitivity for item in items)
    if use.ceiling_days is not None and use.ceiling_days > CEILING_DAYS[highest]:
        raise BadDeclaration(f"ceiling_days: at most {CEILING_DAYS[highest]} with items of class {highest}")
    needed = ASSURANCE[max((item.sensitivity for item in items if item.required), default=0)]
    if ACR.index(use.minimum_acr) < needed:
        raise BadDeclaration(f"minimum_acr: at least {ACR[needed]} for the required items")
    return use.model_copy(update={"items": items})


def describe(use: IntendedUse, language: str) -> dict[str, Any]:
    """Say in one language who asks and what for, as pages name a service."""
    return {
        "name": use.controller.name[language],
        "title": use.title[language],
        "domain": use.controller.domain,
    }
