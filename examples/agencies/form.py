"""The agency's form: its fields, and what the broker's answer puts into them."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time

HERE = Path(__file__).parent
TOGETHER = [("given_name", "family_name"), ("street_address", "house_number"), ("postal_code", "locality")]
NOT_SHOWN = {"custody"}  # codes mean nothing to people
COUNTRIES = {"XN": {"en": "Norrmark", "ar": "نورمارك"}}  # ours, which CLDR does not know


@dataclass(frozen=True)
class Form:
    """One agency's form as its TOML file declares it, with the texts all agencies' pages share."""

    client_id: str
    use: str
    declared: dict[str, Any]
    texts: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> "Form":
        """Read `<name>.toml` beside this file; FileNotFoundError when there is no such agency."""
        declared = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))
        texts = tomllib.loads((HERE / "texts.toml").read_text("utf-8"))
        return cls(declared["client_id"], declared["use"], declared, texts)

    def words(self, language: str) -> dict[str, str]:
        """The page texts in `language`, with the agency's own."""
        own = {name: self.declared[name][language] for name in ("office", "title", "intro")}
        return {**self.texts[language], **own, "language": language, "colour": self.declared["colour"]}

    def fields(self, language: str, answer: dict[str, Any], typed: dict[str, str]) -> list[dict[str, Any]]:
        """Every field with what stands in it: the register's value and its origin, or what was typed."""
        items = answer.get("items", {})
        return [self._field(field, language, items.get(field["id"]), typed) for field in self.declared["field"]]

    def _field(
        self, field: dict[str, Any], language: str, item: dict[str, Any] | None, typed: dict[str, str]
    ) -> dict[str, Any]:
        words = self.texts[language]
        shown: dict[str, Any] = {"rows": 1, "type": "text", "required": False, **field}
        shown |= {"label": field["label"][language], "hint": field.get("hint", {}).get(language, "")}
        shown |= {"value": typed.get(field["id"], ""), "badge": "", "note": "", "locked": False}
        if item is None:
            return shown
        if item["status"] != "provided":
            return shown | {"note": words["try_again" if item.get("retryable") else "not_provided"]}
        source, as_of = str(item.get("source", "")), str(item.get("as_of") or "")
        name = self.texts["sources"].get(source, {}).get(language, source)
        pattern = words["provenance" if as_of else "provenance_undated"]
        locked = item.get("editable") == "never"
        return shown | {
            "value": readable(item, language),
            "badge": pattern.format(source=name, date=long_date(as_of, language)),
            "source": source,
            "as_of": as_of,
            "locked": locked,
            "note": words["locked"] if locked else "",
        }

    def documents(self, language: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """The documents to upload; `needed` is false for those the shared data replaces."""
        replaced = answer.get("replaces_documents", [])
        return [
            {
                "id": d["id"],
                "label": d["label"][language],
                "hint": d["hint"][language],
                "needed": d["id"] not in replaced,
            }
            for d in self.declared.get("document", [])
        ]


def readable(item: dict[str, Any], language: str) -> str:
    """An item's value as a person would write it into a form: its label where the broker sends one."""
    label = item.get("label")
    if isinstance(label, dict):
        return str(label.get(language) or label.get("en") or next(iter(label.values()), ""))
    return _lines(item.get("value"), language)


def _lines(value: object, language: str) -> str:
    if isinstance(value, dict):
        known = {*NOT_SHOWN, *(name for pair in TOGETHER for name in pair)}
        pairs = [" ".join(str(value[name]) for name in pair if value.get(name)) for pair in TOGETHER]
        rest = [_lines(part, language) for name, part in value.items() if name not in {*known, "country"}]
        return ", ".join(filter(None, [*pairs, *rest, country(str(value.get("country", "")), language)]))
    if isinstance(value, list):
        return "\n".join(_lines(part, language) for part in value)
    return "" if value is None else long_date(str(value), language)


def country(code: str, language: str) -> str:
    """What people call a country (ISO 3166-1 alpha-2); an unknown one goes by its code."""
    return COUNTRIES.get(code, {}).get(language) or Locale.parse(language).territories.get(code, code)


def long_date(text: str, language: str) -> str:
    """`2026-03-12` as people write it in `language`; any other text, partial dates too, as it is."""
    try:
        return format_date(date.fromisoformat(text), "d MMMM y", locale=language) if len(text) == 10 else text
    except ValueError:
        return text


def clock(text: str, language: str) -> str:
    """The time of day of an RFC 3339 time, UTC."""
    return format_time(datetime.fromisoformat(text), "HH:mm:ss 'UTC'", locale=language)
