"""What a handler may use, and who is calling: the wired parts, the visitor, their session, their form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from starlette.requests import Request

from broker import parameters
from broker.answers import Cookie, Redirect, check_sources
from broker.authorization import grant_management, plain
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest, Unchecked
from broker.clients import web_address
from broker.clients.logos import Logos
from broker.clients.registry import Client, Registry
from broker.committer import Committer
from broker.database import Database, Tx
from broker.errors import Wire
from broker.evidence.registers import Registers
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.outbound import Outbound
from broker.people import accept_language
from broker.sign_in import session as sessions
from broker.signing_keys import SigningKeys
from consent.catalogue import Catalogue
from consent.intended_use import Uses
from keys import errors as keys_errors
from keys import opaque
from keys.keyring import Keyring, RootKeyring
from keys.vault import Vault
from wallet.credential_type import CredentialType

LANGUAGES = ("en", "ar")
SECOND = 1_000_000  # microseconds
BROWSER_SECONDS, LANGUAGE_SECONDS = 30 * 86_400, 365 * 86_400


@dataclass(frozen=True)
class Durations:
    """How long things live, in seconds."""

    pushed_request: int = 60
    journey: int = 900
    receipt: int = 600
    code: int = 60
    token: int = 300
    session_idle: int = 1800
    session: int = 43_200
    offer: int = 600
    device_request: int = 600
    backchannel_request: int = 300
    preview_cut: float = 8.0
    long_poll: float = 20.0


@dataclass(frozen=True)
class Parts:
    """Everything a handler is handed, wired once by `broker/app.py`. `clock()` gives microseconds since 1970, UTC."""

    issuer: str
    mode: str
    secure: bool
    durations: Durations
    trusted_proxies: tuple[str, ...]
    database: Database
    committer: Committer
    roots: RootKeyring
    signing: SigningKeys
    vault: Vault
    catalogue: Catalogue
    uses: Uses
    registry: Registry
    registers: Registers
    credentials: Mapping[str, CredentialType]
    outbound: Outbound
    outbox: Outbox
    signals: Signals
    data_dir: Path
    ledger_dir: Path
    legacy: frozenset[str]
    clock: Callable[[], int]
    publish_every: float = 2.0  # seconds between two checkpoints
    server_clock: bool = False  # whether the database server's clock is the ledger's

    @cached_property
    def logos(self) -> Logos:
        """The logos of clients, remembered as long as these parts live."""
        return Logos(self.outbound.client_addresses)

    @property
    def keyring(self) -> Keyring:
        """The signing keys in force now; a request takes them once."""
        return self.signing.current


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page: the browser, the session if there is one, the language, the token their forms must carry."""

    browser: str
    session: sessions.Session | None
    language: str
    form_token: str
    cookies: tuple[Cookie, ...]

    @property
    def browser_hash(self) -> bytes:
        """What is stored of the browser's cookie."""
        return opaque.digest(self.browser)


def ends_at(request: Request, asked: AuthorizationRequest) -> None:
    """Note where this browser's interaction goes back, if anywhere: every page of it lets its forms end there (CSP level 3 §6.3.1)."""
    if not asked.waits:
        source = web_address.policy_source(asked.redirect_uri)
        check_sources(source)  # before anything is decided, since nothing after a commit may fail
        request.state.client_source = source


def client_source(request: Request) -> str | None:
    """Give what `ends_at` noted; None for a page outside any interaction."""
    return cast("str | None", getattr(request.state, "client_source", None))


def parts(request: Request) -> Parts:
    """Give the wired parts of the running application."""
    return cast("Parts", request.app.state.parts)


def cookie_name(secure: bool, name: str) -> str:  # noqa: FBT001 - the policy is the argument
    """Name a cookie: `__Host-` on https, plain on a loopback demo (ordinary clients drop Secure cookies on http)."""
    return f"__Host-{name}" if secure else name


def cookie(request: Request, name: str) -> str:
    """Give the value of one of our cookies, empty when absent."""
    return request.cookies.get(cookie_name(parts(request).secure, name), "")


def set_cookie(wired: Parts, name: str, value: str, max_age: int | None) -> Cookie:
    """Make one of our cookies, named by the policy in force."""
    return Cookie(cookie_name(wired.secure, name), value, max_age)


def drop_cookie(wired: Parts, name: str) -> Cookie:
    """Take one of our cookies away."""
    return Cookie(cookie_name(wired.secure, name), delete=True)


def visitor(request: Request) -> Visitor:
    """Say who looks at a page; looked up once a request."""
    known = getattr(request.state, "visitor", None)
    if not isinstance(known, Visitor):
        known = request.state.visitor = _look(request, _session(request))
    return known


def anybody(request: Request) -> Visitor:
    """Say who looks at a page without asking the database, unless that was done before: for when it does not answer."""
    known = getattr(request.state, "visitor", None)
    return known if isinstance(known, Visitor) else _look(request, None)


