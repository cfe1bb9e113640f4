"""The authorization endpoint: a pushed request becomes one browser's journey (RFC 6749 §4.1.1, RFC 9126 §4).

Only `client_id` and `request_uri` count here; everything else was said at PAR. Whatever is wrong with them is told on
a page: nobody is ever redirected before the request is known.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from starlette.requests import Request

from broker import needs, parameters
from broker.answers import Answer, Cookie, Page, Redirect, Refusal
from broker.authorization import hints, journey, prompt, pushed, response
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest
from broker.database import Tx
from broker.sign_in import acr, subject
from broker.sign_in.session import Session

SECOND = 1_000_000


@dataclass(frozen=True)
class Facts:
    """The browser, its session, and a fresh handle should a journey begin."""

    wired: needs.Parts
    visitor: needs.Visitor
    handle: bytes
    client_id: str = ""
    request_uri: str = ""
    public_id: str = ""
    language_chosen: bool = True


async def gather(request: Request) -> Facts:
    """Read the two parameters that count."""
    given = parameters.query(request)
    return Facts(
        needs.parts(request),
        needs.visitor(request),
        secrets.token_bytes(journey.HANDLE),
        client_id=given.get("client_id", ""),
        request_uri=given.get("request_uri", ""),
        language_chosen=needs.cookie(request, "semel-lang") != "",
    )


def act(tx: Tx, facts: Facts, now: int) -> Answer | Refusal:
    """Claim the request for this browser and begin the journey, or sign in first."""
    claimed = pushed.claim(tx, facts.request_uri, facts.client_id, facts.visitor.browser_hash, now)
    if isinstance(claimed, Refusal):
        return claimed
    return _onward(tx, facts, claimed, now)


async def gather_continue(request: Request) -> Facts:
    """Come back from sign-in; the request is known by its public id and this browser."""
    return Facts(
        needs.parts(request),
        needs.visitor(request),
        secrets.token_bytes(journey.HANDLE),
        public_id=request.path_params["tx"],
    )


def act_continue(tx: Tx, facts: Facts, now: int) -> Answer | Refusal:
    """Begin the journey of a request that this browser claimed before it signed in."""
    claimed = pushed.find(tx, facts.public_id, facts.visitor.browser_hash)
    if claimed is None:
        return Refusal("invalid_request_uri", "the request is unknown, used or too old")
    return _onward(tx, facts, claimed, now)


def _onward(tx: Tx, facts: Facts, claimed: PushedRequest, now: int) -> Answer | Refusal:
    cookies = (*facts.visitor.cookies, *_spoken(facts, claimed.request))
    if journey.get(tx, claimed.tx) is not None:
        return Redirect(f"/i/{claimed.tx}/consent", cookies=cookies)
    wired, asked, session = facts.wired, claimed.request, facts.visitor.session
    lacking = "" if session is None else _lacking(tx, wired, claimed, session, now)
    if session is None or lacking is not None:
        if not lacking and "none" not in asked.prompt:
            return Redirect(f"/i/{claimed.tx}/sign-in", cookies=cookies)
        return _back(wired, asked, lacking or "login_required", now)
    begun = journey.begin(
        tx,
        journey_id=claimed.tx,
        session=session,
        request=replace(asked, hint=None),
        handle=facts.handle,
        language=facts.visitor.language,
        expires=now + wired.durations.journey * SECOND,
    )
    if not begun:  # another tab was quicker, and this browser has its cookie
        return Redirect(f"/i/{claimed.tx}/consent", cookies=cookies)
    held = needs.set_cookie(wired, f"semel-{claimed.tx}", facts.handle.hex(), wired.durations.journey * 2)
    return Redirect(f"/i/{claimed.tx}/consent", cookies=(*cookies, held))


def _lacking(tx: Tx, wired: needs.Parts, claimed: PushedRequest, session: Session, now: int) -> str | None:
    """Name what a session lacks for a request: an error, or nothing of its own (empty) where signing in again mends it.

    It does when the sign-in is half done, too old, or was somebody else's and made before the request. None: lacks nothing.
    """
    asked = claimed.request
    if session.state != "full" or not prompt.is_met(
        asked, auth_time=session.auth_time, pushed_at=claimed.pushed_at, now=now
    ):
        return ""
    if not _is_expected(tx, wired, asked, session):
        return "" if session.auth_time < claimed.pushed_at else "login_required"
    return None if _reached(wired, asked, session) else "unmet_authentication_requirements"


def _is_expected(tx: Tx, wired: needs.Parts, asked: AuthorizationRequest, session: Session) -> bool:
    """Whether this is the one person the agency asks for, if it names one (OpenID Connect Core §3.1.2.1, §5.5.1)."""
    expected, client = hints.of(asked, wired.roots.ring("cookie")).subject, wired.registry.active(asked.client_id)
    if expected is None or client is None:
        return expected is None
    return expected == subject.pairwise(wired.vault.person(tx, session.person_id).pairwise, client.pairwise_sector)


def _reached(wired: needs.Parts, asked: AuthorizationRequest, session: Session) -> bool:
    """Whether the sign-in is strong enough for the use, and for a level the agency cannot do without (Core §5.5.1.1).

    A higher level is also a lower one (eIDAS art. 8); the token names the one that was reached.
    """
    use = wired.uses.version(asked.data.use_id, asked.data.version)
    enough = not asked.acr_essential or any(
        acr.reaches(session.acr, value) for value in asked.acr_values if value in acr.VALUES
    )
    return enough and acr.reaches(session.acr, use.minimum_acr)


def _spoken(facts: Facts, asked: AuthorizationRequest) -> tuple[Cookie, ...]:
    """Go on in the language of the agency's page (`ui_locales`), unless the person chose one here."""
    spoken = (tag.lower().split("-")[0] for tag in asked.ui_locales)
    known = next((tag for tag in spoken if tag in needs.LANGUAGES), None)
    if known is None or facts.language_chosen:
        return ()
    return (needs.set_cookie(facts.wired, "semel-lang", known, None),)


def _back(wired: needs.Parts, asked: AuthorizationRequest, error: str, now: int) -> Redirect | Page:
    return response.error(asked, error, issuer=wired.issuer, keyring=wired.keyring, now=now)
