"""The rows of the decision screen: every item with its value, grouped by the register that says so, its date said once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from broker.evidence.source import Found
from broker.pages import render
from broker.pages.citizen.visit import Visit
from consent import catalogue, release
from consent.notice import Notice

SILENT = "source_unavailable"


def opened(
    visit: Visit, found: Mapping[str, Found], receipt: release.ReleaseReceipt, said: Notice, ticked: Collection[str]
) -> list[dict[str, Any]]:
    """Open the values with the preview's receipt and lay out their rows, in the order asked."""
    answered = {one.source for one in found.values() if one.status != SILENT}
    return [
        {
            **_row(visit, found[item.id], receipt, said, answered),
            "required": item.required,
            "checked": item.id in ticked,
        }
        for item in visit.journey.request.data.items
    ]


def grouped(rows: Iterable[Mapping[str, Any]], said: Notice) -> dict[str, list[dict[str, Any]]]:
    """Group the rows of each block of the notice by their registers, in the order in which they first come.

    A group's `as_of` is the day of most of its values (None where none has a day); a row of another day says its own.
    """
    by_id = {row["id"]: row for row in rows}
    return {
        block.kind: _groups([by_id[item.id] for item in block.items if item.id in by_id], said)
        for block in said.blocks
        if block.items
    }


def _groups(rows: Iterable[Mapping[str, Any]], said: Notice) -> list[dict[str, Any]]:
    together: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        together.setdefault(row["source"], []).append(row)
    return [_group(name, members, said) for name, members in together.items()]


def _group(name: str, rows: list[Mapping[str, Any]], said: Notice) -> dict[str, Any]:
    days = [row["as_of"] for row in rows if row["status"] == "provided" and row["as_of"]]
    known = said.register(said.item(rows[0]["id"]).source)
    corrected = {} if known is None else {"correction": known.correction, "correction_link": known.link}
    return {"name": name, "as_of": max(days, key=days.count, default=None), "rows": rows, **corrected}


def _row(
    visit: Visit, one: Found, receipt: release.ReleaseReceipt, said: Notice, answered: Collection[str]
) -> dict[str, Any]:
    """Lay out one item; a register that answered the others (`answered`) and not this one did so in a form nobody can use."""
    known = visit.wired.catalogue
    attribute = known.attribute(one.attribute)
    lines: list[str] = []
    if one.value is not None:
        value = release.open_(
            one.value, receipt, item=one.attribute, client=visit.use.client_id, journey=visit.journey.journey_id
        )
        lines = catalogue.display(attribute, value, visit.language, render.writing(visit.language))
    return {
        "id": one.attribute,
        "label": attribute.labels[visit.language],
        "lines": lines,
        "status": "malformed" if one.status == SILENT and one.source in answered else one.status,
        "source": known.register(one.source or attribute.source, visit.language),
        "as_of": one.as_of,
        "stale": one.value is not None and catalogue.stale(attribute, one.as_of, visit.now),
        "help": attribute.help.get(visit.language),
        "reason": said.item(one.attribute).note,
    }
