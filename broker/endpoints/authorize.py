"""The authorization endpoint: a request becomes one browser's journey (RFC 6749 §4.1.1, RFC 9126 §4, RFC 9101 §5).

Of a pushed request only `client_id` and `request_uri` count here; everything else was said at PAR. A client of the profile
`baseline` may say it here, plainly or signed. Whatever is wrong is told on a page until the redirect URI is known to be the
client's, afterwards in the answer to the client.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request

from broker import errors, needs, outcome, parameters, sender, throttle
from broker.answers import Answer, Cookie, Redirect, Refusal
from broker.authorization import (
    checks,
    ending,
    journey,
    plain,
    pushed,
    request_object,
    response,
    session_check,
    waiting,
)
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest, Unchecked
from broker.clients import recipients
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.parameters import Parameters

PATH = "/authorize"
SECOND = 1_000_000
JOURNEYS = 12  # that one browser may be in at once
JOURNEY_ID = 22  # characters


@dataclass(frozen=True)
class Facts:
    """The browser, its session, and a fresh handle should a journey begin.

    A request is named (`client_id` and `request_uri`, or `public_id`) or brought along (`brought`, with the cookies that keep it;
    `kept` is None when it is too long for one). `sender` are the codes of the networks it came from.
    """

    wired: needs.Parts
    visitor: needs.Visitor
    handle: bytes
    client_id: str = ""
    request_uri: str = ""
    public_id: str = ""
    language_chosen: bool = True
    brought: PushedRequest | None = None
    kept: tuple[Cookie, ...] | None = ()
    forgotten: tuple[Cookie, ...] = ()
    sender: tuple[bytes, ...] = ()


async def gather(request: Request) -> Facts | Answer:
    """GET: read the name of a pushed request, or a plain request."""
    given, wired, now = parameters.query(request), needs.parts(request), needs.parts(request).clock()
    facts = Facts(
        wired,
        needs.visitor(request),
        secrets.token_bytes(journey.HANDLE),
        client_id=given.get("client_id", ""),
        request_uri=given.get("request_uri", ""),
        language_chosen=needs.cookie(request, "semel-lang") != "",
        forgotten=_forgotten(request),
        sender=sender.codes(request),
    )
    if _is_pushed(given):
        if wired.registry.active(facts.client_id) is None:
            raise Wire("invalid_request_uri", "the request is unknown, used or too old")
        return facts
    with _fault_of_the_service(wired, given):
        asked = await _unchecked(wired, given, now, sender.codes(request))
    try:
        brought = PushedRequest(plain.new_id(), checks.check(asked, checks.At.AUTHORIZE), now)
        return replace(facts, brought=brought, kept=needs.keep_plain(request, brought))
    except Exception as problem:  # noqa: BLE001 - whatever is refused is told where the answer may go
        return _told(wired, asked, problem)


def _forgotten(request: Request) -> tuple[Cookie, ...]:
    """Take away the oldest journeys' cookies beyond `JOURNEYS`; browsers send the oldest first (RFC 6265 §5.4).

    Otherwise an agency that sends a browser round and round would fill the jar until nothing of ours is accepted any more.
    """
    wired = needs.parts(request)
    start = needs.cookie_name(wired.secure, "semel-")
    held = [name for name in request.cookies if name.startswith(start) and len(name) == len(start) + JOURNEY_ID]
    return tuple(Cookie(name, delete=True) for name in held[: max(0, len(held) - JOURNEYS + 1)])


def _is_pushed(given: Parameters) -> bool:
    return given.get("request_uri", "").startswith(pushed.PREFIX)


async def _unchecked(wired: needs.Parts, given: Parameters, now: int, networks: tuple[bytes, ...]) -> Unchecked:
    """Find the client of a plain request and open its request object; what is wrong with either is told on a page."""
    client = wired.registry.active(given.get("client_id", ""))
    if client is None:
        raise Wire("unknown_client", "no such client")
    if client.profile != "baseline" or client.require_pushed_authorization_requests:
        raise Wire("invalid_request", "this client pushes its requests (RFC 9126 §5)")
    token = await _signed(wired, given, client, now, networks)
    inside, to = given, await recipients.of_response(wired.registry, client, now)
    if token is not None:
        inside = await request_object.read(
            token, client, registry=wired.registry, issuer=wired.issuer, now=now, keyring=wired.keyring
        )
    return needs.unchecked(wired, client, inside, now, signed=token is not None, response_to=to)


async def _signed(
    wired: needs.Parts, given: Parameters, client: Client, now: int, networks: tuple[bytes, ...]
) -> str | None:
    """Give the request object that came by value, or by reference from where the client registered (RFC 9101 §5)."""
    if "request" in given and "request_uri" in given:
        raise Wire("invalid_request", "request and request_uri together")
    if "request_uri" in given:
        request_object.count(wired.database, given["request_uri"], client, networks, now)
        return await request_object.fetch(given["request_uri"], client, wired.outbound.client_addresses)
    return given.get("request")


@contextmanager
def _fault_of_the_service(wired: needs.Parts, given: Parameters) -> Iterator[None]:
    """Let the page that tells what is wrong with a request name the service that sent it, and whom to ask there."""
    try:
        yield
    except Exception as problem:
        refused = errors.refusal(problem)
        client = wired.registry.active(given.get("client_id", ""))
        if client is None or refused.status >= 500:
            raise
        said = Wire(refused.code, refused.description, status=refused.status, headers=refused.headers)
        said.refusal = replace(said.refusal, about={"agency": client.client_name, "contact": client.contact})
        raise said from problem


def _told(wired: needs.Parts, asked: Unchecked, problem: Exception) -> Answer:
    """Answer the client that its request is refused; raise where nobody may be sent back, or the fault is ours."""
    refused = errors.refusal(Wire("invalid_request", str(problem)) if isinstance(problem, ValueError) else problem)
    if refused.status >= 500:
        raise problem
    with _fault_of_the_service(wired, asked.parameters):
        back = checks.way_back(asked)
    return response.error(
        back,
        refused.code,
        issuer=wired.issuer,
        keyring=wired.keyring,
        now=asked.now,
        description=errors.UNPRINTABLE.sub("?", refused.description),
    )


def act(tx: Tx, facts: Facts, now: int) -> Answer | Refusal:
    """Claim a pushed request for this browser, or take the plain one; begin the journey, or sign in first."""
    if facts.brought is not None:
        return _onward(tx, facts, facts.brought, now)
    claimed = pushed.claim(tx, facts.request_uri, facts.client_id, facts.visitor.browser_hash, now)
    if isinstance(claimed, Refusal):
        return claimed
    return _onward(tx, facts, claimed, now)


@dataclass(frozen=True)
class Posted:
    """A plain request that came as a form, checked, to be stored as if it had been pushed; `sender` counts the address."""

    request: AuthorizationRequest
    request_uri: str
    lifetime: int
    sender: tuple[bytes, ...]


async def gather_post(request: Request) -> Posted | Answer:
    """POST: check what another site's form says; no cookie of ours comes with it (SameSite=Lax)."""
    given, wired, now = await parameters.read(request), needs.parts(request), needs.parts(request).clock()
    if _is_pushed(given):
        return _to_get(given.get("client_id", ""), given["request_uri"])
    with _fault_of_the_service(wired, given):
        asked = await _unchecked(wired, given, now, sender.codes(request))
    try:
        checked = checks.check(asked, checks.At.AUTHORIZE)
    except Exception as problem:  # noqa: BLE001 - as above
        return _told(wired, asked, problem)
    return Posted(checked, pushed.new_uri(), wired.durations.pushed_request, sender.codes(request))


