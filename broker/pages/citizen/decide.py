"""Share or Don't share: one press, recorded once, in one transaction with the ledger's entry."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import uuid6
from starlette.requests import Request

from broker import needs, outcome
from broker.answers import Answer, Later, Redirect
from broker.authorization import journey
from broker.authorization.journey import Journey
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.pages.citizen import consent as screen
from broker.pages.citizen import endings
from broker.pages.citizen import visit as visits
from broker.pages.citizen.consent import DAY, SECOND
from broker.pages.citizen.visit import Visit
from broker.parameters import Parameters
from broker.people import activity, people
from broker.sign_in import subject
from consent import decision, history, ledger_entry, notice, permission
from consent.decision import Shared
from consent.errors import NotAsked
from consent.ledger_entry import Entry


@dataclass(frozen=True)
class Repeated:
    """A press that was decided before, while the same answer can still be given."""

    visit: Visit


@dataclass(frozen=True)
class Decided:
    """A person's press, read and compared with what was on their screen."""

    screen: screen.Facts
    share: bool
    shared: Shared | None
    days: int | None
    changed: bool
    subject: str = field(default="", repr=False)


async def gather(request: Request) -> Decided | Repeated | Answer:
    """Read the form and compare what it was shown with what there is."""
    form = await needs.form(request)
    visit = visits.load(request)
    pressed = form.get("decision")
    if pressed not in {"share", "refuse", None}:
        raise Wire("invalid_request", "the decision is share or refuse")
    if visit.journey.state not in visits.DECIDING:
        return _before(visit, form)
    facts = await screen.look(visit)
    if facts.held is None or facts.previewed is None:
        return Redirect(visit.path("consent"))
    if pressed is None:  # Enter in a box sends the form, too
        again = replace(facts, error="choose", ticked=frozenset(form.all("item")), days=form.get("duration", ""))
        return replace(screen.page(screen.named(again), facts.previewed), status=422)
    same = hmac.compare_digest(form.get("shown", "").encode(), screen.shown(facts).encode())
    if pressed == "refuse":
        return Decided(facts, share=False, shared=None, days=None, changed=False)
    statuses = {item: one.status for item, one in facts.found.items()}
    try:
        shared = decision.share(facts.visit.journey.request.data, set(form.all("item")), statuses)
    except NotAsked as problem:
        raise Wire("invalid_request", "an item was not offered") from problem
    days = _days(visit, form.get("duration"))
    facts = facts if same else screen.named(facts)
    return Decided(facts, share=True, shared=shared, days=days, changed=not same, subject=known_as(visit))


def _before(visit: Visit, form: Parameters) -> Repeated | Answer:
    """Answer a press that comes after the decision: the same one gets what it got, another is told what happened (409)."""
    found, pressed = visit.journey, form.get("decision")
    if pressed is None:
        return visits.decided(visit)
    with visit.wired.database.read() as tx:
        same = _repeats(tx, visit, share=pressed == "share", ticked=form.all("item"))
    late = found.state == "returned" and (found.code_expires or 0) <= visit.now
    if not same:
        outcome = "refused" if found.state == "refused" else "shared"
        return visits.told(visit, outcome, 409, again=not late and not found.request.waits)
    if late or found.state == "shared" or found.request.waits:
        return visits.decided(visit)
    return Repeated(visit)


def _repeats(tx: Tx, visit: Visit, *, share: bool, ticked: Iterable[str]) -> bool:
    """Whether a press says what was decided on this journey before: no, or Share with the same boxes ticked.

    So a slow network, on which people press twice, never leaves anybody here (`protocol` §2, Codes).
    """
    found = visit.journey
    if not share or found.state == "refused":
        return not share and found.state == "refused"
    stream = people.ledger_stream(tx, visit.wired.vault, visit.session.person_id)
    given = history.newest(
        tx, stream, lambda one: one.type in permission.GIVES and one.private.get("journey") == found.journey_id
    )
    if given is None:  # inside what was decided before: there was no press
        return True
    optional = {item.id for item in found.request.data.items if not item.required}
    before = {item for item, said in given.private["items"].items() if said != "refused"}
    return set(ticked) & optional == before & optional


def known_as(visit: Visit) -> str:
    """Name the person as the agency will know them."""
    client = visit.wired.registry.get(visit.use.client_id)
    if client is None:
        raise Wire("invalid_client", "the client is not registered any more")
    with visit.wired.database.read() as tx:
        return subject.pairwise(visit.wired.vault.person(tx, visit.session.person_id).pairwise, client.pairwise_sector)


def _days(visit: Visit, chosen: str | None) -> int | None:
    """Read the chosen period: one of those offered, the shortest when none was chosen."""
    if visit.journey.request.data.kind == "once":
        return None
    offered = {str(days): days for days in visit.use.durations}
    if chosen is not None and chosen not in offered:
        raise Wire("invalid_request", "the period was not offered")
    return offered[chosen] if chosen is not None else min(visit.use.durations)


