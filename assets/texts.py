"""Finds the sentences of the templates, brings the catalogues up to date and compiles them: run after a text changed.

New sentences come with an empty translation (a test names them); sentences no template says any more are dropped.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PAGES = Path(__file__).parent.parent / "broker" / "pages"
OPTIONS = {"**/templates/*.html": {"trimmed": "true", "newstyle_gettext": "true"}}


def sentences() -> Catalog:
    """Collect every sentence the templates say."""
    found = Catalog()
    for _file, _line, message, _comments, _context in extract_from_dir(
        str(PAGES), [("**/templates/*.html", "jinja2")], OPTIONS
    ):
        found.add(message)
    return found


def update(language: str) -> list[str]:
    """Update and compile one language's catalogue; return the sentences it lacks."""
    source = PAGES / "locale" / language / "LC_MESSAGES" / "semel.po"
    catalogue = Catalog(locale=language)
    if source.exists():
        with source.open("rb") as stream:
            catalogue = read_po(stream, locale=language)
    catalogue.update(sentences(), no_fuzzy_matching=True)
    catalogue.fuzzy = False
    text = io.BytesIO()
    write_po(text, catalogue, width=110, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    head = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += f'"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(head.encode() + text.getvalue())
    with source.open("rb") as stream:
        compiled = read_po(stream, locale=language)
    with source.with_suffix(".mo").open("wb") as stream:
        write_mo(stream, compiled)
    return [str(message.id) for message in compiled if message.id and not all(_strings(message.string))]


def _strings(given: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ("",))


if __name__ == "__main__":
    for folder in sorted((PAGES / "locale").iterdir()):
        if folder.is_dir():
            lacking = update(folder.name)
            print(f"{folder.name}: {len(lacking)} sentences without a text of their own")  # noqa: T201 - a tool that reports
