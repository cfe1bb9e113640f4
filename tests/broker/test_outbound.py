"""The address matrix against everything that fetches (OpenID Connect Core §16, RFC 9101 §10.4.1, RFC 9126 §7.1).

The test owns the resolver and the network: what is refused has never been connected to, and nothing but the first answer
of the resolver is.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import ssl
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from broker.egress import Egress
from broker.outbound import CLIENT_ADDRESSES, Outbound
from tests.broker.clients.test_logo_image import drawn
from tests.broker.fetchers import FETCHERS, GOT, LISTED, Fetcher
from tests.broker.test_egress import Handler, answers, authority, names, ok, served

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"
each = pytest.mark.parametrize("fetcher", FETCHERS, ids=[fetcher.name for fetcher in FETCHERS])


class Network(httpcore2.AsyncNetworkBackend):
    """Writes down every connection that is tried; only the test's own server can be reached."""

    def __init__(self, server: int | None = None) -> None:
        self.tried: list[tuple[str, int]] = []
        self._server, self._real = server, httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own parameter
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.tried.append((host, port))
        if (host, port) != ("127.0.0.1", self._server):
            raise httpcore2.ConnectError
        return await self._real.connect_tcp(host, port, timeout, local_address, socket_options)


def watched(egress: Egress, server: int | None = None) -> Network:
    """Put a network of the test's own under the guard."""
    network = Network(server)
    for backend in egress._backends.values():
        backend._network = network  # type: ignore[assignment]  # the guard's own is of one kind
    return network


def tried(fetcher: Fetcher, url: str, *lists: Sequence[str]) -> tuple[str, list[tuple[str, int]], list[str]]:
    """Why nothing was got, what was connected to, and what the resolver was asked."""
    resolve, asked = names(*(lists or ([PUBLIC],)))

    async def run() -> tuple[str, list[tuple[str, int]]]:
        egress = Egress(resolve=resolve)
        network = watched(egress)
        try:
            return await fetcher.fetch(egress, url), network.tried
        finally:
            await egress.aclose()

    return *asyncio.run(run()), asked


# fmt: off
URLS: list[tuple[str, str]] = [
    # this machine
    ("https://127.0.0.1/x",                       "address"),
    ("https://127.255.255.254/x",                 "address"),
    ("https://0.0.0.0/x",                         "address"),
    ("https://[::1]/x",                           "address"),
    ("https://[::]/x",                            "address"),
    # inside
    ("https://10.0.0.1/x",                        "address"),
    ("https://172.31.255.255/x",                  "address"),
    ("https://192.168.0.1/x",                     "address"),
    ("https://100.64.0.1/x",                      "address"),
    ("https://169.254.169.254/latest/meta-data/", "address"),
    ("https://[fc00::1]/x",                       "address"),
    ("https://[fd00:ec2::254]/x",                 "address"),
    ("https://[fe80::1]/x",                       "address"),
    # one address inside another
    ("https://[::ffff:7f00:1]/x",                 "address"),
    ("https://[::ffff:a9fe:a9fe]/x",              "address"),
    ("https://[::ffff:127.0.0.1]/x",              "host"),
    ("https://[64:ff9b::7f00:1]/x",               "address"),
    ("https://[64:ff9b::a9fe:a9fe]/x",            "address"),
    ("https://[64:ff9b:1::7f00:1]/x",             "address"),
    ("https://[2002:7f00:1::]/x",                 "address"),
    ("https://[::7f00:1]/x",                      "address"),
    # one number, other bases, left out parts
    ("https://2130706433/x",                      "host"),
    ("https://0x7f000001/x",                      "host"),
    ("https://017700000001/x",                    "host"),
    ("https://0x7f.0x0.0x0.0x1/x",                "host"),
    ("https://0177.0.0.1/x",                      "host"),
    ("https://127.0.0.01/x",                      "host"),
    ("https://127.1/x",                           "host"),
    ("https://0/x",                               "host"),
    ("https://127.0.0.1./x",                      "host"),
    # what another reader would take for something else
    ("https://127%2e0%2e0%2e1/x",                 "url"),
    ("https://\uff11\uff12\uff17.0.0.1/x",        "url"),
    ("https://agency.example@127.0.0.1/x",        "url"),
    ("https://127.0.0.1\\@agency.example/x",      "url"),
    ("https://agency.example#@127.0.0.1/x",       "url"),
    ("https://agency.example:443:22/x",           "url"),
    ("https://agency.example/x\r\nHost: inside",  "url"),
    # other services
    ("https://agency.example:22/x",               "port"),
    ("https://agency.example:25/x",               "port"),
    ("https://agency.example:5432/x",             "port"),
    ("https://agency.example:6379/x",             "port"),
    # other ways
    ("http://agency.example/x",                   "plain_http"),
    ("http://agency.example:443/x",               "plain_http"),
    ("ftp://agency.example/x",                    "url"),
    ("gopher://agency.example/x",                 "url"),
    ("file:///etc/passwd",                        "url"),
    ("https+unix://agency.example/x",             "url"),
]
# fmt: on


