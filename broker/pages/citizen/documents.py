"""The person's documents: add one to a wallet by a square code, and see what was added (OpenID4VCI 1.0 §4, §6.1).

The code on the screen and the number that goes with it come on two pages; the number only after a new one-time code,
so that neither a photographed screen nor a borrowed session is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import uuid6
from starlette.requests import Request

from broker import needs, throttle
from broker.answers import Page, Raw, Redirect, Refusal
from broker.database import Tx
from broker.errors import Wire
from broker.people import people
from broker.sign_in import acr, one_time_code
from broker.sign_in import session as sessions
from broker.sign_in.session import Session
from consent import history, ledger_entry, notice, permission, request
from consent.history import Event
from consent.intended_use import IntendedUse
from consent.ledger_entry import Entry, Stream
from keys.vault import PersonKeys
from wallet import offer, sd_jwt_vc
from wallet.credential_type import CredentialType

DOCUMENTS = "/account/documents"
ADD = DOCUMENTS + "/{document}/add-to-wallet"
OFFER = DOCUMENTS + "/offers/{permission}"
QR = OFFER + "/qr.svg"
CODE = OFFER + "/code"
SECOND = 1_000_000  # microseconds
EVENTS = 200  # of the newest entries of a person's history
CODES = throttle.Limit(hourly=30, burst=6)


@dataclass(frozen=True)
class Facts:
    """Who is asking, in which language, with their keys; and what of the address they mean."""

    wired: needs.Parts
    session: Session
    language: str
    keys: PersonKeys = field(repr=False)
    stream: Stream
    named: str = ""
    code: str = field(default="", repr=False)


async def gather(http: Request) -> Facts:
    """Take the signed-in person and their keys."""
    wired, session = needs.parts(http), needs.signed_in(http)
    with wired.database.read() as tx:
        keys = wired.vault.person(tx, session.person_id)
        stream = people.ledger_stream(tx, wired.vault, session.person_id)
    named = http.path_params.get("document") or http.path_params.get("permission") or ""
    return Facts(wired, session, needs.visitor(http).language, keys, stream, str(named)[:64])


async def gather_form(http: Request) -> Facts:
    """The same for a form sent from one of these pages; the one-time code is in it where the page asks for one."""
    given = await needs.form(http)
    facts = await gather(http)
    return Facts(
        facts.wired, facts.session, facts.language, facts.keys, facts.stream, facts.named, given.get("code", "")[:16]
    )


def documents(tx: Tx, facts: Facts, now: int) -> Page:
    """List what can be added, what waits for a wallet, and what was added."""
    wired = facts.wired
    offerable = [
        {
            "id": kind.id,
            "title": kind.shown(facts.language).name,
            "description": kind.shown(facts.language).description or "",
            "add_href": _add_href(kind.id),
        }
        for kind in wired.credentials.values()
        if acr.reaches(facts.session.acr, _use(wired, kind).minimum_acr)
    ]
    events = history.read(tx, facts.stream, limit=EVENTS)
    added = [told for event in events if (told := _told(tx, facts, event, now)) is not None]
    return Page("documents.html", {"documents": added, "offerable": offerable})


def add(_tx: Tx, facts: Facts, _now: int) -> Page:
    """Say what will be in the document and what happens next."""
    kind = _kind(facts)
    return Page(
        "add_to_wallet.html",
        {"document": _document(facts, kind), "action": _add_href(kind.id), "back_href": DOCUMENTS},
    )


def make_offer(tx: Tx, facts: Facts, now: int) -> tuple[Redirect, list[Entry]]:
    """Give the permission and make the offer; pressed twice, the offer that waits is shown again."""
    wired, kind = facts.wired, _kind(facts)
    use = _use(wired, kind)
    lookup = permission.lookup(facts.stream.key, use.client_id, use.id)
    waits = offer.waiting(tx, lookup, now=now)
    if waits is not None and _lives(tx, waits, now):
        return Redirect(_offer_href(waits)), []
    permission_id, expires = str(uuid6.uuid7()), now + wired.durations.offer * SECOND
    held = {
        "person_id": facts.session.person_id,
        "client_id": use.client_id,
        "scope": kind.scope,
        "acr": facts.session.acr,
    }
    offer.make(
        tx,
        wired.vault,
        permission_id=permission_id,
        configuration=kind.id,
        lookup=lookup,
        held=held,
        data_key=facts.keys.data,
        now=now,
        expires=expires,
    )
    ends = expires + wired.durations.token * SECOND  # a wallet that redeems at the last moment still gets its document
    return Redirect(_offer_href(permission_id)), [_given(facts, use, permission_id, lookup, ends)]


def show_offer(tx: Tx, facts: Facts, now: int) -> Page:
    """Show the square code and the link that hold the offer."""
    found, offer_id = _own(tx, facts, now)
    context = {
        "document": _document(facts, facts.wired.credentials[found.configuration]),
        "offer_uri": offer.link(facts.wired.issuer, offer_id),
        "qr_src": QR.format(permission=found.permission_id),
        "expires_at": found.expires,
        "tx_code_href": CODE.format(permission=found.permission_id),
        "documents_href": DOCUMENTS,
    }
    return Page("offer.html", context)


def qr_code(tx: Tx, facts: Facts, now: int) -> Raw:
    """Draw the square code."""
    _, offer_id = _own(tx, facts, now)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
    return Raw(offer.qr_code(offer.link(facts.wired.issuer, offer_id)), "image/svg+xml", headers=headers)


def ask_code(tx: Tx, facts: Facts, now: int) -> Page:
    """Ask for a new one-time code before the number is shown."""
    found, _ = _own(tx, facts, now)
    return _fresh_code(facts, found.configuration)


def show_tx_code(tx: Tx, facts: Facts, now: int) -> Page | Refusal:
    """Check the one-time code, once; then make the number and show it, here and nowhere else."""
    found, _ = _own(tx, facts, now)
    wired, person = facts.wired, people.by_id(tx, facts.session.person_id)
    if not facts.code:
        return _fresh_code(facts, found.configuration, error="missing")
    wait = throttle.allow(tx, "one-time-code", facts.session.person_id.encode(), CODES, now)
    if wait is not None or person is None:
        return _fresh_code(facts, found.configuration, error="too_many", minutes=-(-(wait or 60) // 60))
    outcome = one_time_code.check(tx, wired.roots, person, facts.code, now)
    if outcome != "accepted":
        return _fresh_code(facts, found.configuration, error=outcome)
    sessions.freshen(tx, facts.session, now)
    digits = offer.new_tx_code(tx, wired.roots.ring("pepper"), found.permission_id, now=now)
    if digits is None:
        return Refusal("expired", status=410)
    context = {
        "tx_code": digits,
        "document": _document(facts, wired.credentials[found.configuration]),
        "expires_at": found.expires,
        "offer_href": _offer_href(found.permission_id),
    }
    return Page("tx_code.html", context)


def _kind(facts: Facts) -> CredentialType:
    """The document the address names, if this person may have it: 404 or 403 otherwise."""
    kind: CredentialType | None = facts.wired.credentials.get(facts.named)
    if kind is None:
        raise Wire("not_found", status=404)
    if not acr.reaches(facts.session.acr, _use(facts.wired, kind).minimum_acr):
        raise Wire("forbidden", status=403)
    return kind


def _own(tx: Tx, facts: Facts, now: int) -> tuple[offer.Offer, str]:
    """The offer the address names, if it is this person's and can still be taken up; 404 otherwise."""
    found = offer.for_person(tx, facts.named, facts.keys.data, now=now)
    if found is None or not _lives(tx, facts.named, now):
        raise Wire("not_found", status=404)
    return found


