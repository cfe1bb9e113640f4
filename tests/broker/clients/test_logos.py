"""Logos fetched from where clients registered them: bounds, refusals, and how often anybody is asked (RFC 7591 §2)."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from broker.clients import logos
from broker.clients.logos import MAX_BYTES, Logos
from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused, Reply
from tests.broker.clients.test_logo_image import SVG, bomb, drawn
from tests.broker.relying import Key, client
from tests.broker.test_egress import answers, names, ok, served

ADDRESS = "https://rp.example/logo.png"
CLIENT = client(Key(), logo_uri=ADDRESS)


class Site:
    """The client's web site: what it serves now, and how often it was asked."""

    def __init__(self, body: bytes = b"") -> None:
        self.body, self.asked, self.down = body or drawn(), 0, ""

    async def request(self, method: str, url: str, **_: Any) -> Reply:
        assert (method, url) == ("GET", ADDRESS)
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise EgressRefused(self.down)
        return Reply(200, {"content-type": "image/png"}, self.body)


def kept(site: Site) -> Logos:
    return Logos(cast("Egress", site))


def test_many_at_once_ask_once_and_it_is_remembered(now: int) -> None:
    site = Site()
    known = kept(site)

    async def story() -> None:
        assert known.is_worth_showing(CLIENT, now)
        found = await asyncio.gather(*(known.of(CLIENT, now) for _ in range(20)))
        assert len(set(found)) == 1
        assert (found[0] or b"").startswith(b"\x89PNG")
        await known.of(CLIENT, now + logos.KEPT - 1)
        assert site.asked == 1
        await known.of(CLIENT, now + logos.KEPT)
        assert site.asked == 2

    asyncio.run(story())


@pytest.mark.parametrize("how", ["timeout", "address", "unusable"])
def test_a_failure_is_remembered_as_a_success_is(now: int, how: str) -> None:
    """An address that never answers holds up one look in a quarter of an hour, not each one."""
    site = Site(SVG)
    site.down = "" if how == "unusable" else how
    known = kept(site)

    async def story() -> None:
        assert await asyncio.gather(*(known.of(CLIENT, now) for _ in range(6))) == [None] * 6
        assert await known.of(CLIENT, now + logos.PAUSE - 1) is None
        assert not known.is_worth_showing(CLIENT, now + logos.PAUSE - 1)
        assert site.asked == 1
        site.down, site.body = "", drawn()
        assert known.is_worth_showing(CLIENT, now + logos.PAUSE)
        assert await known.of(CLIENT, now + logos.PAUSE) is not None

    asyncio.run(story())


def test_that_we_are_busy_is_not_held_against_an_address(now: int) -> None:
    site = Site()
    site.down = "busy"
    known = kept(site)

    async def story() -> None:
        assert await known.of(CLIENT, now) is None
        site.down = ""
        assert await known.of(CLIENT, now) is not None

    asyncio.run(story())


def test_a_client_without_a_logo_sends_us_nowhere(now: int) -> None:
    site = Site()
    assert asyncio.run(kept(site).of(client(Key()), now)) is None
    assert not kept(site).is_worth_showing(client(Key()), now)
    assert site.asked == 0


def test_what_is_remembered_is_bounded(now: int) -> None:
    class Everywhere(Site):
        async def request(self, method: str, url: str, **_: Any) -> Reply:
            raise EgressRefused("timeout")

    known = kept(Everywhere())

    async def story() -> None:
        for n in range(logos.REMEMBERED + 10):
            await known.of(client(Key(), logo_uri=f"https://rp.example/{n}.png"), now)

    asyncio.run(story())
    assert len(known._fetched) <= logos.REMEMBERED


def asked(raw: bytes, now: int) -> bytes | None:
    """What comes of an answer on the wire, through the real way out."""

    async def story() -> bytes | None:
        async with served(answers(raw)) as site:
            here = CLIENT.model_copy(update={"logo_uri": f"http://127.0.0.1:{site.port}/logo.png"})
            way = Egress(["127.0.0.1"])
            try:
                return await Logos(way).of(here, now)
            finally:
                await way.aclose()

    return asyncio.run(story())


# fmt: off
REFUSED = [
    ("more bytes than a logo has",      ok(drawn() + bytes(MAX_BYTES), "image/png")),
    ("a pixel bomb",                    ok(bomb(4000, 4000), "image/png")),
    ("an SVG, said to be one",          ok(SVG, "image/svg+xml")),
    ("an SVG, said to be a PNG",        ok(SVG, "image/png")),
    ("a PNG, said to be a page",        ok(drawn(), "text/html")),
    ("a WebP",                          ok(drawn("WEBP"), "image/webp")),
    ("an error with a picture",         ok(drawn(), "image/png").replace(b"200 OK", b"404 Not Found")),
    ("a redirect",                      b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    ("a compressed answer",             ok(drawn(), "image/png", "Content-Encoding: gzip\r\n")),
]
# fmt: on


@pytest.mark.parametrize("raw", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(now: int, raw: bytes) -> None:
    assert asked(raw, now) is None


@pytest.mark.parametrize(("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_shown(now: int, form: str, media_type: str) -> None:
    assert (asked(ok(drawn(form), media_type), now) or b"").startswith(b"\x89PNG")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_a_private_address_is_refused(now: int, address: str) -> None:
    """Whatever name the client gives it: the same way out as for its keys (OpenID Connect Core §16)."""
    resolve, _ = names([address])
    private: ClientMetadata = CLIENT
    assert asyncio.run(Logos(Egress(resolve=resolve)).of(private, now)) is None
