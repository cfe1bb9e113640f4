"""What becomes of a request: whether a sign-in serves it, and its end without data.

A client that waits is told in the row it asks about, and by a ping where it registered one (CIBA Core §10.2).
"""

from __future__ import annotations

from broker import needs
from broker.answers import Answer
from broker.authorization import ending, response, session_check, waiting
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest
from broker.authorization.waiting import State
from broker.database import Tx
from broker.sign_in.session import Session
from keys import canonical

PING = "ciba_ping"


def lacking(
    tx: Tx, wired: needs.Parts, claimed: PushedRequest, session: Session, now: int
) -> session_check.Lack | None:
    """Name what a session lacks for a request, and why (`session_check`); None where it suffices."""
    ring = wired.roots.ring("cookie")
    return session_check.lacking(tx, claimed, session, vault=wired.vault, ring=ring, uses=wired.uses, now=now)


def decide(tx: Tx, wired: needs.Parts, tx_id: str, state: State, now: int) -> bool:
    """Record the one decision and write the ping in the same act; False when there was one before, or its time is over."""
    if not waiting.decide(tx, tx_id, state, now):
        return False
    found = waiting.get(tx, tx_id)
    told = found.about(wired.roots.ring("token")) if found is not None else {}
    if found is not None and told.get("ping") is not None:
        wired.outbox.enqueue(
            tx,
            kind=PING,
            client_id=found.request.client_id,
            destination=told["ping"]["to"],
            content=canonical.dumps({"auth_req_id": told["ping"]["auth_req_id"]}).decode(),
            authorization=f"Bearer {told['ping']['token']}",
            now=now,
        )
    return True


def refused(
    tx: Tx,
    wired: needs.Parts,
    asked: AuthorizationRequest,
    tx_id: str,
    *,
    error: str,
    now: int,
    service: ending.SERVICE = None,
    description: str = "",
) -> Answer:
    """End a request without data; the client that waits is told `access_denied`, whatever was the reason.

    `service` is who asked, for the page that says so; `description` is for the client's developer (RFC 6749 §4.1.2.1).
    """
    if not asked.waits:
        return response.error(
            asked, error, issuer=wired.issuer, keyring=wired.keyring, now=now, description=description
        )
    ended = decide(tx, wired, tx_id, "refused", now)
    outcome = "refused" if error == "access_denied" else "impossible"
    return ending.answered(outcome, service) if ended else ending.expired(service)
