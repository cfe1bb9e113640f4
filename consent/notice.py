"""The notice: the consent page's text with every value replaced by its attribute id, known by its digest.

The page is drawn from this object plus the values, and so is "what you saw" later (ISO/IEC 29184, ISO/IEC TS 27560
`privacy_notice`). It is an ordered list of blocks; `digest` is the SHA-256 of its canonical JSON.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from consent import wording
from consent.catalogue import Catalogue
from consent.declarations import LANGUAGES
from consent.intended_use import SIGN_IN, IntendedUse
from consent.request import DataRequest
from consent.tables import notice as table
from keys import canonical

Kind = Literal[
    "who", "why", "basis", "items", "optional", "until", "processors", "sources", "consequence", "alternative"
]

#: The order in which people read (who, why, which data, what is optional, how long, who else, from where, what if not).
ORDER: tuple[Kind, ...] = (
    "who",
    "why",
    "basis",
    "items",
    "optional",
    "until",
    "processors",
    "sources",
    "consequence",
    "alternative",
)


@dataclass(frozen=True)
class Item:
    """A row of the notice: the attribute's id where the page shows its value, and the texts beside it.

    `kept` is empty where the notice says once how long things are kept; `source` is the id of its register.
    """

    id: str
    label: str
    reason: str
    kept: str = ""
    source: str = ""

    @property
    def note(self) -> str:
        """Why it is needed and how long it is kept, as the row says it."""
        return " ".join(filter(None, (self.reason, self.kept)))


@dataclass(frozen=True)
class Register:
    """Where rows come from: the register's id and name, how a person has a mistake in it corrected, and where."""

    id: str
    text: str
    correction: str
    link: str = ""


@dataclass(frozen=True)
class Party:
    """Another agency that will see the values (its client id): whom it works for, and why."""

    id: str
    text: str
    reason: str


@dataclass(frozen=True)
class Block:
    """One part of the page: a heading, a text, rows, parties, registers, a link; what a kind does not have is empty.

    `kept` says once how long what has no other time in its row is kept.
    """

    kind: Kind
    heading: str = ""
    text: str = ""
    items: tuple[Item, ...] = ()
    link: str = ""
    parties: tuple[Party, ...] = ()
    kept: str = ""
    registers: tuple[Register, ...] = ()


