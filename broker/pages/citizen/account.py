"""A person's own account: what they share and with whom, what was used, and the way to stop (ISO/IEC TS 27560, GDPR art. 7(3)).

Everything is read from the person's own stream of the ledger; no table joins a person to their agencies. A permission
is a person's own when their ledger key makes its look-up value: no list of owners exists that could leak.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uuid6
from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Later, Page, Redirect, Refusal
from broker.authorization import journey
from broker.database import Tx
from broker.pages.citizen import documents, requests, told
from broker.people import activity, people
from consent import history, ledger_entry, permission
from consent.history import Event
from consent.ledger_entry import Entry, Stream
from consent.permission import Permission
from keys import errors as keys_errors
from keys import opaque

PAGE = 50
WHOLE = 500
ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)
UNKNOWN = Refusal("not_found", status=404)


@dataclass(frozen=True)
class Facts:
    """Who looks, in which language, and at what; for the next page `before` is a place in their stream, `before_note` a row's id."""

    wired: needs.Parts = field(repr=False)
    person_id: str
    language: str
    acr: str
    permission_id: str = ""
    before: int | None = None
    before_note: str | None = None
    pressed: bool = False
    ask_erasure: bool = False


async def gather_home(_request: Request) -> Page:
    """Answer the start page: it needs nothing but a language."""
    return Page("home.html", {})


def act_home(answer: Page, _now: int) -> Page:
    """Pass on the start page."""
    return answer


async def gather(request: Request) -> Facts:
    """Find out whose account this is; stops with the way to sign-in for anyone not fully signed in."""
    session = needs.signed_in(request)
    query = parameters.query(request)
    before, note = query.get("before", ""), query.get("note", "")
    named = str(request.path_params.get("id", ""))
    return Facts(
        wired=needs.parts(request),
        person_id=session.person_id,
        language=needs.visitor(request).language,
        acr=session.acr,
        permission_id=named if ID.fullmatch(named) else "",
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None,
        before_note=note if ID.fullmatch(note) else None,
    )


async def gather_stop(request: Request) -> Facts:
    """Read the form that stops a permission; its token ties it to this browser and session."""
    facts = await gather(request)
    form = await needs.form(request)
    return Facts(
        wired=facts.wired,
        person_id=facts.person_id,
        language=facts.language,
        acr=facts.acr,
        permission_id=facts.permission_id,
        pressed=form.get("action") == "stop-sharing",
        ask_erasure=form.get("ask_erasure") == "yes",
    )


def show_account(tx: Tx, facts: Facts, now: int) -> Page:
    """Show the account's start: how many may use something now, what was used last, how many documents."""
    line = _stream(tx, facts)
    events = _whole(tx, line)
    held = _given(tx, events)
    voice = _voice(facts)
    used = [event for event in events if event.type in permission.USES]
    context = {
        "person": people.profile(tx, facts.wired.vault, facts.person_id).display_name,
        "live": sum(one.standing(now) == "live" for one in held),
        "documents": sum(event.type == "credential.issued" for event in events),
        "offerable": next(
            (kind.shown(facts.language).name for kind in documents.offerable(facts.wired, facts.acr)), None
        ),
        "waiting": len(requests.waiting_for(tx, facts.wired, facts.person_id, now)),
        "latest": voice.event(used[0]) if used else None,
    }
    return Page("account.html", context)


def show_sharing(tx: Tx, facts: Facts, now: int) -> Page:
    """Show every permission the person ever gave, those in force first."""
    held = _given(tx, _whole(tx, _stream(tx, facts)))
    voice = _voice(facts)
    cards = [voice.permission(one, now) for one in held]
    live = [card for card in cards if card["state"] == "live"]
    return Page("sharing.html", {"live": live, "ended": [card for card in cards if card["state"] != "live"]})


def show_permission(tx: Tx, facts: Facts, now: int) -> Page | Refusal:
    """Show one permission and what happened under it; 404 for one that is not this person's."""
    line = _stream(tx, facts)
    one = _own(tx, line, facts)
    if one is None:
        return UNKNOWN
    voice = _voice(facts)
    events = [voice.event(event) for event in _whole(tx, line) if event.permission == one.permission_id]
    card = voice.permission(one, now)
    stop = f"{card['href']}/stop" if card["state"] == "live" else None
    return Page("permission.html", {"permission": card, "events": events, "stop_href": stop})


