"""The person's documents: add one to a wallet by a square code, and see what was added (OpenID4VCI 1.0 §4).

The number that goes with the code is on a page of its own (`transaction_code`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import uuid6
from starlette.requests import Request

from broker import needs
from broker.answers import Answer, Page, Raw, Redirect
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import known_browser
from broker.people import people
from broker.sign_in import acr
from broker.sign_in.session import Session
from consent import history, ledger_entry, notice, permission, request, wording
from consent.history import Event
from consent.intended_use import IntendedUse
from consent.ledger_entry import Entry, Stream
from consent.notice import Notice
from keys.vault import PersonKeys
from wallet import offer, sd_jwt_vc
from wallet.credential_type import CredentialType

DOCUMENTS = "/account/documents"
ADD = DOCUMENTS + "/{id}/add-to-wallet"
OFFER = DOCUMENTS + "/offers/{id}"
QR = OFFER + "/qr.svg"
SECOND = 1_000_000  # microseconds
EVENTS = 1_000_000  # of a person's history, read in pieces: all of it, however often agencies write to it


@dataclass(frozen=True)
class Facts:
    """Who is asking, in which language, with their keys; and what of the address they mean."""

    wired: needs.Parts
    session: Session
    language: str
    keys: PersonKeys = field(repr=False)
    stream: Stream
    named: str


async def gather(http: Request) -> Facts:
    """Take the signed-in person and their keys."""
    wired, session = needs.parts(http), needs.signed_in(http)
    with wired.database.read() as tx:
        keys = wired.vault.person(tx, session.person_id)
        stream = people.ledger_stream(tx, wired.vault, session.person_id)
    named = str(http.path_params.get("id", ""))[:64]
    return Facts(wired, session, needs.visitor(http).language, keys, stream, named)


async def gather_add(http: Request) -> Facts | Answer:
    """Read the form that adds a document; one from an earlier session comes again and adds nothing."""
    facts = await gather(http)
    if await known_browser.form(http) is None:
        return add_page(facts, error="stale_form", status=403)
    return facts


def offerable(wired: needs.Parts, reached: str) -> list[CredentialType]:
    """Name what somebody with a sign-in this strong can put into a wallet; `reached` is its `acr`."""
    return [kind for kind in wired.credentials.values() if acr.reaches(reached, _use(wired, kind).minimum_acr)]


def documents(tx: Tx, facts: Facts, now: int) -> Page:
    """List what can be added, what waits for a wallet, and what was added."""
    wired = facts.wired
    may = [
        {
            "id": kind.id,
            "title": kind.shown(facts.language).name,
            "description": kind.shown(facts.language).description or "",
            "add_href": _add_href(kind.id),
        }
        for kind in offerable(wired, facts.session.acr)
    ]
    events = history.read(tx, facts.stream, limit=EVENTS)
    added = [told for event in events if (told := _told(tx, facts, event, now)) is not None]
    return Page("documents.html", {"documents": added, "offerable": may})


def add(_tx: Tx, facts: Facts, _now: int) -> Page:
    """Say what will be in the document and what happens next."""
    return add_page(facts)


def add_page(facts: Facts, *, error: str | None = None, status: int = 200) -> Page:
    """The page with the button; `error` one of the template's."""
    kind = _kind(facts)
    read = _read(facts, _use(facts.wired, kind))
    context = {
        "blocks": [asdict(block) for block in read.blocks if block.kind != "who"],
        "document": document(facts, kind.id),
        "action": _add_href(kind.id),
        "back_href": DOCUMENTS,
        "error": error,
    }
    return Page("add_to_wallet.html", context, status=status)


def make_offer(tx: Tx, facts: Facts, now: int) -> tuple[Redirect, list[Entry]]:
    """Give the permission and make the offer; pressed twice, the offer that waits is shown again."""
    wired, kind = facts.wired, _kind(facts)
    use = _use(wired, kind)
    lookup = permission.lookup(facts.stream.key, use.client_id, use.id)
    waits = offer.waiting(tx, lookup, now=now)
    if waits is not None and _lives(tx, waits, now):
        return Redirect(offer_href(waits)), []
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
    notice.keep(tx, _read(facts, use))
    ends = expires + wired.durations.token * SECOND  # a wallet that redeems at the last moment still gets its document
    return Redirect(offer_href(permission_id)), [_given(facts, use, permission_id, lookup, ends)]


