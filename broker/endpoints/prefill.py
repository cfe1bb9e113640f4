"""The data answer: what a person shared, item by item, entered in the ledger before it leaves (RFC 9449 §7, RFC 6750).

The first answer under a code hands over what was shown; a later one of an ongoing permission asks the registers anew. A permission
that is good once is used up by it: the same call under its `Idempotency-Key` gets the same answer, any other none. An
agency that acts for the one the person allowed it (RFC 8693 §4.1) is answered alike, and the entry names both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import uuid6
from starlette.requests import Request

from broker import caller, needs
from broker.answers import Json, Later, Raw, Refusal
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.evidence.collect import collect
from broker.evidence.source import Found
from broker.people import people
from broker.tokens import dpop, standing, step_up
from broker.tokens.presented import Presented
from consent import catalogue, item_status, ledger, ledger_entry, permission, release
from consent.intended_use import ACR, SIGN_IN, IntendedUse
from consent.ledger import Appended
from consent.ledger_entry import Entry, Once, Stream
from consent.permission import Permission
from keys import jws, opaque

PATH = "/prefill"
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Facts:
    """A verified call: the token, the permission it names, and what would be handed over (sealed)."""

    wired: needs.Parts
    presented: Presented
    stream: Stream
    use: IntendedUse
    given: Permission
    row_id: str
    released: bool
    found: Mapping[str, Found]
    once: Once | None
    signed: bool
    next_nonce: Mapping[str, str]


async def gather(request: Request) -> Facts:
    """Verify token and proof, find what is sealed to the token, and fetch again where that is due."""
    wired = needs.parts(request)
    now, ring = wired.clock(), wired.roots.ring("dpop-nonce")
    shown = caller.token(request, PATH, now)
    with wired.database.read() as tx:
        repeating = bool(request.headers.getlist("idempotency-key"))
        held, given = _held(tx, wired, shown, now, repeating=repeating)
        stream = people.ledger_stream(tx, wired.vault, held.person_id)
        first = not held.released or given.kind == "once"
        subject = None if first and held.found else people.subject(tx, wired.vault, held.person_id)
    found = held.found
    if subject is not None:
        found = await collect(
            wired.registers.by_id,
            wired.registers.routing,
            subject,
            given.items,
            phase="release",
            reference=given.permission_id,
            now=now,
            cut=wired.durations.preview_cut,
        )
        if not found.eligible:
            raise Wire("access_denied", "this cannot be answered for the person", status=403)
    return Facts(
        wired,
        shown,
        stream,
        wired.uses.version(given.use_id, given.use_version),
        given,
        held.row_id,
        held.released,
        found,
        _once(request, shown, given),
        _signed(request),
        dpop.offer(ring, now),
    )


def _held(
    tx: Tx, wired: needs.Parts, shown: Presented, now: int, *, repeating: bool
) -> tuple[preview.Held, Permission]:
    """Find what is sealed to the token and the permission it acts under, if all it hangs on lives and it may open data."""
    held = preview.open_(tx, wired.vault, shown.text.encode(), now)
    person_id = None if held is None else held.person_id
    given = standing.require(
        tx, shown.token, registry=wired.registry, now=now, person_id=person_id, acting=True, repeating=repeating
    )
    if held is None:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401)
    if shown.token.narrowed:
        raise Wire("insufficient_scope", "the token was asked for without its data scope", status=403)
    if given.use_id == SIGN_IN:
        raise Wire("insufficient_scope", "a sign-in opens no data here", status=403)
    terms = (wired.uses.version(given.use_id, given.use_version), wired.uses.get(given.use_id))
    if shown.token.act is not None and any(use.processor(shown.token.act) is None for use in terms):
        raise Wire("invalid_token", "this agency acts for the other one no more", status=401)
    step_up.require(shown.token, max((use.minimum_acr for use in terms), key=ACR.index))
    return held, given


def _once(request: Request, shown: Presented, given: Permission) -> Once | None:
    """Read `Idempotency-Key`; the key is bound to client, permission and token, the digest to what is asked."""
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    if len(sent) > 1 or not IDEMPOTENCY_KEY.fullmatch(sent[0]):
        raise Wire("invalid_request", "Idempotency-Key must be 1 to 128 visible characters")
    bound = "\x00".join([given.client, given.permission_id, opaque.digest(shown.text).hex(), sent[0]])
    asked = "\x00".join([request.method, PATH, request.url.query, request.headers.get("accept", "")])
    return Once(hashlib.sha256(bound.encode()).digest(), hashlib.sha256(asked.encode()).digest())


def _signed(request: Request) -> bool:
    return "application/jwt" in request.headers.get("accept", "")


def act(tx: Tx, facts: Facts, now: int) -> tuple[Later | Refusal, list[Entry]]:
    """Judge under the ledger's lock and enter the release; the values are opened after the commit."""
    facts.presented.spend(tx)
    given = standing.read(
        tx, facts.presented.token, registry=facts.wired.registry, now=now, acting=True, repeating=facts.once is not None
    )
    if isinstance(given, Refusal):
        return given, []
    repeat_of = None if facts.once is None else ledger.once(tx, facts.once.key, facts.once.digest, now)
    truth = statuses(facts, given)
    handed = [item for item, status in truth.items() if status == "provided"]
    why = permission.releasable(given, handed, now, repeat_of=repeat_of)
    if why is not None:
        return standing.USED if why == "exhausted" else standing.DEAD, []
    if not facts.released:
        preview.mark_released(tx, facts.row_id)
    entry = ledger_entry.access_released(
        facts.stream,
        entry_id=str(uuid6.uuid7()),
        party=given.client,
        purpose=given.purpose,
        permission=given.permission_id,
        items=truth,
        seen={item: _seen(facts, item, status).status for item, status in truth.items()},
        sources=[one.source for one in facts.found.values() if one.source],
        repeat_of=repeat_of,
        once=facts.once if repeat_of is None else None,
        processor=facts.presented.token.act,
        door="prefill",
    )
    return Later(lambda appended: answer(facts, truth, appended[0], now)), [entry]