def act_post(tx: Tx, facts: Posted, now: int) -> Answer | Refusal:
    """POST: store the request for a minute and send the browser to it with GET, which brings its cookies."""
    wait = throttle.allow_network(tx, "authorize-form", facts.sender, plain.STORED, now)
    if wait is not None:
        return _too_many(wait)
    pushed.store(tx, facts.request, facts.request_uri, now, lifetime=facts.lifetime)
    return _to_get(facts.request.client_id, facts.request_uri)


def _to_get(client_id: str, request_uri: str) -> Redirect:
    return Redirect(f"{PATH}?{urlencode({'client_id': client_id, 'request_uri': request_uri})}")


async def gather_continue(request: Request) -> Facts:
    """Come back from sign-in; the request is known by its public id and this browser."""
    public_id = request.path_params["tx"]
    return Facts(
        needs.parts(request),
        needs.visitor(request),
        secrets.token_bytes(journey.HANDLE),
        public_id=public_id,
        brought=needs.brought(request, public_id),
        forgotten=_forgotten(request),
    )


def act_continue(tx: Tx, facts: Facts, now: int) -> Answer | Refusal:
    """Begin the journey of a request that this browser brought before it signed in."""
    found = facts.brought or pushed.find(tx, facts.public_id, facts.visitor.browser_hash)
    if found is not None:
        return _onward(tx, facts, found, now)
    if journey.get(tx, facts.public_id) is not None:  # begun before: its own page says whose it is
        return Redirect(f"/i/{facts.public_id}/consent")
    return Refusal("invalid_request_uri", "the request is unknown, used or too old")