def _look(request: Request, session: sessions.Session | None) -> Visitor:
    wired, browser, cookies = parts(request), cookie(request, "semel-browser"), []
    if len(browser) < 40:
        browser = opaque.token()
        if request.method != "POST":  # another site's POST comes without our cookies, and must not replace them
            cookies.append(set_cookie(wired, "semel-browser", browser, BROWSER_SECONDS))
    tongue = language(request)
    if request.query_params.get("lang") == tongue:
        cookies.append(set_cookie(wired, "semel-lang", tongue, LANGUAGE_SECONDS))
    token = wired.roots.ring("form").mac(_bound(browser, session)).hex()
    return Visitor(browser, session, tongue, token, tuple(cookies))


def _session(request: Request) -> sessions.Session | None:
    wired, held = parts(request), cookie(request, "semel")
    if not held:
        return None
    with wired.database.read() as tx:
        return sessions.find(tx, held, wired.clock())


def unnoted(request: Request) -> sessions.Session | None:
    """Give the visitor's session when it must still be noted that it is used: once a minute is enough."""
    wired, seen = parts(request), getattr(request.state, "visitor", None)
    live = seen.session if isinstance(seen, Visitor) else None
    worth = live is not None and sessions.used(live, wired.clock(), wired.durations.session_idle) is not live
    return live if worth else None


def note_use(tx: Tx, request: Request, now: int) -> None:
    """Note that the visitor's session is used, where that is due."""
    live = unnoted(request)
    if live is not None:
        sessions.touch(tx, live, now, parts(request).durations.session_idle)


def brought(request: Request, public_id: str) -> PushedRequest | None:
    """Give the plain request behind `/i/{tx}/…` out of this browser's cookie."""
    wired, held, seen = parts(request), cookie(request, plain.COOKIE + public_id), visitor(request).browser_hash
    ring, lifetime = wired.roots.ring("cookie"), wired.durations.journey * 2 * SECOND
    return plain.open_(ring, held, public_id, seen, now=wired.clock(), lifetime=lifetime)


def keep_plain(request: Request, kept: PushedRequest) -> tuple[Cookie, ...] | None:
    """Make the cookie that keeps a plain request until the sign-in, and take away those it has no room for.

    None for a request that is too long for a cookie.
    """
    wired = parts(request)
    sealed = plain.seal(wired.roots.ring("cookie"), kept, visitor(request).browser_hash)
    if sealed is None:
        return None
    start = cookie_name(wired.secure, plain.COOKIE)
    held: dict[str, tuple[int, int]] = {}
    for name, value in request.cookies.items():
        public_id = name.removeprefix(start)
        if name.startswith(start) and plain.ID.fullmatch(public_id):
            found = brought(request, public_id) if len(held) < 2 * plain.MOST else None
            held[public_id] = (found.pushed_at if found else 0, len(value))
    gone = tuple(drop_cookie(wired, plain.COOKIE + public_id) for public_id in plain.surplus(held, len(sealed)))
    return (*gone, set_cookie(wired, plain.COOKIE + kept.tx, sealed, wired.durations.journey * 2))


def unchecked(wired: Parts, client: Client, given: parameters.Parameters, now: int, **more: Any) -> Unchecked:
    """Lay out a client's request with what it is measured against; `more` are further members of `Unchecked`."""
    return Unchecked(
        client,
        given,
        wired.issuer,
        wired.uses,
        keyring=wired.keyring,
        ring=wired.roots.ring("cookie"),
        now=now,
        mode=wired.mode,
        grant=grant_management.named(wired.database, given),
        **more,
    )


def _bound(browser: str, session: sessions.Session | None) -> bytes:
    """What a form token is bound to: this browser and this session, for as long as the same person goes on in it."""
    return opaque.digest(browser) + (session.secret if session else b"")


def signed_in(request: Request) -> sessions.Session:
    """Give the full session, or stop with a redirect to sign-in (`Stop`)."""
    session = visitor(request).session
    if session is None or session.state != "full":
        raise Stop(Redirect("/sign-in"))
    return session


class Stop(Exception):
    """The answer is known before the act: `answer` is it."""

    def __init__(self, answer: Any) -> None:
        super().__init__("answered")
        self.answer = answer


def recognised(request: Request) -> None:
    """Refuse (403 `no_cookies`) a browser that sends back no cookie of ours: no form of its can ever be accepted."""
    if not cookie(request, "semel-browser"):
        raise Wire("no_cookies", "the browser sent no cookie of ours", status=403)


async def form(request: Request) -> parameters.Parameters:
    """Read a page's form, refusing what another site or another session sent (403).

    `Sec-Fetch-Site`, when present, must be `same-origin`; `Origin` is compared only when that header is absent.
    """
    wired = parts(request)
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site != "same-origin" if site is not None else origin not in {None, wired.issuer}:
        raise Wire("cross_site", status=403)
    given = await parameters.read(request)
    recognised(request)
    who, sent = visitor(request), given.get("form_token", "")
    try:
        wired.roots.ring("form").verify_mac(_bound(who.browser, who.session), bytes.fromhex(sent))
    except (ValueError, keys_errors.KeysError) as problem:
        raise Wire("form_expired", status=403) from problem
    return given


def language(request: Request) -> str:
    """Choose the page's language: `?lang=`, then the cookie, then what the browser accepts, then English."""
    asked = request.query_params.get("lang") or cookie(request, "semel-lang")
    if asked in LANGUAGES:
        return asked
    return accept_language.choose(request.headers.get("accept-language", ""), LANGUAGES)