@each
@pytest.mark.parametrize(("url", "reason"), URLS, ids=[ascii(url) for url, _ in URLS])
def test_an_address_in_the_url(fetcher: Fetcher, url: str, reason: str) -> None:
    if fetcher.name == "request_uri" and "#" in url:  # compared whole, fetched without its fragment (Core §6.2)
        assert tried(fetcher, url)[:2] == ("unreachable", [(PUBLIC, 443)])
        return
    assert tried(fetcher, url)[:2] == (reason, [])


INSIDE = [
    "127.0.0.1", "127.0.0.53", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fc00::1", "fd00:ec2::254", "fe80::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1",
]  # fmt: skip


@each
@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside(fetcher: Fetcher, address: str) -> None:
    assert tried(fetcher, "https://agency.example/x", [address])[:2] == ("address", [])


@each
@pytest.mark.parametrize("answer", [[PUBLIC, PRIVATE], [PRIVATE, PUBLIC], [PUBLIC, "::1"]])
def test_two_answers_one_of_them_inside(fetcher: Fetcher, answer: list[str]) -> None:
    """DNS rebinding in one answer: nothing is connected to, not even the public one."""
    assert tried(fetcher, "https://agency.example/x", answer)[:2] == ("address", [])


@each
def test_an_answer_that_changes_between_looks(fetcher: Fetcher) -> None:
    """DNS rebinding by a short life: one look a call, and the connection goes to what was looked at."""
    url = "https://agency.example/x"
    why, connected, asked = tried(fetcher, url, [PUBLIC], [PRIVATE])
    assert (why, connected, asked) == ("unreachable", [(PUBLIC, 443)], ["agency.example"])
    resolve, _ = names([PUBLIC], [PRIVATE])

    async def twice() -> tuple[list[str], list[tuple[str, int]]]:
        egress = Egress(resolve=resolve)
        network = watched(egress)
        return [await fetcher.fetch(egress, url), await fetcher.fetch(egress, url)], network.tried

    assert asyncio.run(twice()) == (["unreachable", "address"], [(PUBLIC, 443)])


@each
def test_a_name_that_means_nothing(fetcher: Fetcher) -> None:
    assert tried(fetcher, "https://agency.example/x", [])[:2] == ("unresolved", [])


# --- what a server that may be reached does

OK = b"HTTP/1.1 200 OK\r\n"


def wanted(head: bytes) -> bytes:
    """The first type that a request accepts: refusals are for what the test says, not for the type."""
    asked = re.search(rb"\r\naccept: ([^,\r]+)", head, re.IGNORECASE)
    return b"Content-Type: " + (asked[1] if asked else b"application/json") + b"\r\n"