def show_offer(tx: Tx, facts: Facts, now: int) -> Page:
    """Show the square code and the link that hold the offer."""
    found, offer_id = own(tx, facts, now)
    context = {
        "document": document(facts, found.configuration),
        "offer_uri": offer.link(facts.wired.issuer, offer_id),
        "qr_src": QR.format(id=found.permission_id),
        "expires_at": found.expires,
        "tx_code_href": f"{offer_href(found.permission_id)}/code",
        "documents_href": DOCUMENTS,
    }
    return Page("offer.html", context)


def qr_code(tx: Tx, facts: Facts, now: int) -> Raw:
    """Draw the square code."""
    _, offer_id = own(tx, facts, now)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
    return Raw(offer.qr_code(offer.link(facts.wired.issuer, offer_id)), "image/svg+xml", headers=headers)


def _kind(facts: Facts) -> CredentialType:
    """The document the address names, if this person may have it: 404 or 403 otherwise."""
    kind: CredentialType | None = facts.wired.credentials.get(facts.named)
    if kind is None:
        raise Wire("not_found", status=404)
    if not acr.reaches(facts.session.acr, _use(facts.wired, kind).minimum_acr):
        raise Wire("forbidden", status=403)
    return kind


def own(tx: Tx, facts: Facts, now: int) -> tuple[offer.Offer, str]:
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


def _read(facts: Facts, use: IntendedUse) -> Notice:
    """What the person reads before the press."""
    asked = request.DataRequest.whole(use)
    return notice.build(use, asked, facts.wired.catalogue, facts.language)


def _given(facts: Facts, use: IntendedUse, permission_id: str, lookup: bytes, ends: int) -> Entry:
    """The permission this press gives: asked for by the person themselves, for one issuance."""
    return ledger_entry.permission_given(
        facts.stream,
        entry_id=str(uuid6.uuid7()),
        party=use.client_id,
        purpose=use.purpose_id,
        permission=permission_id,
        kind=use.kind,
        mode=use.mode,
        granted=use.item_ids,
        decisions=dict.fromkeys(use.item_ids, "given"),
        lookup=lookup,
        notice=_read(facts, use).digest,
        language=facts.language,
        valid_to=ends,
        max_uses=permission.ONCE,
        acr=facts.session.acr,
    )


def _told(tx: Tx, facts: Facts, event: Event, now: int) -> dict[str, Any] | None:
    """One row of the list: a document that was issued, or an offer that waits; None for any other event."""
    kinds: Mapping[str, CredentialType] = facts.wired.credentials
    if event.type == "credential.issued" and event.body["configuration"] in kinds:
        kind = kinds[event.body["configuration"]]
        ends = sd_jwt_vc.expires(kind, event.ts) * SECOND
        return _row(facts, kind, event, "issued" if ends > now else "expired", ends)
    given = event.permission if event.type == "permission.given" else None
    asked = {_use(facts.wired, kind).purpose_id for kind in kinds.values()}
    if given is None or event.purpose not in asked or event.ts + facts.wired.durations.offer * SECOND <= now:
        return None  # an agency's, or over
    found = offer.for_person(tx, given, facts.keys.data, now=now)
    if found is None or not _lives(tx, found[0].permission_id, now):
        return None
    return _row(facts, kinds[found[0].configuration], event, "offered", found[0].expires)


def _row(facts: Facts, kind: CredentialType, event: Event, state: str, ends: int) -> dict[str, Any]:
    title, issuer = kind.shown(facts.language).name, _issuer(facts, kind)
    row = {"id": event.permission, "title": title, "issuer": issuer, "state": state, "at": event.ts}
    return row | {"expires_at": ends}


def document(facts: Facts, configuration: str) -> dict[str, Any]:
    """Describe a document in the page's language: what it is called, whose it is, what it holds, how long it is good."""
    kind: CredentialType = facts.wired.credentials[configuration]
    labels = [facts.wired.catalogue.attribute(name).labels[facts.language] for name in kind.attributes]
    return {
        "id": kind.id,
        "title": kind.shown(facts.language).name,
        "issuer": _issuer(facts, kind),
        "items": labels,
        "valid_hours": kind.lifetime // 3600,
    }


def _issuer(facts: Facts, kind: CredentialType) -> str:
    """Name the registers the document's values come from, as the reader's language does."""
    known = facts.wired.catalogue
    sources = dict.fromkeys(known.attribute(name).source for name in kind.attributes)
    return wording.listed([known.register(source, facts.language) for source in sources], facts.language)


def _add_href(configuration: str) -> str:
    return ADD.format(id=configuration)


def offer_href(permission_id: str) -> str:
    """The address of the page with the square code."""
    return OFFER.format(id=permission_id)
