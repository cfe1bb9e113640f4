"""The shapes a catalogue value may have, and the lines in which a person reads it.

Texts are Unicode of any script; dates may be partial (`1988`, `1988-03`), as registers know them; an address has the
members of OpenID Connect Core §5.1.1 (and the PID's `house_number`); an IBAN has its check digits (ISO 13616). Codes come from a vocabulary.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consent.errors import BadValue


@dataclass(frozen=True)
class Writing:
    """How people of one language write what has a code: without it, codes stay as they are.

    `day` takes `1988-03-14`, `1988-03` or `1988`; `tongue` a language (BCP 47); `country` ISO 3166-1 alpha-2; `money` an
    amount and its currency (ISO 4217); `zone` a time zone's name (IANA).
    """

    day: Callable[[str], str] = str
    tongue: Callable[[str], str] = str
    country: Callable[[str], str] = str
    zone: Callable[[str], str] = str
    money: Callable[[str, str], str] = "{} {}".format


#: One code of a vocabulary, with its text in every language.
Codes = Mapping[str, Mapping[str, str]]

TEXT_LIMIT = 500
LIST_LIMIT = 200
ISOLATE, POP = "\u2068", "\u2069"  # Unicode bidi: what stands between keeps its own direction

_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,253}")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")  # E.164
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_ADDRESS = ("street_address", "house_number", "postal_code", "locality", "region", "country")
_NO_CODES: Codes = {}
_JOINERS = dict.fromkeys((0x200C, 0x200D))  # Persian and Indic spellings need them; other unseen characters are refused
_CHILD = {"given_name", "family_name", "birth_date", "custody"}


def check(kind: str, codes: Codes, value: Any) -> None:
    """Refuse a value whose shape is not that of its type. Raises `BadValue`, which never holds the value."""
    if not _CHECKS[kind](value, codes):
        raise BadValue(f"not a {kind}")


def lines(kind: str, codes: Codes, value: Any, language: str, writing: Writing) -> list[str]:
    """Say a checked value in `language`, a line for each thing."""
    show = _LINES.get(kind)
    return show(value, codes, language, writing) if show else _plain(value)


def _text(value: Any, _codes: Codes = _NO_CODES) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LIMIT or value.strip() != value:
        return False
    return value.translate(_JOINERS).isprintable()


def _partial_date(value: Any, _codes: Codes = _NO_CODES) -> bool:
    found = _PARTIAL_DATE.fullmatch(value) if isinstance(value, str) else None
    if not found or not value.isascii():
        return False
    try:
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return False
    return True


def _date(value: Any, codes: Codes) -> bool:
    return _partial_date(value, codes) and len(value) == 10


def _code(value: Any, codes: Codes) -> bool:
    return _text(value) and (not codes or value in codes)


def _address(value: Any, _codes: Codes) -> bool:
    if not isinstance(value, dict) or not value or not set(value) <= set(_ADDRESS):
        return False
    parts = [part for text in value.values() if isinstance(text, str) for part in text.split("\n")]
    texts = all(isinstance(text, str) for text in value.values()) and all(map(_text, parts))
    return texts and bool({"street_address", "locality"} & set(value))


def _iban(value: Any, _codes: Codes) -> bool:
    if not isinstance(value, str) or not _IBAN.fullmatch(value) or not value.isascii():
        return False
    return int("".join(str(int(sign, 36)) for sign in value[4:] + value[:4])) % 97 == 1


def _custody(value: Any, codes: Codes) -> bool:
    return isinstance(value, list) and len(value) <= LIST_LIMIT and all(_child(child, codes) for child in value)


def _child(child: Any, codes: Codes) -> bool:
    if not isinstance(child, dict) or not set(child) <= _CHILD or not {"given_name", "custody"} <= set(child):
        return False
    born = "birth_date" not in child or _partial_date(child["birth_date"])
    return (
        born and _text(child["given_name"]) and _text(child.get("family_name", "-")) and _code(child["custody"], codes)
    )


def _record(value: Any, _codes: Codes = _NO_CODES) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(_text(text) or isinstance(text, int) for text in value.values())


def _money(value: Any, _codes: Codes) -> bool:
    return _record(value) and {"amount", "currency", "year"} == set(value)


def _several(each: Callable[[Any, Codes], bool]) -> Callable[[Any, Codes], bool]:
    return lambda value, codes: (
        isinstance(value, list) and len(value) <= LIST_LIMIT and all(each(one, codes) for one in value)
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[Any, Codes], bool]:
    return lambda value, _: isinstance(value, str) and value.isprintable() and pattern.fullmatch(value) is not None


_CHECKS: dict[str, Callable[[Any, Codes], bool]] = {
    "text": _text,
    "identifier": _text,
    "image": lambda value, _: isinstance(value, str) and 0 < len(value) <= 2_000_000,
    "date": _date,
    "partial_date": _partial_date,
    "code": _code,
    "codes": _several(_code),
    "countries": _several(_matches(_COUNTRY)),
    "boolean": lambda value, _: isinstance(value, bool),
    "integer": lambda value, _: isinstance(value, int) and not isinstance(value, bool),
    "email": _matches(_EMAIL),
    "phone": _matches(_PHONE),
    "language": _matches(_LANGUAGE),
    "time_zone": _text,
    "iban": _iban,
    "address": _address,
    "money": _money,
    "custody": _custody,
    "record": _record,
    "records": _several(_record),
}

KINDS = frozenset(_CHECKS)

_WORDS = {
    "en": {"yes": "Yes", "no": "No", "born": "born {}", "none": "None", "and": ", "},
    "ar": {"yes": "نعم", "no": "لا", "born": "تاريخ الميلاد {}", "none": "لا يوجد", "and": "، "},
}


def _plain(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [", ".join(str(part) for part in value.values())]
    if isinstance(value, list):
        return [line for one in value for line in _plain(one)]
    return [str(value)]


def _coded(value: Any, codes: Codes, language: str, _writing: Writing) -> list[str]:
    chosen = value if isinstance(value, list) else [value]
    return [codes[code][language] if code in codes else code for code in chosen] or [_WORDS[language]["none"]]


def _address_lines(value: Any, countries: Codes, language: str, writing: Writing) -> list[str]:
    *before, street = value.get("street_address", "").split("\n")
    road = " ".join(part for part in (street, value.get("house_number", "")) if part)
    town = " ".join(value[part] for part in ("postal_code", "locality") if part in value)
    code = value.get("country", "")
    country = [countries[code][language] if code in countries else writing.country(code)]
    return [line for line in [*before, road, town, value.get("region", ""), *country] if line]


def _custody_lines(value: Any, codes: Codes, language: str, writing: Writing) -> list[str]:
    words = _WORDS[language]
    return [_child_line(child, codes, language, writing) for child in value] or [words["none"]]


def _child_line(child: Any, codes: Codes, language: str, writing: Writing) -> str:
    words = _WORDS[language]
    name = " ".join(child[part] for part in ("given_name", "family_name") if part in child)
    born = [words["born"].format(_apart(writing.day(child["birth_date"])))] if "birth_date" in child else []
    return words["and"].join([_apart(name), *born, *_coded(child["custody"], codes, language, writing)])


def _apart(text: str) -> str:
    """Keep a name or a date in its own direction inside a sentence of another script (Unicode TR9 §2.7)."""
    return f"{ISOLATE}{text}{POP}"


def _money_lines(value: Any, _codes: Codes, _language: str, writing: Writing) -> list[str]:
    return [f"{writing.money(str(value['amount']), str(value['currency']))} ({value['year']})"]


_LINES: dict[str, Callable[[Any, Codes, str, Writing], list[str]]] = {
    "date": lambda value, _c, _l, writing: [writing.day(value)],
    "partial_date": lambda value, _c, _l, writing: [writing.day(value)],
    "code": _coded,
    "codes": _coded,
    "text": lambda value, codes, language, _w: [codes[value][language] if value in codes else value],
    "countries": lambda value, codes, language, writing: (
        [codes[one][language] if one in codes else writing.country(one) for one in value] or [_WORDS[language]["none"]]
    ),
    "language": lambda value, _c, _l, writing: [writing.tongue(value)],
    "time_zone": lambda value, _c, _l, writing: [writing.zone(value)],
    "boolean": lambda value, _c, language, _w: [_WORDS[language]["yes" if value else "no"]],
    "iban": lambda value, _c, _l, _w: [" ".join(value[at : at + 4] for at in range(0, len(value), 4))],
    "address": _address_lines,
    "custody": _custody_lines,
    "money": _money_lines,
}
