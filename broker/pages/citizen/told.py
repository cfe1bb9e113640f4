"""How permissions and events are told to a person: names and labels in their language, never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.authorization import sign_in
from broker.clients.registry import Registry
from consent import intended_use
from consent.catalogue import Catalogue
from consent.errors import ConsentError
from consent.history import Event
from consent.intended_use import Uses
from consent.permission import Permission

#: What happened to an item of which the event's sentence is true: it was given, shown, sent.
DONE = frozenset({"given", "provided"})
#: What an agency is told of an item that no register holds.
TOLD_NOTHING = frozenset({"not_held", "not_applicable"})


@dataclass(frozen=True)
class Voice:
    """Tells in one language, with what the operator declared; what is no longer declared goes by its id."""

    uses: Uses
    catalogue: Catalogue
    language: str
    registry: Registry

    def permission(self, one: Permission, now: int) -> dict[str, Any]:
        """Tell a permission as the account's pages take it (see `templates/contexts.md`)."""
        service, purpose = self._service(one.purpose, one.client)
        state = one.standing(now)
        return {
            "id": one.permission_id,
            "href": f"/account/sharing/{one.permission_id}",
            "agency": service["name"],
            "domain": service["domain"],
            "title": service["title"],
            "purpose": purpose,
            "items": self._labels(one.purpose, one.items),
            "kind": one.kind,
            "state": state,
            "valid_from": one.valid_from,
            "valid_to": one.valid_to,
            "ended_at": one.ended_at if one.state != "live" else one.valid_to if state != "live" else None,
            "uses": one.uses,
        }

    def event(self, event: Event) -> dict[str, Any]:
        """Tell an event of the person's stream: who, what kind, what happened to which item, by the entry's own statuses."""
        told: dict[str, Any] = {"seq": event.seq, "at": event.ts, "type": event.type, "outcome": "ok"}
        told |= self._who(event.purpose, event.party)
        if event.purpose:
            told |= self._processor(event.purpose, event.body.get("processor"))
        if event.permission:
            told["href"] = f"/account/sharing/{event.permission}"
        seen = event.body.get("items") or {}
        happened = {
            item: _happened(status, seen.get(item)) for item, status in event.private.get("items", seen).items()
        }
        done = self._labels(event.purpose or "", [item for item, how in happened.items() if how in DONE])
        others = self._ordered(event.purpose or "", [item for item, how in happened.items() if how not in DONE])
        missing = [{"label": self.label(item), "why": happened[item]} for item in others]
        return told | {"items": done, "missing": missing, "repeat": event.body.get("repeat_of") is not None}

    def note(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Tell a row of the person's activity: what they or the support desk did that is no entry of the ledger."""
        told = {"at": row["ts"], "type": row["type"], "outcome": "ok", "items": [], "missing": [], "repeat": False}
        return told | self._who(row.get("purpose"), row.get("party"))

    def _who(self, purpose: str | None, client: str | None) -> dict[str, str]:
        if not purpose:
            return {}
        service, _ = self._service(purpose, client or "")
        return {"agency": service["name"], "title": service["title"]}

    def _processor(self, purpose: str, client_id: str | None) -> dict[str, str]:
        """Name who acted for the agency, if anybody did, by the version of the use that the person read."""
        if client_id is None:
            return {}
        try:
            known = self.uses.by_purpose(purpose).processor(client_id)
        except ConsentError:
            known = None
        return {"processor": client_id if known is None else known.name[self.language]}

    def _labels(self, purpose: str, items: Iterable[str]) -> list[str]:
        return [self.label(item) for item in self._ordered(purpose, items)]

    def _ordered(self, purpose: str, items: Iterable[str]) -> list[str]:
        """Put items into the order in which the person read them when they were asked."""
        try:
            order = self.uses.by_purpose(purpose).item_ids
        except ConsentError:
            order = ()
        return sorted(items, key=lambda one: (one not in order, (*order, one).index(one)))

    def label(self, item: str) -> str:
        """Name an item for people."""
        try:
            return self.catalogue.attribute(item).labels[self.language]
        except (ConsentError, KeyError):
            return item

    def _service(self, purpose: str, client: str) -> tuple[dict[str, Any], str]:
        """Name who asked and why, by the version of the use that was asked."""
        try:
            known = self.uses.by_purpose(purpose)
            use = sign_in.use_of(self.uses, self.registry, client, known.id, known.version)
            return intended_use.describe(use, self.language), use.purpose[self.language]
        except (ConsentError, KeyError):
            return {"name": client, "domain": "", "title": purpose}, purpose


def _happened(status: str, seen: str | None) -> str:
    """Say what happened to an item: its status, and `…_told` where the agency was told that there is nothing."""
    return f"{status}_told" if status in TOLD_NOTHING and seen == status else status