def _lives(tx: Tx, permission_id: str, now: int) -> bool:
    given = permission.get(tx, permission_id)
    return given is not None and given.standing(now) == "live"


def _use(wired: needs.Parts, kind: CredentialType) -> IntendedUse:
    return wired.uses.get(kind.use)


def _given(facts: Facts, use: IntendedUse, permission_id: str, lookup: bytes, ends: int) -> Entry:
    """The permission this press gives: asked for by the person themselves, for one issuance."""
    asked = request.normalise([request.USE + use.id], facts.wired.uses, use.client_id)
    assert asked is not None  # noqa: S101 - a use was named
    told = notice.build(use, asked, facts.wired.catalogue, facts.language)
    return ledger_entry.permission_given(
        facts.stream,
        entry_id=str(uuid6.uuid7()),
        party=use.client_id,
        purpose=use.purpose_id,
        permission=permission_id,
        kind=use.kind,
        mode=use.mode,
        granted=asked.item_ids,
        decisions=dict.fromkeys(asked.item_ids, "given"),
        lookup=lookup,
        notice=told.digest,
        language=facts.language,
        valid_to=ends,
        max_uses=1,
        acr=facts.session.acr,
    )


def _told(tx: Tx, facts: Facts, event: Event, now: int) -> dict[str, Any] | None:
    """One row of the list: a document that was issued, or an offer that waits; None for any other event."""
    kinds: Mapping[str, CredentialType] = facts.wired.credentials
    if event.type == "credential.issued" and event.body["configuration"] in kinds:
        kind = kinds[event.body["configuration"]]
        ends = sd_jwt_vc.expires(kind, event.ts) * SECOND
        return _row(facts, kind, event, "issued" if ends > now else "expired", ends)
    waits = event.permission if event.type == "permission.given" else None
    found = offer.for_person(tx, waits, facts.keys.data, now=now) if waits is not None else None
    if found is None or not _lives(tx, found[0].permission_id, now):
        return None
    return _row(facts, kinds[found[0].configuration], event, "offered", found[0].expires)


def _row(facts: Facts, kind: CredentialType, event: Event, state: str, ends: int) -> dict[str, Any]:
    title, issuer = kind.shown(facts.language).name, _issuer(kind)
    row = {"id": event.permission, "title": title, "issuer": issuer, "state": state, "at": event.ts}
    return row | {"expires_at": ends}


def _document(facts: Facts, kind: CredentialType) -> dict[str, Any]:
    labels = [facts.wired.catalogue.attribute(name).labels[facts.language] for name in kind.attributes]
    return {
        "id": kind.id,
        "title": kind.shown(facts.language).name,
        "issuer": _issuer(kind),
        "items": labels,
        "valid_hours": kind.lifetime // 3600,
    }


def _issuer(kind: CredentialType) -> str:
    claim = kind.claim(("issuing_authority",))
    return claim.fixed or "" if claim is not None else ""


def _fresh_code(facts: Facts, configuration: str, **error: Any) -> Page:
    context = {
        "action": CODE.format(permission=facts.named),
        "back_href": _offer_href(facts.named),
        "document": _document(facts, facts.wired.credentials[configuration]),
    }
    return Page("fresh_code.html", {**context, **error})


def _add_href(document: str) -> str:
    return ADD.format(document=document)


def _offer_href(permission_id: str) -> str:
    return OFFER.format(permission=permission_id)