@dataclass(frozen=True)
class Notice:
    """What one person reads in one language before deciding. `catalogue` gives the version of each bundle shown."""

    use: str
    version: int
    language: str
    catalogue: Mapping[str, int]
    text_version: int
    name: str
    title: str
    domain: str
    blocks: tuple[Block, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the notice's canonical JSON: what the ledger cites."""
        return hashlib.sha256(canonical.dumps(to_json(self))).digest()

    def names(self, client_id: str) -> bool:
        """Whether the person read that this other agency acts for the one that asks."""
        return any(party.id == client_id for block in self.blocks for party in block.parties)

    def item(self, item_id: str) -> Item:
        """Give one row. Raises `KeyError`."""
        return {item.id: item for block in self.blocks for item in block.items}[item_id]

    def register(self, source: str) -> Register | None:
        """Give what is said of a register; None for one that no row comes from, and in notices older than that."""
        return next((one for block in self.blocks for one in block.registers if one.id == source), None)


def build(use: IntendedUse, request: DataRequest, catalogue: Catalogue, language: str) -> Notice:
    """Write the notice of a request under a use, in one language."""
    shown = [catalogue.attribute(item) for item in request.item_ids]
    return Notice(
        use=use.id,
        version=use.version,
        language=language,
        catalogue={one.bundle: catalogue.bundles[one.bundle].version for one in shown},
        text_version=wording.VERSION,
        name=use.controller.name[language],
        title=use.title[language],
        domain=use.controller.domain,
        blocks=_blocks(use, request, catalogue, language),
    )


def _blocks(use: IntendedUse, request: DataRequest, catalogue: Catalogue, language: str) -> tuple[Block, ...]:
    def said(name: str) -> str:
        return wording.sentence(language, wording.name_for(use.mode, name))

    basis = f"{use.legal_basis.text[language]} {wording.isolated(f'({use.legal_basis.article})')}"
    sources = dict.fromkeys(catalogue.attribute(item).source for item in request.item_ids)
    registers = tuple(_register(source, catalogue, language) for source in sources)
    names = wording.listed([one.text for one in registers], language)
    days = _usual_days(use, request)
    required = _items(use, request.required, catalogue, language, days)
    optional = _items(use, request.optional, catalogue, language, days)
    blocks = (
        Block("who", text=said("sign_in_who" if use.id == SIGN_IN else "who")),
        Block("why", said("why"), use.purpose[language]),
        Block("basis", said("basis"), basis),
        Block("items", said("items"), said("items_text"), required),
        Block("optional", said("optional"), said("optional_text"), optional),
        Block("until", said("until"), _until(use, request, language), kept=_kept(use, request, language, days)),
        Block("processors", said("processors"), said("processors_text"), parties=_parties(use, language)),
        Block("sources", said("sources"), names, registers=registers),
        Block("consequence", said("consequence"), use.consequence[language]),
        Block("alternative", said("alternative"), use.alternative.text[language], link=use.alternative.url),
    )
    empty = {"items", "optional", "processors"}
    shown = [
        block for block in blocks if block.kind != "sources" or block.text
    ]  # a sign-in alone comes from no register
    return tuple(block for block in shown if block.items or block.parties or block.kind not in empty)


def _register(source: str, catalogue: Catalogue, language: str) -> Register:
    name, declared = catalogue.register(source, language), catalogue.corrections.get(source)
    if declared is None:
        return Register(source, name, wording.sentence(language, "correction", register=wording.isolated(name)))
    return Register(source, name, declared.text[language], declared.url)


def _usual_days(use: IntendedUse, request: DataRequest) -> int:
    """Give the retention that most of the items asked for have (0 where there are none): it is said once."""
    asked = [item.retention_days for item in use.items if item.id in request.item_ids]
    return max(asked, key=asked.count, default=0)


def _kept(use: IntendedUse, request: DataRequest, language: str, days: int) -> str:
    if days == 0:
        return ""
    others = any(item.retention_days != days for item in use.items if item.id in request.item_ids)
    name = wording.name_for(use.mode, "kept_mostly" if others else "kept")
    return wording.sentence(language, name, days=wording.span(days, language))


def _items(
    use: IntendedUse, chosen: frozenset[str], catalogue: Catalogue, language: str, usual: int
) -> tuple[Item, ...]:
    kept = wording.name_for(use.mode, "kept")

    def row(item_id: str, reason: str, days: int) -> Item:
        attribute = catalogue.attribute(item_id)
        unusual = wording.sentence(language, kept, days=wording.span(days, language)) if days != usual else ""
        return Item(item_id, attribute.labels[language], reason, unusual, attribute.source)

    return tuple(row(item.id, item.reason[language], item.retention_days) for item in use.items if item.id in chosen)


def _parties(use: IntendedUse, language: str) -> tuple[Party, ...]:
    def works(name: str) -> str:
        named = {"processor": wording.isolated(name), "agency": wording.isolated(use.controller.name[language])}
        return wording.sentence(language, "works_for", **named)

    return tuple(Party(one.client_id, works(one.name[language]), one.reason[language]) for one in use.processors)


def _until(use: IntendedUse, request: DataRequest, language: str) -> str:
    if request.kind == "once":
        return wording.sentence(language, wording.name_for(use.mode, "until_once"))
    durations = wording.choice([wording.span(days, language) for days in use.durations], language)
    name = "until_ongoing" if len(use.durations) > 1 else "until_fixed"
    return wording.sentence(language, name, durations=durations)


def to_json(notice: Notice) -> dict[str, Any]:
    """Give the notice as JSON; what a block does not have is left out."""
    return vars(notice) | {"catalogue": dict(notice.catalogue), "blocks": [_block(one) for one in notice.blocks]}


def _block(block: Block) -> dict[str, Any]:
    plain = {name: part for name, part in vars(block).items() if part}
    rows = {
        name: [dict(vars(one)) for one in plain[name]] for name in ("items", "parties", "registers") if name in plain
    }
    return plain | rows


def from_json(kept: Mapping[str, Any]) -> Notice:
    """Give back a notice that `to_json` wrote, to show again what a person saw."""
    blocks = tuple(
        Block(
            **{
                **block,
                "items": tuple(Item(**item) for item in block.get("items", ())),
                "parties": tuple(Party(**party) for party in block.get("parties", ())),
                "registers": tuple(Register(**one) for one in block.get("registers", ())),
            }
        )
        for block in kept["blocks"]
    )
    return Notice(**{**kept, "blocks": blocks})


def keep(tx: Connection, notice: Notice) -> None:
    """Keep what was read beside the permission that cites its digest; the same notice is kept once."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    row = {"digest": notice.digest, "body": canonical.dumps(to_json(notice)).decode()}
    tx.execute(insert(table).values(row).on_conflict_do_nothing())


def find(tx: Connection, digest: bytes) -> Notice | None:
    """Give a kept notice back by its digest (32 bytes); None when none was kept."""
    body = tx.execute(select(table.c.body).where(table.c.digest == digest)).scalar_one_or_none()
    return None if body is None else from_json(canonical.loads(body))


def digests(use: IntendedUse, request: DataRequest, catalogue: Catalogue) -> Mapping[str, bytes]:
    """Give the digest of today's notice in each language: the same text read in another language is no change."""
    return {language: build(use, request, catalogue, language).digest for language in LANGUAGES}


def page(notice: Notice) -> dict[str, Any]:
    """Give what the consent page draws: the blocks, with ids where the rows with their values go."""
    blocks = [dict(block) for block in to_json(notice)["blocks"]]
    for block in blocks:
        if "items" in block:
            block["items"] = [item["id"] for item in block["items"]]
    return {"blocks": blocks}
