"""What can be said of how a register's value was verified (OpenID Connect for Identity Assurance 1.0, `verification`).

Declared in `openid-config/assurance.toml`. Without the file nothing is verified: `verified_claims` is then never answered.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.evidence.source import Found
from consent import declarations
from consent.catalogue import Catalogue
from consent.declarations import Declared, Line
from consent.errors import BadDeclaration
from consent.intended_use import LOA

FILE = "assurance.toml"
EVIDENCE = "electronic_record"
SECOND = 1_000_000  # microseconds


class Assurance(Declared):
    """The trust framework of this installation, and the type of record of each register that is part of it."""

    trust_framework: Line
    country_code: Line
    records: dict[str, Line]

    def claims(self, known: Catalogue, claims: Mapping[str, str]) -> Mapping[str, str]:
        """Return the claims, with their items, that a register of the framework holds."""
        return {name: item for name, item in claims.items() if known.attribute(item).source in self.records}

    def verification(self, found: Iterable[Found], known: Catalogue, *, acr: str, reference: str) -> Mapping[str, Any]:
        """Return everything that is known of how one register's values were verified; what is told of it is for the request to say.

        `acr` is how well the person was proven and signed in; `reference` names this handing over and no other.
        """
        answers = list(found)
        source = answers[0].source
        days = [one.as_of for one in answers if one.as_of is not None]
        name = known.register(source, "en")
        fetched = _instant(max(one.retrieved_at for one in answers))
        record: dict[str, Any] = {
            "type": self.records[source],
            "source": {"name": name, "country_code": self.country_code},
        }
        if days:
            record["created_at"] = min(days)
        checked = {"check_method": "data", "organization": name, "time": fetched}
        return {
            "trust_framework": self.trust_framework,
            "assurance_level": acr.removeprefix(LOA),
            "time": fetched,
            "verification_process": reference,
            "evidence": [{"type": EVIDENCE, "time": fetched, "check_details": [checked], "record": record}],
        }


def load(config_dir: Path, known: Catalogue) -> Assurance | None:
    """Read the file; None where there is none. Raises `BadDeclaration`, also for a register nobody declared."""
    path = config_dir / FILE
    if not path.exists():
        return None
    declared = declarations.read(path, Assurance)
    unknown = declared.records.keys() - known.registers.keys()
    if unknown or not declared.records:
        raise BadDeclaration(f"{FILE}: records: {' '.join(sorted(unknown)) or 'none'}")
    return declared


def _instant(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
