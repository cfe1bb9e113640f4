"""The operator's sources: `openid-config/sources/<id>.toml` made into guarded sources, and who holds which attribute."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.egress import Egress
from broker.evidence import assured
from broker.evidence.assured import Assurance
from broker.evidence.breaker import Guarded
from broker.evidence.connectors import account, rest, sql
from broker.evidence.source import Source
from consent import catalogue, declarations
from consent.errors import BadDeclaration, UnknownAttribute

SLACK_SECONDS = 0.5

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True)
class Registers:
    """Every source by its id, for every attribute the id of the one that holds it, and how they are spoken of as verified."""

    by_id: Mapping[str, Source]
    routing: Mapping[str, str]
    assurance: Assurance | None = None

    async def aclose(self) -> None:
        """Close all of them."""
        for source in self.by_id.values():
            await source.aclose()


def load(config_dir: Path, *, egress: Egress, known: catalogue.Catalogue) -> Registers:
    """Read `config_dir`/sources, each behind its own breaker.

    Raises BadDeclaration naming the file and the place: an unknown key, a placeholder that nobody filled, an attribute
    that is not in the catalogue, belongs to another source there, or is held twice.
    """
    by_id: dict[str, Source] = {}
    routing: dict[str, str] = {}
    faults: list[str] = []
    for path in declarations.listed(config_dir / "sources"):
        with declarations.gathering(faults):
            attributes, by_id[path.stem] = _source(path, egress, known)
            for attribute in attributes:
                if routing.setdefault(attribute, path.stem) != path.stem or attributes.count(attribute) > 1:
                    raise BadDeclaration(f"{path.name}: {attribute} is held twice")
                if _holder(known, attribute) != path.stem:
                    raise BadDeclaration(f"{path.name}: {attribute} is not of this source in the catalogue")
    declarations.refuse(faults)
    return Registers(by_id, routing, assured.load(config_dir, known))


def _source(path: Path, egress: Egress, known: catalogue.Catalogue) -> tuple[list[str], Source]:
    if found := _PLACEHOLDER.search(path.read_text("utf-8")):
        raise BadDeclaration(f"{path.name}: {found[0]} was not filled in")

    def check(attribute: str, value: Any) -> None:
        catalogue.check_value(known.attribute(attribute), value)

    match _connector(path):
        case "sql":
            of_sql = declarations.read(path, sql.Declaration)
            asked = sql.SqlSource(path.stem, of_sql, check)
            return of_sql.attributes, Guarded(asked, of_sql.seconds + SLACK_SECONDS)
        case "rest":
            of_rest = declarations.read(path, rest.Declaration)
            called = rest.RestSource(path, of_rest, check, egress)
            return list(of_rest.attributes), Guarded(called, of_rest.seconds + SLACK_SECONDS)
        case "account":
            of_account = declarations.read(path, account.Declaration)
            return list(of_account.attributes), account.AccountSource(path.stem, of_account)
    raise BadDeclaration(f"{path.name}: connector: one of sql, rest, account")


def _connector(path: Path) -> object:
    try:
        return tomllib.loads(path.read_text("utf-8")).get("connector")
    except (OSError, ValueError) as problem:
        raise BadDeclaration(f"{path.name}: {problem}") from problem


def _holder(known: catalogue.Catalogue, attribute: str) -> str | None:
    try:
        return known.attribute(attribute).source
    except UnknownAttribute:
        return None
