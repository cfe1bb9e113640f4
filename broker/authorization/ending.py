"""How a request ends: in an answer to its client's address, or, where the client waits, in a decision it asks about (RFC 8628 §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.answers import Answer, Page
from broker.authorization import response, waiting
from broker.authorization.request import AuthorizationRequest
from broker.database import Tx
from keys.keyring import Keyring

SERVICE = Mapping[str, Any] | None


def refused(
    tx: Tx,
    asked: AuthorizationRequest,
    tx_id: str,
    error: str,
    *,
    issuer: str,
    keyring: Keyring,
    now: int,
    service: SERVICE = None,
) -> Answer:
    """End a request without data; the client that waits is told `access_denied`, whatever was the reason.

    `service` is who asked, for the page that says so.
    """
    if not asked.waits:
        return response.error(asked, error, issuer=issuer, keyring=keyring, now=now)
    ended = waiting.decide(tx, tx_id, "refused", now)
    outcome = "refused" if error == "access_denied" else "impossible"
    return answered(outcome, service) if ended else expired(service)


def answered(outcome: str, service: SERVICE, permission_id: str | None = None) -> Page:
    """The last page where nobody is sent back: `outcome` is `shared`, `refused` or `impossible`."""
    href = None if permission_id is None else f"/account/sharing/{permission_id}"
    return Page("answered.html", {"outcome": outcome, "service": service, "permission_href": href})


def expired(service: SERVICE) -> Page:
    """The page for a request that was decided too late, or twice."""
    return Page("already.html", {"outcome": "expired", "service": service}, status=410)