def act(tx: Tx, facts: Decided | Repeated, now: int) -> tuple[Answer | Later, list[Entry]]:
    """Record the press; a changed screen records nothing and comes again, and so does the answer to a repeated press."""
    if isinstance(facts, Repeated):
        return endings.again(tx, facts.visit, now), []
    visit = facts.screen.visit
    found = journey.get(tx, visit.journey.journey_id)
    if found is None or found.state != visit.journey.state:
        return _overtaken(tx, facts, found, now), []  # the same press twice, or another in another tab: once
    if not facts.share:
        return refuse(tx, facts.screen, now), []
    if facts.changed and facts.screen.previewed is not None:
        receipt, again = facts.screen.previewed, replace(facts.screen, error="changed")
        return Later(lambda _: screen.page(again, receipt)), []
    return _share(tx, facts, now)


def _overtaken(tx: Tx, facts: Decided, found: Journey | None, now: int) -> Answer:
    """Answer a press that another was quicker than: as that one was where both say the same, else with what happened."""
    visit = facts.screen.visit
    if found is None or found.state not in {"refused", "returned"} or found.request.waits:
        return Redirect(visit.path("consent"))
    later = replace(visit, journey=found)
    same = _repeats(tx, later, share=facts.share, ticked=() if facts.shared is None else facts.shared.kept)
    return endings.again(tx, later, now) if same else Redirect(visit.path("consent"))


def _share(tx: Tx, facts: Decided, now: int) -> tuple[Answer, list[Entry]]:
    """Give what was on the screen: a new permission, or a new decision about the one the agency named.

    Whoever redeems it can open the values from then on.
    """
    visit = facts.screen.visit
    grant_id = visit.journey.request.grant_id
    if grant_id is not None and not _may_change(tx, facts.screen, now):
        return endings.back(tx, visit, "invalid_grant_id", now), []
    if visit.journey.request.waits and not outcome.decide(tx, visit.wired, visit.journey.journey_id, "approved", now):
        return endings.too_late(tx, visit), []
    permission_id = grant_id or str(uuid6.uuid7())
    waits = visit.wired.durations
    opens = max(now + (waits.receipt + waits.code) * SECOND, endings.good_until(tx, visit, now)) + waits.token * SECOND
    first = journey.decided(
        tx,
        visit.journey.journey_id,
        before="previewed",
        state="shared",
        permission_id=permission_id,
        expires=now + waits.receipt * SECOND,
    )
    if not first or facts.screen.held is None or facts.shared is None:
        return Redirect(visit.path("consent")), []
    if grant_id is not None:
        journey.renew(tx, permission_id, visit.journey.journey_id, now)
    notice.keep(tx, facts.screen.notice)
    preview.keep(tx, facts.screen.held, facts.shared.kept)
    preview.reseal(tx, visit.wired.vault, facts.screen.held, visit.journey.code_public, expires=opens)
    ends = now + facts.days * DAY if facts.days is not None else opens
    entry = _given(tx, facts, permission_id, now, ends)
    visit.wired.signals.remember(tx, permission_id, visit.use.client_id, facts.subject, ends)
    if visit.use.direct_return or visit.journey.request.waits:
        shared = replace(visit, journey=replace(visit.journey, state="shared", permission_id=permission_id))
        return endings.to_agency(tx, shared, now), [entry]
    return Redirect(visit.path("done")), [entry]


def _may_change(tx: Tx, facts: screen.Facts, now: int) -> bool:
    """Whether the named grant is still live and this person's, and holds nothing this page did not show if it is added to."""
    visit, held = facts.visit, visits.standing(tx, facts.visit, facts.stream, now)
    if held is None:
        return False
    kept = set(held.items) & set(visit.use.item_ids)
    return visit.journey.request.grant_action != "merge" or kept <= set(visit.journey.request.data.item_ids)


def _given(tx: Tx, facts: Decided, permission_id: str, now: int, valid_to: int) -> Entry:
    visit, shared, asked = facts.screen.visit, facts.shared, facts.screen.visit.journey.request.data
    if shared is None:
        raise ValueError("nothing was shared")
    lookup = permission.lookup(facts.screen.stream.key, visit.use.client_id, visit.use.id)
    earlier = permission.find_live(tx, lookup, now) if asked.kind == "ongoing" else None
    ends = earlier is not None and earlier.permission_id != permission_id
    who: dict[str, Any] = {"supersedes": earlier.permission_id} if earlier is not None and ends else {}
    return ledger_entry.permission_given(
        facts.screen.stream,
        entry_id=str(uuid6.uuid7()),
        party=visit.use.client_id,
        purpose=visit.use.purpose_id,
        permission=permission_id,
        kind=asked.kind,
        mode=visit.use.mode,
        granted=shared.given,
        decisions=shared.decisions,
        lookup=lookup,
        notice=facts.screen.notice.digest,
        language=visit.language,
        valid_to=valid_to,
        max_uses=permission.ONCE if asked.kind == "once" else None,
        journey=visit.journey.journey_id,
        acr=visit.journey.acr,
        amends=visit.journey.request.grant_id is not None,
        **who,
    )


def refuse(tx: Tx, facts: screen.Facts, now: int) -> Answer:
    """Drop every value, note the refusal for the person alone, and send them back."""
    visit = facts.visit
    activity.record(
        tx,
        visit.wired.vault,
        visit.session.person_id,
        {"type": "permission.refused", "party": visit.use.client_id, "purpose": visit.use.purpose_id},
        now,
    )
    return endings.back(tx, visit, "access_denied", now)
