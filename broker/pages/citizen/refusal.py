"""A no that is said before anything was shown: to a device, or to a request that waits in the account."""

from __future__ import annotations

from typing import Any

from broker import needs, outcome
from broker.answers import Answer
from broker.authorization import ending, journey, pushed
from broker.authorization.waiting import Waiting
from broker.database import Tx
from broker.evidence import preview
from broker.people import activity


def before_signing_in(
    tx: Tx, wired: needs.Parts, visitor: needs.Visitor, found: Waiting, *, service: dict[str, Any], now: int
) -> Answer:
    """Refuse a request that waits; somebody who is signed in finds it among what they did.

    A journey that was begun and left with the Back button ends with it.
    """
    if not outcome.decide(tx, wired, found.tx, "refused", now):
        return ending.expired(service)
    data, session = found.request.data, visitor.session
    if session is not None and session.state == "full":
        use = wired.uses.version(data.use_id, data.version)
        told = {"type": "permission.refused", "party": found.request.client_id, "purpose": use.purpose_id}
        activity.record(tx, wired.vault, session.person_id, told, now)
    begun = journey.get(tx, found.tx)
    if begun is not None:
        journey.decided(tx, found.tx, before=begun.state, state="refused", permission_id=None, expires=begun.expires)
        preview.drop(tx, found.tx)
    pushed.close(tx, found.tx)
    return ending.answered("refused", service)
