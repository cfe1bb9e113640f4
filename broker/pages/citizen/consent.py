"""The one decision screen: who asks, why, and every item with its value, its register and its date.

Values are fetched while the page loads, sealed to the journey's handle, and entered in the ledger before the first one
is shown. What was on the screen is what is shared: the form carries a code over its rows, and Share compares.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import uuid6
from starlette.requests import Request

from broker.answers import Answer, Later, Page, Redirect
from broker.authorization import journey
from broker.database import Tx
from broker.evidence import preview
from broker.evidence.collect import collect
from broker.evidence.source import Evidence, Found
from broker.pages.citizen import endings, rows, visible
from broker.pages.citizen import visit as visits
from broker.pages.citizen.visit import Visit
from broker.people import people
from consent import decision, history, ledger_entry, notice, permission, release
from consent.intended_use import SIGN_IN
from consent.ledger_entry import Entry, Stream
from consent.notice import Notice
from keys import canonical, sealing

SECOND = 1_000_000
DAY = 86_400 * SECOND
PREVIEWED = "access.previewed"
SILENT = "source_unavailable"


@dataclass(frozen=True)
class Facts:
    """What the page is made of: the visit, the notice, and the rows (still sealed)."""

    visit: Visit
    stream: Stream
    notice: Notice
    verdict: decision.Granted | decision.Ask | decision.Refused
    live: permission.Permission | None
    found: Mapping[str, Found]
    held: preview.Held | None
    eligible: bool = True
    previewed: release.ReleaseReceipt | None = None
    differences: tuple[str, ...] = ()
    error: str | None = None
    ticked: frozenset[str] = frozenset()  # what the person had ticked and chosen when the page comes again
    days: str = ""
    person: str = field(default="", repr=False)  # as whom somebody is signed in

    @property
    def enters(self) -> bool:
        """Whether there is something to ask: then values are shown, and that is entered."""
        asks = isinstance(self.verdict, decision.Ask) and "none" not in self.visit.journey.request.prompt
        return asks and self.eligible


async def gather(request: Request) -> Facts | Answer:
    """Find out whether to ask at all; then fetch what will be shown, or open what was fetched before."""
    visit = visits.load(request)
    if visit.journey.state not in visits.DECIDING:
        return visits.decided(visit)
    facts = await look(visit, retry=True)
    return named(facts) if facts.enters else facts


def named(facts: Facts) -> Facts:
    """Look up as whom the person is signed in: the page says so."""
    visit = facts.visit
    with visit.wired.database.read() as tx:
        told = people.profile(tx, visit.wired.vault, visit.session.person_id)
    return replace(facts, person=told.display_name)


async def look(visit: Visit, *, retry: bool = False) -> Facts:
    """Gather the rows of the decision: from the sealed row when the page was shown before, else from the registers.

    `retry`: registers that gave no answer then are asked again. A question that was put stays one, whatever happens meanwhile.
    """
    wired, request = visit.wired, visit.journey.request
    with wired.database.read() as tx:
        stream = people.ledger_stream(tx, wired.vault, visit.session.person_id)
        live = visits.standing(tx, visit, stream, visit.now)
        held = preview.open_(tx, wired.vault, visit.handle, visit.now) if visit.journey.state == "previewed" else None
        receipt = _receipt(tx, visit, stream)
    fresh = None
    if visible.hidden(visit, live):
        fresh = (
            None if held is not None else await _fetched(visit, request.data.item_ids)
        )  # ours alone, and not yet shown
        visit = visible.narrowed(visit, live, held.found if held is not None else fresh or {})
    asked = visit.journey.request.data
    chosen = notice.build(visit.use, asked, wired.catalogue, visit.language)
    texts = notice.digests(visit.use, asked, wired.catalogue)
    verdict = decision.decide(asked, visit.use, live, texts.values(), visit.now, action=request.grant_action)
    put = request.waits or "consent" in request.prompt or visit.journey.state == "previewed"
    if isinstance(verdict, decision.Granted) and put:
        verdict = decision.Ask("first")
    if not isinstance(verdict, decision.Ask) or "none" in request.prompt:  # nothing will be shown
        return Facts(visit, stream, chosen, verdict, live, {}, None)
    if held is None or receipt is None:
        found = fresh or await _fetched(visit, asked.item_ids)
        return Facts(visit, stream, chosen, verdict, live, found, None, eligible=found.eligible)
    silent = [item for item, one in held.found.items() if one.status == SILENT] if retry else []
    answered = await _fetched(visit, silent) if silent else {}
    if all(one.status == SILENT for one in answered.values()):
        return Facts(visit, stream, chosen, verdict, live, held.found, held, previewed=receipt)
    return Facts(visit, stream, chosen, verdict, live, {**held.found, **answered}, held)


async def _fetched(visit: Visit, items: Collection[str]) -> Evidence:
    wired = visit.wired
    with wired.database.read() as tx:
        subject = people.subject(tx, wired.vault, visit.session.person_id)
    return await collect(
        wired.registers.by_id,
        wired.registers.routing,
        subject,
        items,
        phase="preview",
        reference=visit.journey.journey_id,
        now=visit.now,
        cut=wired.durations.preview_cut,
    )


def _receipt(tx: Tx, visit: Visit, stream: Stream) -> release.ReleaseReceipt | None:
    """Make the preview's receipt again from the committed entry: good for its journey, in any worker."""
    wanted = visit.journey.journey_id
    if visit.journey.previewed_entry is None:
        return None
    shown = history.newest(tx, stream, lambda one: one.type == PREVIEWED and one.private.get("journey") == wanted)
    return None if shown is None else release.ReleaseReceipt.of_preview(shown)


