"""A registered client's logo, served by us: pages show no picture of another host (RFC 7591 §2; OpenID Connect Registration §2)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.clients.registry import Client
from broker.errors import Wire

PATH = "/clients/{client_id}/logo.png"
HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def href(wired: needs.Parts, client: Client | None) -> str | None:
    """Where a page finds the client's logo; None when there is none to show."""
    if client is None or not wired.logos.is_worth_showing(client, wired.clock()):
        return None
    return PATH.format(client_id=client.client_id)


async def gather(request: Request) -> Raw:
    """GET: the logo of a client that may act, as it registered it; 404 without."""
    wired = needs.parts(request)
    client = wired.registry.active(request.path_params["client_id"])
    picture = None if client is None else await wired.logos.of(client, wired.clock())
    if picture is None:
        raise Wire("not_found", status=404)
    return Raw(picture, "image/png", headers=HEADERS)


def act(picture: Raw, _now: int) -> Raw:
    """GET: the picture."""
    return picture