def statuses(facts: Facts, given: Permission) -> dict[str, item_status.Status]:
    """Say the truth of every item of the use: what was not given is refused, the rest is what the register said."""
    found = {item: one.status for item, one in facts.found.items()}
    return {item: item_status.truth(found.get(item), given=item in given.items) for item in facts.use.item_ids}


def _seen(facts: Facts, item: str, status: item_status.Status) -> item_status.AgencyStatus:
    return item_status.agency_status(
        status,
        required=facts.use.item(item).required,
        protectable=facts.wired.catalogue.attribute(item).protectable,
    )


def answer(facts: Facts, truth: Mapping[str, item_status.Status], appended: Appended, now: int) -> Json | Raw:
    """Open the values with the entry's receipt and write the answer, signed when that was asked for."""
    receipt = release.ReleaseReceipt.of(appended)
    items = {item: _item(facts, item, status, receipt, now) for item, status in truth.items()}
    replaced = [] if any(items[i]["status"] != "provided" for i in facts.given.items) else facts.use.replaces_documents
    body = {
        "grant_id": facts.given.permission_id,
        "subject": {"relation": "self", "sub": facts.presented.token.subject},
        "items": items,
        "pending": [],
        "replaces_documents": list(replaced),
        "ledger": ledger.receipt_for_agency(appended, facts.stream.key, facts.presented.token.client_id),
    }
    headers = {"Cache-Control": "no-store", "Vary": "Accept", **facts.next_nonce}
    if not facts.signed:
        return Json(body, headers=headers)
    issued = now // 1_000_000
    claims = {
        **body,
        "iss": facts.wired.issuer,
        "aud": facts.presented.token.client_id,
        "iat": issued,
        "jti": opaque.token(),
    }
    text = jws.sign(facts.wired.keyring.signer(), claims, typ="prefill+jwt")
    return Raw(text.encode(), "application/jwt", headers=headers)


def _item(
    facts: Facts, item: str, status: item_status.Status, receipt: release.ReleaseReceipt, now: int
) -> dict[str, Any]:
    attribute = facts.wired.catalogue.attribute(item)
    members = _seen(facts, item, status).members()
    if status != "provided":
        return members
    one = facts.found[item]
    value = release.open_(
        one.value, receipt, item=item, client=facts.given.client, permission=facts.given.permission_id
    )
    known = {
        "value": value,
        "label": catalogue.label(attribute, value),
        "source": one.source,
        "as_of": one.as_of,
        "retrieved_at": ledger_entry.instant(one.retrieved_at),
        "editable": attribute.editable,
        "stale": catalogue.stale(attribute, one.as_of, now),
        "disputed": False,
    }
    return members | {name: part for name, part in known.items() if part is not None}