def says(start: bytes, rest: bytes = b"") -> Handler:
    """A server that answers with a type that is accepted."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(start + wanted(head) + rest)
        await writer.drain()

    return handle


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """A body that never ends, a byte at a time."""
    writer.write(OK + wanted(head) + b"Content-Length: 3000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """A head that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    await asyncio.sleep(30)


class Flood:
    """A gigabyte, declared or in chunks; counts what it could get rid of."""

    def __init__(self, rest: bytes, chunk: bytes) -> None:
        self.rest, self.chunk, self.sent = rest, chunk, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(OK + wanted(head) + self.rest)
        while self.sent < 1 << 30 and not writer.is_closing():
            writer.write(self.chunk)
            await writer.drain()
            self.sent += len(self.chunk)


DECLARED = b"Content-Length: 1073741824\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(500))
BOMB = gzip.compress(b"\x00" * (64 << 20))
BLOCK = b" " * 65_536


def redirect(status: int, location: str) -> Handler:
    return answers(f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


# fmt: off
ANSWERS: list[tuple[str, Handler, str]] = [
    ("redirect inside",            redirect(302, "https://10.0.0.1/x"),                              "redirect"),
    ("redirect to metadata",       redirect(307, "http://169.254.169.254/latest/"),                  "redirect"),
    ("redirect without TLS",       redirect(301, "http://agency.example/x"),                         "redirect"),
    ("redirect to the same",       redirect(308, "/x"),                                              "redirect"),
    ("gzip bomb",                  answers(ok(BOMB, extra="Content-Encoding: gzip\r\n")),            "encoding"),
    ("bomb under another name",    answers(ok(BOMB, extra="Content-Encoding: identity, br\r\n")),    "encoding"),
    ("another protocol",           answers(b"SSH-2.0-OpenSSH_9.6\r\n"),                              "unreachable"),
    ("a head of half a megabyte",  answers(HEAD + b"\r\n"),                                          "unreachable"),
    ("no answer at all",           answers(b""),                                                     "unreachable"),
    ("two lengths",                says(OK, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "unreachable"),
    ("cut short",                  says(OK, b"Content-Length: 9\r\n\r\n{}"),                                 "unreachable"),
]
UNREAD: list[tuple[str, Handler, str]] = [  # for those that read what comes back
    ("a page",                     answers(ok(b"[]", kind="text/html")),                             "media_type"),
    ("a script",                   answers(ok(b"[]", kind="application/javascript")),                "media_type"),
    ("no type",                    answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),       "media_type"),
]
SLOW: list[tuple[str, Handler, str]] = [
    ("a byte at a time",           drip,                                                             "timeout"),
    ("a head without end",         drip_head,                                                        "timeout"),
    ("silence",                    silent,                                                           "timeout"),
]
# fmt: on


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for agency.example and who trusts it."""
    return authority(tmp_path_factory.mktemp("trusted"), host="agency.example")


async def reached(
    handler: Handler, trusted: tuple[Path, ssl.SSLContext], fetchers: Sequence[Fetcher]
) -> dict[str, tuple[str, int]]:
    """Let each fetcher meet a server; why it got nothing, and how many connections it made, all of them to that server."""
    pem, context = trusted
    resolve, _ = names(["127.0.0.1"])

    async def one(fetcher: Fetcher, port: int) -> tuple[str, int]:
        egress = Egress([f"127.0.0.1:{port}"], pem, resolve=resolve)
        network = watched(egress, port)
        try:
            why = await fetcher.fetch(egress, f"https://agency.example:{port}/x")
        finally:
            await egress.aclose()
        assert set(network.tried) == {("127.0.0.1", port)}
        return why, len(network.tried)

    async with served(handler, context) as there:
        told = await asyncio.gather(*(one(fetcher, there.port) for fetcher in fetchers))
    return {fetcher.name: outcome for fetcher, outcome in zip(fetchers, told, strict=True)}


READERS = [fetcher for fetcher in FETCHERS if fetcher.reads]


@pytest.mark.parametrize(("handler", "reason"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_refused(handler: Handler, reason: str, trusted: Any) -> None:
    told = asyncio.run(reached(handler, trusted, FETCHERS))
    assert told == {fetcher.name: (reason, 1) for fetcher in FETCHERS}


@pytest.mark.parametrize(("handler", "reason"), [row[1:] for row in UNREAD], ids=[row[0] for row in UNREAD])
def test_another_type_of_answer(handler: Handler, reason: str, trusted: Any) -> None:
    told = asyncio.run(reached(handler, trusted, READERS))
    assert told == {fetcher.name: (reason, 1) for fetcher in READERS}


def test_a_bomb_that_does_not_say_so(trusted: Any) -> None:
    """It is read as it came, never unpacked."""
    told = asyncio.run(reached(answers(ok(BOMB[:4000])), trusted, READERS))
    assert {why for why, _ in told.values()} <= {"content", "malformed", "media_type"}


@pytest.mark.parametrize(
    ("rest", "chunk"),
    [(DECLARED, BLOCK), (CHUNKED, b"10000\r\n" + BLOCK + b"\r\n"), (ENDLESS, BLOCK)],
    ids=["declared", "in chunks", "until it closes"],
)
def test_a_gigabyte(rest: bytes, chunk: bytes, trusted: Any) -> None:
    """It is given up at the bound: the server gets rid of what fits into buffers, no more."""
    for fetcher in FETCHERS:
        flood = Flood(rest, chunk)
        told = asyncio.run(reached(flood, trusted, [fetcher]))
        assert told == {fetcher.name: ("too_large", 1)}
        assert flood.sent < 32 << 20, fetcher.name


def test_servers_that_take_their_time(trusted: Any) -> None:
    """Slow-loris, the other way round: the whole call has one end, however busy the line looks."""

    async def run() -> list[dict[str, tuple[str, int]]]:
        return list(await asyncio.gather(*(reached(row[1], trusted, FETCHERS) for row in SLOW)))

    for told in asyncio.run(run()):
        assert {name: why for name, (why, _) in told.items()} == {fetcher.name: "timeout" for fetcher in FETCHERS}


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_server_with_another_certificate(host: str, tmp_path: Path, trusted: Any) -> None:
    """Whoever answers at the right address must prove the name too."""
    _, context = authority(tmp_path, host=host)
    told = asyncio.run(reached(answers(ok(b"[]")), (trusted[0], context), FETCHERS))
    assert told == {fetcher.name: ("unreachable", 1) for fetcher in FETCHERS}


def test_what_is_right_is_got(trusted: Any) -> None:
    """The matrix could find that nothing is ever got: here is what each takes."""
    body = {
        "jwks_uri": ok(b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'),
        "request_uri": ok(b"e30.e30.", kind="application/oauth-authz-req+jwt"),
        "logo_uri": ok(drawn(), kind="image/png"),
        "sector_identifier_uri": ok(b'["%s"]' % LISTED.encode()),
        "register's answer": ok(b'{"items":{}}'),
    }
    for fetcher in FETCHERS:
        if fetcher.name == "register's token":
            continue  # its answer leads on to the next question
        told = asyncio.run(reached(answers(body.get(fetcher.name, ok(b"{}"))), trusted, [fetcher]))
        assert told == {fetcher.name: (GOT, 1)}


# --- ways out by purpose


PURPOSE = {
    "jwks_uri": "client_addresses",
    "request_uri": "client_addresses",
    "sector_identifier_uri": "client_addresses",
    "register's token": "registers",
    "register's answer": "registers",
}


def way(outbound: Outbound, fetcher: Fetcher) -> Egress:
    """The one that the program uses for this; every fetcher but these delivers."""
    found: Egress = getattr(outbound, PURPOSE.get(fetcher.name, "deliveries"))
    return found


@each
@pytest.mark.parametrize("opened", ["registers", "clients"])
def test_what_is_open_for_registers_is_closed_for_what_clients_name(fetcher: Fetcher, opened: str) -> None:
    async def run() -> str:
        async with served(answers(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as there:
            allowed = [f"127.0.0.1:{there.port}"]
            outbound = Outbound.open(*((allowed, []) if opened == "registers" else ([], allowed)), None)
            why = await fetcher.fetch(way(outbound, fetcher), f"http://127.0.0.1:{there.port}/x")
            await outbound.aclose()
            assert (why == "address") == (there.heads == [])
            return why

    own = "registers" if PURPOSE.get(fetcher.name) == "registers" else "clients"
    assert (asyncio.run(run()) == "address") == (opened != own)


STRANGERS = 160
HOSTS = 40


class Slow:
    """Servers that never answer, one a port, and how many calls they hold."""

    def __init__(self) -> None:
        self.held, self.enough, self._never = 0, asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.held += 1
        if self.held == CLIENT_ADDRESSES.calls:
            self.enough.set()
        await self._never.wait()


def test_strangers_with_slow_addresses_hold_up_no_register_and_no_delivery() -> None:
    """160 requests with slow addresses: as many wait as may, the others are refused at once, and a register has free places."""
    by_name = {fetcher.name: fetcher for fetcher in FETCHERS}

    async def run() -> None:
        slow = Slow()
        async with AsyncExitStack() as stack:
            ports = [(await stack.enter_async_context(served(slow))).port for _ in range(HOSTS)]
            register = await stack.enter_async_context(served(answers(ok(b'{"items":{}}'))))
            outbound = Outbound.open([f"127.0.0.1:{register.port}"], ["127.0.0.1"], None)
            strangers = [
                asyncio.create_task(
                    by_name["request_uri"].fetch(outbound.client_addresses, f"http://127.0.0.1:{ports[n % HOSTS]}/{n}")
                )
                for n in range(STRANGERS)
            ]
            await slow.enough.wait()
            refused = [task.result() for task in strangers if task.done()]
            assert refused == ["temporarily_unavailable"] * (STRANGERS - CLIENT_ADDRESSES.calls)
            answer = by_name["register's answer"]
            assert await answer.fetch(outbound.registers, f"http://127.0.0.1:{register.port}/x") == GOT
            letter = by_name["letter backchannel_logout"]
            assert await letter.fetch(outbound.deliveries, f"http://127.0.0.1:{register.port}/x") == GOT
            assert slow.held == CLIENT_ADDRESSES.calls, "none of the slow calls has ended"
            assert (outbound.registers.places.waited, outbound.deliveries.places.waited) == (0, 0)
            for task in strangers:
                task.cancel()
            await asyncio.gather(*strangers, return_exceptions=True)
            await outbound.aclose()

    asyncio.run(run())


def test_one_slow_host_takes_its_own_places_only() -> None:
    by_name = {fetcher.name: fetcher for fetcher in FETCHERS}
    jwks = b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'

    async def run() -> list[str]:
        slow = Slow()
        async with served(slow) as there, served(answers(ok(jwks))) as other:
            egress = Outbound.open([], ["127.0.0.1"], None).client_addresses
            fetch = by_name["request_uri"].fetch
            strangers = [asyncio.create_task(fetch(egress, f"http://127.0.0.1:{there.port}/{n}")) for n in range(20)]
            await asyncio.wait(strangers, return_when=asyncio.FIRST_COMPLETED)
            assert await by_name["jwks_uri"].fetch(egress, f"http://127.0.0.1:{other.port}/jwks") == GOT
            refused = [task.result() for task in strangers if task.done()]
            for task in strangers:
                task.cancel()
            await asyncio.gather(*strangers, return_exceptions=True)
            await egress.aclose()
            return refused

    assert asyncio.run(run()) == ["temporarily_unavailable"] * (20 - CLIENT_ADDRESSES.per_host)