def _onward(tx: Tx, facts: Facts, claimed: PushedRequest, now: int) -> Answer | Refusal:
    cookies = (*facts.visitor.cookies, *_spoken(facts, claimed.request))
    if journey.get(tx, claimed.tx) is not None:
        return Redirect(f"/i/{claimed.tx}/consent", cookies=cookies)
    wired, asked, session = facts.wired, claimed.request, facts.visitor.session
    lacks: session_check.Lack | None = (
        ("", "half") if session is None else outcome.lacking(tx, wired, claimed, session, now)
    )
    if session is None or lacks is not None:
        lacking = lacks[0] if lacks is not None else ""
        if "none" in asked.prompt:
            return outcome.refused(tx, wired, asked, claimed.tx, error=lacking or "login_required", now=now)
        return _to_page(tx, facts, claimed, "not-possible" if lacking else "sign-in", cookies=cookies, now=now)
    elsewhere = waiting.get(tx, claimed.tx) if asked.waits else None
    if asked.waits and (elsewhere is None or not elsewhere.open_at(now)):
        return ending.expired(None)
    begun = journey.begin(
        tx,
        journey_id=claimed.tx,
        session=session,
        request=replace(asked, hint=None),
        handle=facts.handle,
        language=facts.visitor.language,
        expires=now + wired.durations.journey * SECOND,
        holder=journey.Holder(elsewhere.id_hash, elsewhere.public) if elsewhere is not None else None,
    )
    if not begun:  # another tab was quicker, and this browser has its cookie
        return Redirect(f"/i/{claimed.tx}/consent", cookies=cookies)
    held = needs.set_cookie(wired, f"semel-{claimed.tx}", facts.handle.hex(), wired.durations.journey * 2)
    done = (needs.drop_cookie(wired, plain.COOKIE + claimed.tx),) if facts.brought and facts.public_id else ()
    return Redirect(f"/i/{claimed.tx}/consent", cookies=(*cookies, *done, *facts.forgotten, held))


def _to_page(
    tx: Tx, facts: Facts, claimed: PushedRequest, page: str, *, cookies: tuple[Cookie, ...], now: int
) -> Answer | Refusal:
    """Keep the request while the person signs in, or reads why that does not serve: in a cookie, or stored where none can hold it."""
    if facts.kept is None:
        lifetime = facts.wired.durations.journey * 2 * SECOND
        wait = plain.store(tx, claimed, facts.visitor.browser_hash, facts.sender, now, lifetime=lifetime)
        if wait is not None:
            return _too_many(wait)
    return Redirect(f"/i/{claimed.tx}/{page}", cookies=(*cookies, *(facts.kept or ())))


def _too_many(wait: int) -> Refusal:
    return Refusal("too_many", status=429, headers={"Retry-After": str(wait)})


def _spoken(facts: Facts, asked: AuthorizationRequest) -> tuple[Cookie, ...]:
    """Go on in the language of the agency's page (`ui_locales`), unless the person chose one here."""
    spoken = (tag.lower().split("-")[0] for tag in asked.ui_locales)
    known = next((tag for tag in spoken if tag in needs.LANGUAGES), None)
    if known is None or facts.language_chosen:
        return ()
    return (needs.set_cookie(facts.wired, "semel-lang", known, None),)
