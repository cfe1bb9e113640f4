"""After Share: the receipt, and the one button that takes the person back to the agency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Answer, Page
from broker.database import Tx
from broker.pages.citizen import endings
from broker.pages.citizen import visit as visits
from broker.pages.citizen.visit import Visit
from broker.people import people
from consent import history, permission
from consent.history import Event
from consent.ledger_entry import Stream
from consent.permission import Permission

SHOWN = "access.previewed"


@dataclass(frozen=True)
class Receipt:
    """A shared journey with its permission, the entry that gave it, and the status of every item that was on the screen."""

    visit: Visit
    given: Permission
    event: Event
    seen: Mapping[str, str]


async def gather(request: Request) -> Receipt | Answer:
    """Find what was shared on this journey."""
    visit = visits.load(request)
    if visit.journey.state not in {"shared", "returned"} or visit.journey.permission_id is None:
        return visits.decided(visit)
    with visit.wired.database.read() as tx:
        stream = people.ledger_stream(tx, visit.wired.vault, visit.session.person_id)
        given = permission.get(tx, visit.journey.permission_id)
        event, shown = _entries(tx, stream, visit.journey.permission_id)
    if given is None or event is None:
        return visits.decided(visit)
    return Receipt(visit, given, event, shown.private["items"] if shown is not None else {})


def _entries(tx: Tx, stream: Stream, permission_id: str) -> tuple[Event | None, Event | None]:
    """Find the entry that gave a permission and, before it, the one of the screen it was given on, in one walk back."""
    given: list[Event] = []

    def both(one: Event) -> bool:
        if one.type in permission.GIVES and one.permission == permission_id:
            given.append(one)
        return bool(given) and one.type == SHOWN and one.private.get("journey") == given[0].private.get("journey")

    shown = history.newest(tx, stream, both)
    return given[0] if given else None, shown


def act(facts: Receipt, now: int) -> Page:
    """Show the receipt."""
    del now
    visit = facts.visit
    return Page(
        "receipt.html",
        {
            "action": visit.path("done"),
            "service": visit.service,
            "receipt": _receipt(facts),
            "permission_href": f"/account/sharing/{facts.given.permission_id}",
            "permission_url": f"{visit.wired.issuer}/account/sharing/{facts.given.permission_id}",
        },
    )


def _receipt(facts: Receipt) -> dict[str, Any]:
    language, attributes = facts.visit.language, facts.visit.wired.catalogue
    decisions = facts.event.private["items"]
    return {
        "id": facts.given.permission_id,
        "given_at": facts.event.ts,
        "until": facts.given.valid_to if facts.given.kind == "ongoing" else None,
        "kind": facts.given.kind,
        "purpose": facts.visit.use.purpose[language],
        "items": [
            {"label": attributes.attribute(item).labels[language], "outcome": _outcome(facts, item, decisions[item])}
            for item in facts.visit.use.item_ids
            if item in decisions
        ],
        "reference": str(facts.event.seq),
    }


def _outcome(facts: Receipt, item: str, decision: str) -> str:
    """Say what became of an item: it was left out, or shared, or what its register said instead of a value."""
    if decision == "refused":
        return "refused"
    status = facts.seen.get(item, "provided" if decision == "given" else "source_unavailable")
    return "shared" if status == "provided" else status


async def gather_continue(request: Request) -> Visit | Answer:
    """Read the press of Continue."""
    await needs.form(request)
    visit = visits.load(request)
    if visit.journey.state not in {"shared", "returned"}:
        return visits.decided(visit)
    return visit


def act_continue(tx: Tx, facts: Visit, now: int) -> Answer:
    """Mint the code now, so that it cannot die while the receipt is read."""
    return endings.to_agency(tx, facts, now)
