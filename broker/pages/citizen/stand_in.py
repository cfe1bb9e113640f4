"""A stand-in for the person in a sandbox: decides a request of the back channel through the same code as the pages (house).

Yes is a Share with no optional item and the shortest period: the preview's entry, then the permission's. Absent in production.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Json, Later, Refusal
from broker.authorization import journey, prompt, waiting
from broker.authorization.waiting import Waiting
from broker.clients.profile import CIBA
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.pages.citizen import consent as screen
from broker.pages.citizen import decide, endings, refusal, requests
from broker.pages.citizen.visit import Visit
from broker.people import people
from broker.people.people import Person
from broker.sign_in import acr
from broker.sign_in import session as sessions
from broker.sign_in.session import Session
from consent import decision
from consent.ledger_entry import Entry

MODES = frozenset({"demo", "sandbox"})
TYPES = frozenset({"allow", "deny"})
SECOND = 1_000_000  # microseconds
NOTHING = Refusal("not_found", "no such request waits", status=404)


@dataclass(frozen=True)
class Denied:
    """A request that the stand-in refuses."""

    wired: needs.Parts
    visitor: needs.Visitor
    found: Waiting


@dataclass(frozen=True)
class Allowed:
    """A request that the stand-in shares, as its page would be; `subject` is who the client will know."""

    screen: screen.Facts
    subject: str


async def gather(request: Request) -> Denied | Allowed | Refusal:
    """Find the request that waits; for yes, begin the person's journey and fetch what its page would show."""
    wired = needs.parts(request)
    if wired.mode not in MODES:
        return Refusal("not_found", status=404)
    given, now = parameters.query(request), wired.clock()
    if given.get("type") not in TYPES or "token" not in given:
        raise Wire("invalid_request", "token is an auth_req_id, type is allow or deny")
    with wired.database.read() as tx:
        found = waiting.find(tx, given["token"])
        if found is None or found.request.grant_type != CIBA or not found.open_at(now):
            return NOTHING
        person_id = found.about(wired.roots.ring("token"))["person_id"]
        person = people.by_id(tx, person_id) if person_id is not None else None
    if person is None or person.disabled:
        return NOTHING
    session = _session(person, now)
    visitor = replace(needs.visitor(request), session=session)
    if given["type"] == "deny":
        return Denied(wired, visitor, found)
    visit = _visit(wired, visitor, session, found, now)
    if visit is None:
        return NOTHING
    return Allowed(await screen.look(visit), decide.known_as(visit))


def _session(person: Person, now: int) -> Session:
    """A sign-in as good as this person's can be; it is kept nowhere."""
    reached = acr.reached(person.proofing, one_time_code=person.totp_sealed is not None)
    return sessions.passing(person.person_id, acr=reached, now=now)


def _visit(wired: needs.Parts, visitor: needs.Visitor, session: Session, found: Waiting, now: int) -> Visit | None:
    """Begin the journey in which the stand-in decides; None when somebody does in their browser."""
    handle = secrets.token_bytes(journey.HANDLE)
    with wired.database.write() as tx:
        begun = journey.begin(
            tx,
            journey_id=found.tx,
            session=session,
            request=replace(found.request, hint=None),
            handle=handle,
            language=visitor.language,
            expires=now + wired.durations.journey * SECOND,
            holder=journey.Holder(found.id_hash, found.public),
        )
        opened = journey.get(tx, found.tx)
    if not begun or opened is None:
        return None
    use, client = requests.use_of(wired, found), wired.registry.get(found.request.client_id)
    return Visit(wired, visitor, session, opened, handle, use, client, now)


def act(tx: Tx, facts: Denied | Allowed, now: int) -> tuple[Json | Later | Refusal, list[Entry]]:
    """Decide; both entries of a yes are appended together, in their order."""
    if isinstance(facts, Denied):
        service = requests.service_of(facts.wired, facts.found, facts.visitor.language)
        refusal.before_signing_in(tx, facts.wired, facts.visitor, facts.found, service=service, now=now)
        return _told(tx, facts.found.tx), []
    visit = facts.screen.visit
    if not prompt.is_enough(visit.journey.request, visit.session.acr, visit.use.minimum_acr):
        endings.back(tx, visit, "unmet_authentication_requirements", now)
        return _told(tx, visit.journey.journey_id), []
    if not facts.screen.enters:
        screen.conclude(tx, facts.screen, now)
        return _told(tx, visit.journey.journey_id), []
    _, previewed = screen.ask(tx, facts.screen, now)
    shown = journey.get(tx, visit.journey.journey_id)
    held = preview.open_(tx, visit.wired.vault, visit.handle, now)
    if not previewed or shown is None or held is None:
        return _told(tx, visit.journey.journey_id), previewed
    asked = visit.journey.request.data
    shared = decision.share(asked, set(), {item: one.status for item, one in held.found.items()})
    pressed = decide.Decided(
        replace(facts.screen, visit=replace(visit, journey=shown), held=held),
        share=True,
        shared=shared,
        days=None if asked.kind == "once" else min(visit.use.durations),
        changed=False,
        subject=facts.subject,
    )
    _, given = decide.act(tx, pressed, now)
    return _told(tx, visit.journey.journey_id), [*previewed, *given]


def _told(tx: Tx, tx_id: str) -> Json:
    found = waiting.get(tx, tx_id)
    return Json({"state": "gone" if found is None else found.state}, headers={"Cache-Control": "no-store"})
