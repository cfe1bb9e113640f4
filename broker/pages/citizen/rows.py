"""The rows of the decision screen: every item with its value, its register and its date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from broker.evidence.source import Found
from broker.pages import render
from broker.pages.citizen.visit import Visit
from consent import catalogue, release
from consent.notice import Notice


def opened(
    visit: Visit, found: Mapping[str, Found], receipt: release.ReleaseReceipt, said: Notice, ticked: Collection[str]
) -> list[dict[str, Any]]:
    """Open the values with the preview's receipt and lay out their rows, in the order asked."""
    return [
        {**_row(visit, found[item.id], receipt, said), "required": item.required, "checked": item.id in ticked}
        for item in visit.journey.request.data.items
    ]


def _row(visit: Visit, one: Found, receipt: release.ReleaseReceipt, said: Notice) -> dict[str, Any]:
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
        "status": one.status,
        "source": known.register(one.source, visit.language),
        "as_of": one.as_of,
        "stale": one.value is not None and catalogue.stale(attribute, one.as_of, visit.now),
        "help": attribute.help.get(visit.language),
        "reason": said.item(one.attribute).note,
    }