def act(tx: Tx, facts: Facts, now: int) -> Answer | tuple[Answer | Later, list[Entry]]:
    """Put the question; or send the browser back where nothing is asked, by way of the page that says why nothing can be."""
    if facts.enters:
        return ask(tx, facts, now)
    if not isinstance(facts.verdict, decision.Granted) and "none" not in facts.visit.journey.request.prompt:
        return visits.overtaken(tx, facts.visit) or Redirect(facts.visit.path("not-possible"))
    return conclude(tx, facts, now)


def conclude(tx: Tx, facts: Facts, now: int) -> Answer:
    """End a visit in which nothing is asked: inside what was decided before, or without data."""
    if isinstance(facts.verdict, decision.Granted):
        return again(tx, facts.visit, facts.verdict, now)
    return visits.overtaken(tx, facts.visit) or endings.back(tx, facts.visit, impossible(facts), now)


def ask(tx: Tx, facts: Facts, now: int) -> tuple[Answer | Later, list[Entry]]:
    """Show the decision, its first showing entered in the ledger."""
    visit, wired = facts.visit, facts.visit.wired
    overtaken = visits.overtaken(tx, visit)
    if overtaken is not None:
        return overtaken, []
    expires = now + wired.durations.journey * SECOND
    if facts.held is not None and facts.previewed is not None:
        journey.extend(tx, visit.journey.journey_id, expires)
        preview.extend(tx, facts.held.row_id, expires)
        receipt = facts.previewed
        return Later(lambda _: page(facts, receipt)), []
    entry = ledger_entry.access_previewed(
        facts.stream,
        entry_id=str(uuid6.uuid7()),
        party=visit.use.client_id,
        purpose=visit.use.purpose_id,
        journey=visit.journey.journey_id,
        items={item: facts.found[item].status for item in visit.journey.request.data.item_ids},
        sources=[facts.found[item].source for item in visit.journey.request.data.item_ids if facts.found[item].source],
    )
    if not journey.previewed(tx, visit.journey.journey_id, entry.id, expires, again=facts.held is not None):
        return Redirect(visit.path("consent")), []  # another tab was quicker: show what it was shown
    later = Later(lambda appended: page(facts, release.ReleaseReceipt.of(appended[0])))
    if facts.held is not None:
        preview.renew(tx, facts.held, facts.found, expires=expires)
        return later, [entry]
    _hold(tx, visit, facts.found, public=visit.journey.handle_public, now=now, expires=expires)
    return later, [entry]


