"""Signing in with a phone, on the screen that wants to be let in: the picture, the letters, the number (BCP 247, pages §2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker import logout, needs, sender, throttle
from broker.answers import Answer, Page, Raw, Redirect
from broker.database import Tx
from broker.errors import Wire
from broker.pages.citizen import known_browser, sign_in
from broker.pages.citizen.sign_in import Entrance
from broker.people import people
from broker.sign_in import handover, session, user_code
from broker.sign_in.handover import Handover
from broker.throttle import Limit
from wallet import offer

COOKIE = "semel-phone"
QR = "/sign-in/phone/qr.svg"
ADDRESS = Limit(hourly=120, burst=20)  # pictures made for one network
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip


@dataclass(frozen=True)
class Screen:
    """A browser at the page; `handle` is what its cookie holds, `began` the row behind it."""

    entrance: Entrance
    handle: str
    began: Handover | None
    pressed: str = ""
    about: dict[str, Any] | None = None


def gather_screen(request: Request) -> Screen:
    """Say where this is and what was begun in this browser."""
    entrance, handle = sign_in.enter(request), needs.cookie(request, COOKIE)
    with entrance.wired.database.read() as tx:
        began = handover.by_handle(tx, handle, entrance.wired.clock()) if handle else None
    if began is not None and began.state == "shown":
        use = None if entrance.use is None else list(entrance.use)
        if began.about(entrance.wired.roots)["use"] != use:  # it asks the phone about another service
            began = None
    return Screen(entrance, handle, began)


async def gather(request: Request) -> Screen:
    """GET: the page as it stands."""
    return gather_screen(request)


def act(screen: Screen, _now: int) -> Answer:
    """GET: show the picture, or the button that makes one; somebody signed in who came on their own goes to their account."""
    live = screen.entrance.visitor.session
    if screen.entrance.public_id is None and live is not None and live.state == "full":
        return Redirect("/account")
    return _page(screen)


async def gather_qr(request: Request) -> Raw:
    """GET: draw the picture of what this browser began; 404 without."""
    wired, handle = needs.parts(request), needs.cookie(request, COOKIE)
    with wired.database.read() as tx:
        began = handover.by_handle(tx, handle, wired.clock()) if handle else None
    if began is None:
        raise Wire("not_found", status=404)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
    return Raw(offer.qr_code(f"{wired.issuer}/x/{handover.code(handle)}"), "image/svg+xml", headers=headers)


def act_qr(picture: Raw, _now: int) -> Raw:
    """GET: the picture."""
    return picture


async def gather_press(request: Request) -> Screen | Answer:
    """POST: read the press; a new picture is counted by network."""
    given = await known_browser.form(request)
    screen = gather_screen(request)
    if given is None:
        return _page(screen, error="stale_form", status=403)
    entrance, pressed = screen.entrance, given.get("action", "")
    if pressed not in {"show-code", "continue"}:
        raise Wire("invalid_request", "the button is show-code or continue")
    wired = entrance.wired
    if pressed == "show-code":
        with wired.database.write() as tx:
            wait = throttle.allow_network(tx, "phone-address", sender.codes(request), ADDRESS, wired.clock())
        if wait is not None:
            return known_browser.too_many(_page(screen), wait)
    about = {
        "use": None if entrance.use is None else list(entrance.use),
        "origin": sender.network(request),
        "screen": describe(request.headers.get("user-agent", "")),
        "asked": wired.clock(),
    }
    return Screen(entrance, screen.handle, screen.began, pressed, about)


def act_press(tx: Tx, screen: Screen, now: int) -> Answer:
    """POST: begin, or go on when the phone allowed it; until then the page says that it did not."""
    entrance = screen.entrance
    if screen.pressed == "show-code":
        handle = handover.begin(tx, entrance.wired.roots, screen.about or {}, now)
        kept = needs.set_cookie(entrance.wired, COOKIE, handle, handover.LIFETIME + handover.AFTER)
        return Redirect(entrance.path("phone"), cookies=(kept,))
    allowed = handover.redeem(tx, screen.handle, now)
    if allowed is None:
        return _page(screen, error="not_yet" if screen.began is not None else "over", status=422)
    person = people.by_id(tx, allowed["person_id"])
    if person is None or person.disabled:
        return _page(Screen(entrance, "", None), error="over", status=403)
    return _let_in(tx, entrance, allowed, now)


def describe(user_agent: str) -> list[str]:
    """Name a browser and its system as people call them, as far as they are known; nothing else of the header is kept."""
    found = []
    for names in (BROWSERS, SYSTEMS):
        found += [name for sign, name in names if sign in user_agent][:1]
    return found


def _let_in(tx: Tx, entrance: Entrance, allowed: Any, now: int) -> Answer:
    """Begin a session here: as strong as the phone's, and as old; whatever was half begun ends."""
    before = logout.replaced(tx, entrance.wired, entrance.visitor.session, allowed["person_id"], now)
    durations = entrance.wired.durations
    cookie, _ = session.start(
        tx,
        allowed["person_id"],
        state="full",
        acr=allowed["acr"],
        amr=tuple(dict.fromkeys((*allowed["amr"], "mca"))),  # RFC 8176 §2: several channels
        now=now,
        idle=durations.session_idle,
        longest=durations.session,
        auth_time=allowed["auth_time"],
        before=before,
    )
    signed_in = (needs.set_cookie(entrance.wired, "semel", cookie, None), *logout.forgotten(entrance.wired, before))
    return Redirect(entrance.onward(), cookies=(*signed_in, needs.drop_cookie(entrance.wired, COOKIE)))


def _page(screen: Screen, *, error: str | None = None, status: int = 200) -> Page:
    entrance, began = screen.entrance, screen.began
    context: dict[str, Any] = {
        "action": entrance.path("phone"),
        "service": entrance.service,
        "state": None if began is None else began.state,
        "sign_in_href": entrance.path("sign-in"),
        "error": error,
    }
    if began is not None and began.state == "shown":
        context |= {
            "qr_src": QR,
            "type_at": f"{entrance.wired.issuer}/x",
            "typed": user_code.told(handover.typed(screen.handle)),
            "number": handover.number(screen.handle),
            "expires_at": began.expires,
        }
    return Page("phone.html", context, status=status)
