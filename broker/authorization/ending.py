"""The last page of a request whose client waits elsewhere: nobody is sent back anywhere (RFC 8628 §3.3, CIBA Core §8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.answers import Page

SERVICE = Mapping[str, Any] | None


def answered(outcome: str, service: SERVICE, permission_id: str | None = None) -> Page:
    """What was decided: `outcome` is `shared`, `refused` or `impossible`; `service` is who asked."""
    href = None if permission_id is None else f"/account/sharing/{permission_id}"
    return Page("answered.html", {"outcome": outcome, "service": service, "permission_href": href})


def expired(service: SERVICE) -> Page:
    """What was decided too late, or twice."""
    return Page("already.html", {"outcome": "expired", "service": service}, status=410)
