"""The number that goes with an offer, on a page of its own after a new one-time code (OpenID4VCI 1.0 §6.1, `tx_code`).

So neither a photographed screen nor a borrowed session is enough to take somebody's document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from broker import throttle
from broker.answers import Answer, Page, Refusal
from broker.database import Tx
from broker.pages.citizen import documents, known_browser
from broker.pages.citizen.documents import Facts
from broker.pages.citizen.one_time_code import CODES
from broker.people import people
from broker.sign_in import one_time_code, session
from wallet import offer


@dataclass(frozen=True)
class Attempt:
    """A one-time code entered for an offer of this person; the attempt is counted already."""

    facts: Facts
    found: offer.Offer
    code: str = field(repr=False)
    bucket: tuple[str, bytes]


def ask(tx: Tx, facts: Facts, now: int) -> Page:
    """GET: ask for a new one-time code."""
    return form_page(facts, documents.own(tx, facts, now)[0])


def form_page(facts: Facts, found: offer.Offer, *, error: str | None = None, status: int = 200) -> Page:
    """The form; `error` one of the template's."""
    back = documents.offer_href(found.permission_id)
    context = {
        "action": f"{back}/code",
        "back_href": back,
        "document": documents.document(facts, found.configuration),
        "error": error,
    }
    return Page("fresh_code.html", context, status=status)


async def gather_code(http: Request) -> Attempt | Answer:
    """POST: count the attempt before the code is looked at."""
    facts, given = await documents.gather(http), await known_browser.form(http)
    database, now = facts.wired.database, facts.wired.clock()
    with database.read() as tx:
        found, _ = documents.own(tx, facts, now)
    code = "" if given is None else given.get("code", "")
    if given is None:
        return form_page(facts, found, error="stale_form", status=403)
    if not code.strip():
        return form_page(facts, found, error="missing", status=422)
    person_id = facts.session.person_id
    bucket = known_browser.bucket(http, "code", person_id, person_id.encode())
    with database.write() as tx:
        wait = throttle.allow(tx, *bucket, CODES, now)
    if wait is not None:
        return known_browser.too_many(form_page(facts, found), wait)
    return Attempt(facts, found, code, bucket)


def show(tx: Tx, attempt: Attempt, now: int) -> Page | Refusal:
    """POST: spend the one-time code; then make the number and show it, here and nowhere else."""
    facts, found, wired = attempt.facts, attempt.found, attempt.facts.wired
    person = people.by_id(tx, facts.session.person_id)
    outcome = "wrong" if person is None else one_time_code.check(tx, wired.roots, person, attempt.code, now)
    if outcome != "accepted":
        return form_page(facts, found, error=outcome, status=403)
    throttle.clear(tx, *attempt.bucket)
    session.freshen(tx, facts.session, now)
    digits = offer.new_tx_code(tx, wired.roots.ring("pepper"), found.permission_id, now=now)
    if digits is None:
        return Refusal("expired", status=410)
    context = {
        "tx_code": digits,
        "document": documents.document(facts, found.configuration),
        "expires_at": found.expires,
        "offer_href": documents.offer_href(found.permission_id),
    }
    return Page("tx_code.html", context)
