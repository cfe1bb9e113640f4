"""No, said on the way to a service before signing in: the service is told, and nobody had to say who they are (pages §2.3).

Saying no costs one press, as signing in does. Pressed twice on a slow network it gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import Request

from broker import needs, outcome
from broker.answers import Answer, Redirect
from broker.authorization import ending, plain, pushed, response, waiting
from broker.authorization.pushed import PushedRequest
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import sign_in
from broker.pages.citizen.sign_in import Interaction

DENIED = "access_denied"


@dataclass(frozen=True)
class Declined:
    """A request that is refused by whoever sits at the browser that opened it; `again` when it was before."""

    here: Interaction
    claimed: PushedRequest
    again: bool


async def gather(request: Request) -> Declined | Answer:
    """POST: read the press; once the decision was reached, its own page has the no."""
    await needs.form(request)
    here = sign_in.interaction(request)
    if here.begun is not None:
        return Redirect(here.path("consent"))
    if here.claimed is not None:
        return Declined(here, here.claimed, again=False)
    with here.wired.database.read() as tx:
        ended = pushed.find(tx, here.public_id, here.visitor.browser_hash, ended=True)
    if ended is None:
        raise Wire("invalid_request_uri", "the request is unknown, used or too old")
    return Declined(here, ended, again=True)


def act(tx: Tx, facts: Declined, now: int) -> Answer:
    """POST: end the request and send the browser back with `access_denied` (RFC 6749 §4.1.2.1)."""
    here, wired, asked = facts.here, facts.here.wired, facts.claimed.request
    if asked.waits:
        return _tell(tx, facts, now)
    pushed.close(tx, here.public_id)
    answer = response.error(asked, DENIED, issuer=wired.issuer, keyring=wired.keyring, now=now)
    gone = needs.drop_cookie(wired, plain.COOKIE + here.public_id)
    return replace(answer, cookies=(*answer.cookies, gone))


def _tell(tx: Tx, facts: Declined, now: int) -> Answer:
    """Tell a client that waits elsewhere; said before, the same page comes again."""
    here, asked = facts.here, facts.claimed.request
    service = replace(here, claimed=facts.claimed).service
    before = waiting.get(tx, here.public_id)
    if before is not None and before.state == "refused":
        return ending.answered("refused", service)
    pushed.close(tx, here.public_id)
    return outcome.refused(tx, here.wired, asked, here.public_id, error=DENIED, now=now, service=service)
