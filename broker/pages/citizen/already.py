"""The page of an interaction that is over, or is somebody else's: what happened, when, and the ways on (pages §2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

from broker import needs
from broker.answers import Page
from broker.authorization import sign_in
from broker.authorization.journey import Journey
from broker.clients import web_address
from broker.clients.registry import Client
from broker.database import Tx
from consent import intended_use, permission

SHARED = frozenset({"shared", "returned", "uncollected"})
DECIDING = frozenset({"open", "previewed"})
AGAIN = {
    "returned": {"form": "done", "page": "done", "name": "action", "value": "continue"},
    "shared": {"form": "done", "page": "done", "name": "action", "value": "continue"},
    "refused": {"form": "refused", "page": "consent", "name": "decision", "value": "refuse"},
}
"""The press that gives the same answer again while it is good: its form, where it goes and what it says."""


def bare(outcome: str, status: int) -> Page:
    """The page without a word about the service: for a browser that has not shown that the interaction is its own."""
    return Page("already.html", {"outcome": outcome}, status=status)


def page(
    wired: needs.Parts,
    found: Journey,
    language: str,
    outcome: str,
    status: int,
    *,
    again: bool = False,
    tx: Tx | None = None,
) -> Page:
    """The page for the interaction's own browser: with the service, the time, and the ways to go on or to stop.

    `again`: with the button that takes the person back as their own press did. `outcome` is one of the template's; `tx` is
    the transaction that is open already, if one is.
    """
    asked, now = found.request.data, wired.clock()
    named = found.client_id, asked.use_id, asked.version
    use = sign_in.use_of(wired.uses, wired.registry, *named, redirect_uri=found.request.redirect_uri)
    context: dict[str, Any] = {
        "outcome": outcome,
        "service": intended_use.describe(use, language),
        "start_href": None if found.request.waits else start(wired.registry.get(found.client_id)),
    }
    if outcome in SHARED and found.permission_id is not None:
        with nullcontext(tx) if tx is not None else wired.database.read() as reading:
            context |= _permission(reading, found.permission_id, now)
    if again and outcome in AGAIN:
        way = AGAIN[outcome]
        context["again"] = {**way, "action": f"/i/{found.journey_id}/{way['page']}"}
    return Page("already.html", context, status=status)


def start(client: Client | None) -> str | None:
    """Where a person begins anew: the page the client registered, else the front page of where it lives on the web."""
    if client is None:
        return None
    web = (uri for uri in client.redirect_uris if urlsplit(uri).scheme in {"https", "http"})
    first = next(web, None)
    return client.client_uri or (None if first is None else web_address.origin(first) + "/")


def became(found: Journey) -> str:
    """Name what became of an interaction whose time is over or whose answer was fetched."""
    if found.state in DECIDING:
        return "expired"
    if found.state == "refused" or found.request.waits:
        return "refused" if found.state == "refused" else "shared"
    return "uncollected" if found.spent is None else "returned"


def _permission(tx: Tx, permission_id: str, now: int) -> Mapping[str, Any]:
    given = permission.get(tx, permission_id)
    if given is None:
        return {}
    href = f"/account/sharing/{permission_id}"
    live = given.standing(now) == "live"
    return {"at": given.valid_from, "permission_href": href, "stop_href": f"{href}/stop" if live else None}