def ask_stop(tx: Tx, facts: Facts, now: int) -> Page | Redirect | Refusal:
    """Ask once more before stopping; what has ended is only shown."""
    one = _own(tx, _stream(tx, facts), facts)
    if one is None:
        return UNKNOWN
    card = _voice(facts).permission(one, now)
    if card["state"] != "live":
        return Redirect(card["href"])
    context = {"permission": card, "back_href": card["href"], "ask_erasure": facts.ask_erasure}
    return Page("stop.html", {**context, "action": f"{card['href']}/stop"})


def stop(tx: Tx, facts: Facts, now: int) -> tuple[Page | Later | Redirect | Refusal, list[Entry]]:
    """End a permission for good; pressed twice, the second press says when it ended and enters nothing.

    Enter in the box sends the form without the button's name: then the page asks again.
    """
    if not facts.pressed:
        return ask_stop(tx, facts, now), []
    line = _stream(tx, facts)
    one = _own(tx, line, facts)
    if one is None:
        return UNKNOWN, []
    card = _voice(facts).permission(one, now)
    context = {"permission": card, "ask_erasure": facts.ask_erasure}
    if one.state != "live":
        return Page(
            "stopped.html", {**context, "at": card["ended_at"] or now, "already": True, "ask_erasure": False}
        ), []
    entry = ledger_entry.permission_withdrawn(
        line,
        entry_id=str(uuid6.uuid7()),
        party=one.client,
        purpose=one.purpose,
        permission=one.permission_id,
        ask_erasure=facts.ask_erasure,
        actor="self",
    )

    journey.withdraw(tx, one.permission_id, now)

    def finish(appended: tuple[Any, ...]) -> Page:
        done = appended[0]
        return Page("stopped.html", {**context, "at": done.ts, "already": False, "reference": str(done.seq)})

    return Later(finish), [entry]


def show_activity(tx: Tx, facts: Facts, _now: int) -> Page:
    """Show a page of what happened, newest first: the person's stream of the ledger and the rest of their activity."""
    voice = _voice(facts)
    events = history.read(tx, _stream(tx, facts), limit=PAGE, before=facts.before)
    notes = activity.read(tx, facts.wired.vault, facts.person_id, limit=PAGE, before=facts.before_note)
    both: list[Event | dict[str, Any]] = sorted([*events, *notes], key=_when, reverse=True)
    shown, rest = both[:PAGE], both[PAGE:]
    told = [voice.event(one) if isinstance(one, Event) else voice.note(one) for one in shown]
    older = rest or len(events) == PAGE or len(notes) == PAGE
    return Page("activity.html", {"events": told, "more_href": _older(facts, shown) if older and shown else None})


def _when(one: Event | dict[str, Any]) -> int:
    return one.ts if isinstance(one, Event) else int(one["ts"])


def _older(facts: Facts, shown: list[Event | dict[str, Any]]) -> str:
    """The address of the next page: where it begins in the stream and among the notes."""
    entries = [one.n for one in shown if isinstance(one, Event)]
    notes = [str(one["id"]) for one in shown if not isinstance(one, Event)]
    before = entries[-1] if entries else facts.before
    places = {"before": before, "note": notes[-1] if notes else facts.before_note}
    return "/account/activity?" + urlencode({name: place for name, place in places.items() if place is not None})


def _voice(facts: Facts) -> told.Voice:
    return told.Voice(facts.wired.uses, facts.wired.catalogue, facts.language, facts.wired.registry)


def _stream(tx: Tx, facts: Facts) -> Stream:
    return people.ledger_stream(tx, facts.wired.vault, facts.person_id)


def _whole(tx: Tx, line: Stream) -> list[Event]:
    """Read the whole stream, newest first: hundreds of entries in a lifetime, a query for each two hundred."""
    events = history.read(tx, line, limit=WHOLE)
    while events and events[-1].n > 0:
        events += history.read(tx, line, limit=WHOLE, before=events[-1].n)
    return events


def _given(tx: Tx, events: list[Event]) -> list[Permission]:
    """Give the permissions that the events of a stream gave, newest first."""
    ids = [event.permission for event in events if event.type == "permission.given" and event.permission]
    found: dict[str, Permission] = {}
    for start in range(0, len(ids), 200):
        found |= permission.get_many(tx, ids[start : start + 200])
    return [found[one] for one in ids if one in found]


def _own(tx: Tx, line: Stream, facts: Facts) -> Permission | None:
    """Give the permission of the path when it is this person's; None when it is another's or does not exist."""
    one = permission.get(tx, facts.permission_id)
    if one is None:
        return None
    try:
        opaque.equal(permission.lookup(line.key, one.client, one.use_id), one.lookup)
    except keys_errors.KeysError:
        return None
    return one