def impossible(facts: Facts) -> str:
    """Name the error of a visit in which nothing can be asked."""
    if isinstance(facts.verdict, decision.Refused):
        return "invalid_grant_id" if facts.verdict.reason == "other_permission" else "invalid_request"
    return "consent_required" if "none" in facts.visit.journey.request.prompt else "access_denied"


def again(tx: Tx, visit: Visit, granted: decision.Granted, now: int) -> Answer:
    """A visit inside what was decided before: no question, a code at once; the values are fetched when they are asked for."""
    waits = visit.wired.durations
    expires = now + (waits.code + waits.token) * SECOND
    first = journey.decided(
        tx,
        visit.journey.journey_id,
        before=visit.journey.state,
        state="shared",
        permission_id=granted.permission_id,
        expires=expires,
    )
    if not first:
        return Redirect(visit.path("consent"))
    if visit.journey.request.grant_id is not None:
        journey.renew(tx, granted.permission_id, visit.journey.journey_id, now)
    if visit.journey.state == "previewed":
        preview.drop(tx, visit.journey.journey_id)
    _hold(tx, visit, {}, public=visit.journey.code_public, now=now, expires=expires)
    return endings.to_agency(tx, visit, now)


def _hold(tx: Tx, visit: Visit, found: Mapping[str, Found], *, public: bytes, now: int, expires: int) -> None:
    """Seal what was found, whose it is and in which session, to the one holder of this public key."""
    preview.hold(
        tx,
        visit.wired.vault,
        row_id=visit.journey.journey_id,
        person_id=visit.session.person_id,
        auth_time=visit.session.auth_time,
        claims=visit.journey.request.claims,
        session=visit.session.secret,
        found=found,
        publics=[public],
        now=now,
        expires=expires,
    )


def page(facts: Facts, receipt: release.ReleaseReceipt) -> Page:
    """Open the values with the preview's receipt and lay out the screen."""
    visit, asked = facts.visit, facts.visit.journey.request.data
    laid_out = rows.opened(visit, facts.found, receipt, facts.notice, facts.ticked)
    return Page(
        "consent.html",
        {
            "action": visit.path("consent"),
            "service": visit.service,
            "notice": notice.page(facts.notice),
            "rows": laid_out,
            "groups": rows.grouped(laid_out, facts.notice),
            "person": facts.person,
            "signs_in": visit.use.id == SIGN_IN,
            "shown": shown(facts),
            "differences": list(facts.differences),
            "durations": _periods(facts) if asked.kind == "ongoing" else None,
            "binding_message": visit.journey.request.binding_message,
            "error": facts.error,
        },
    )


def _periods(facts: Facts) -> list[dict[str, Any]]:
    offered = facts.visit.periods()
    if facts.days not in {one["value"] for one in offered}:
        return offered
    return [{**one, "checked": one["value"] == facts.days} for one in offered]


def shown(facts: Facts) -> str:
    """A code over what is on the screen, under the journey's handle: rows, states, values, notice, language, session."""
    visit = facts.visit
    key = sealing.derive(visit.handle, "semel/shown/v1")
    lines = [
        [item.id, facts.found[item.id].status, _value_mac(facts.found[item.id], key), facts.found[item.id].as_of]
        for item in visit.journey.request.data.items
        if item.id in facts.found
    ]
    screen = {
        "session": visit.session.secret.hex(),
        "subject": "self",
        "use": visit.use.purpose_id,
        "notice": facts.notice.digest.hex(),
        "language": visit.language,
        "rows": lines,
    }
    return hmac.digest(key, canonical.dumps(screen), hashlib.sha256).hex()


def _value_mac(one: Found, key: bytes) -> str | None:
    return release.value_mac(one.value, key).hex() if one.value is not None else None
