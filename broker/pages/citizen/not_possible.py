"""The page before somebody is sent back whose request cannot be served: why, and what they can do now (pages §2.5).

Nobody goes back to a service with an error they know nothing of. With `prompt=none` there is no page (OpenID Connect Core §3.1.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from starlette.requests import Request

from broker import needs, outcome
from broker.answers import Answer, Page, Redirect
from broker.authorization import plain, prompt, pushed, sign_in
from broker.authorization.request import AuthorizationRequest
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import consent as screen
from broker.pages.citizen import endings
from broker.pages.citizen import sign_in as entrance
from broker.pages.citizen import visit as visits
from broker.pages.citizen.visit import Visit
from broker.people import people
from broker.sign_in import acr
from broker.sign_in.session import Session
from consent import decision, intended_use

Reason = Literal["second_factor", "proof", "other_person", "not_eligible", "permission_ended", "service_fault"]
NOT_ELIGIBLE = "subject_not_eligible"


@dataclass(frozen=True)
class Facts:
    """A request that cannot be served, the reason, and the error its client will get; `visit` once there is a journey."""

    wired: needs.Parts
    visitor: needs.Visitor
    public_id: str
    asked: AuthorizationRequest
    reason: Reason
    error: str
    description: str = ""
    visit: Visit | None = None

    @property
    def service(self) -> dict[str, Any]:
        """Who asks, as pages name them."""
        named = self.asked.client_id, self.asked.data.use_id, self.asked.data.version
        use = sign_in.use_of(self.wired.uses, self.wired.registry, *named, redirect_uri=self.asked.redirect_uri)
        return intended_use.describe(use, self.visitor.language)


async def gather(request: Request) -> Facts | Answer:
    """GET: find the reason anew; somebody who can be served by now goes on."""
    here = entrance.interaction(request)
    if here.begun is not None:
        return await _decided(visits.load(request))
    if here.claimed is None:
        raise Wire("invalid_request_uri", "the request is unknown, used or too old")
    live = here.visitor.session
    lacks = None if live is None else here.lacking(live)
    if live is None or lacks is None or not lacks[0]:
        return Redirect(here.path("continue"))
    asked, (lacking, cause) = here.claimed.request, lacks
    reason: Reason = "other_person" if cause == "another" else _weakness(here.wired, asked, live)
    return Facts(here.wired, here.visitor, here.public_id, asked, reason, lacking)


async def _decided(visit: Visit) -> Facts | Answer:
    """Find out why a decision that was begun cannot be put to the person."""
    if visit.journey.state not in visits.DECIDING:
        return visits.decided(visit)
    found = await screen.look(visit)
    facts = Facts(
        visit.wired,
        visit.visitor,
        visit.journey.journey_id,
        visit.journey.request,
        "service_fault",
        screen.impossible(found),
        visit=visit,
    )
    if isinstance(found.verdict, decision.Refused):
        return replace(facts, reason="permission_ended") if found.verdict.reason == "other_permission" else facts
    if found.enters or found.eligible:
        return Redirect(visit.path("consent"))
    return replace(facts, reason="not_eligible", description=NOT_ELIGIBLE)


def _weakness(wired: needs.Parts, asked: AuthorizationRequest, live: Session) -> Reason:
    """Say what would make this person's sign-in strong enough: a code beside the password, or a better proof of who they are."""
    minimum = wired.uses.version(asked.data.use_id, asked.data.version).minimum_acr
    with wired.database.read() as tx:
        person = people.by_id(tx, live.person_id)
    proofing = "low" if person is None else person.proofing
    could = acr.reached(proofing, one_time_code=True)
    return "second_factor" if "otp" not in live.amr and prompt.is_enough(asked, could, minimum) else "proof"


def act(facts: Facts, _now: int) -> Page:
    """GET: say why, with the way back to the service."""
    context = {
        "action": f"/i/{facts.public_id}/not-possible",
        "service": facts.service,
        "reason": facts.reason,
        "waits": facts.asked.waits,
    }
    return Page("not_possible.html", context)


async def gather_back(request: Request) -> Facts | Answer:
    """POST: read the press."""
    await needs.form(request)
    return await gather(request)


def act_back(tx: Tx, facts: Facts, now: int) -> Answer:
    """POST: end the request and tell its client."""
    wired, asked = facts.wired, facts.asked
    if facts.visit is not None:
        return endings.back(tx, facts.visit, facts.error, now, description=facts.description)
    pushed.close(tx, facts.public_id)
    answer = outcome.refused(tx, wired, asked, facts.public_id, error=facts.error, now=now, service=facts.service)
    gone = needs.drop_cookie(wired, plain.COOKIE + facts.public_id)
    return replace(answer, cookies=(*answer.cookies, gone))
