"""The outbound guard: what may be reached, and how much of it is read."""

import asyncio
import datetime
import gzip
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.egress import Egress, EgressRefused, Reply, is_public, opening
from tests import machine_clock

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


def answers(raw: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(raw)
        await writer.drain()

    return handle


def ok(body: bytes, kind: str = "application/json", extra: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


class Served:
    def __init__(self, port: int) -> None:
        self.port = port
        self.heads: list[bytes] = []


@asynccontextmanager
async def served(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.heads.append(head)
            await handler(reader, writer, head)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    seen = Served(server.sockets[0].getsockname()[1])
    try:
        yield seen
    finally:
        server.close()


def names(*lists: Sequence[str]) -> tuple[Callable[[str, int], Awaitable[Sequence[str]]], list[str]]:
    """A resolver giving one list after another, the last for good, and the log of what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return lists[min(len(asked), len(lists)) - 1]

    return resolve, asked


def reason_of(url: str, egress: Egress, method: str = "GET", headers: dict[str, str] | None = None) -> str:
    async def run() -> None:
        await egress.request(method, url, headers or {}, timeout=2)

    with pytest.raises(EgressRefused) as refused:
        asyncio.run(run())
    assert refused.value.__cause__ is None
    assert str(refused.value) == refused.value.reason
    return refused.value.reason


PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "3fff::1",
    "2002:7f00:1::", "5f00::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "fe80::1%1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused_by_whatever_name(address: str) -> None:
    resolve, asked = names([address])
    assert not is_public(ipaddress.ip_address(address))
    assert reason_of("https://agency.example/jwks", Egress(resolve=resolve)) == "address"
    assert asked == ["agency.example"]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_one_private_address_among_public_ones_refuses_all() -> None:
    resolve, _ = names(["8.8.8.8", "10.0.0.1"])
    assert reason_of("https://agency.example/", Egress(resolve=resolve)) == "address"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://127.0.0.1/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::ffff:7f00:1]/", "address"),
        ("https://[::ffff:127.0.0.1]/", "host"),
        ("https://2130706433/", "host"),
        ("https://0x7f000001/", "host"),
        ("https://0x7f.0.0.1/", "host"),
        ("https://0177.0.0.1/", "host"),
        ("https://127.1/", "host"),
        ("https://127.0.0.1./", "host"),
        ("https://999.0.0.1/", "host"),
        ("https://[127.0.0.1]/", "address"),
        ("https://agency.example:22/", "port"),
        ("https://agency.example:5432/", "port"),
        ("https://8.8.8.8:25/", "port"),
        ("http://agency.example/", "plain_http"),
        ("http://8.8.8.8/", "plain_http"),
        ("ftp://agency.example/", "url"),
        ("file:///etc/passwd", "url"),
        ("gopher://agency.example/", "url"),
        ("HTTPS://agency.example/", "url"),
        ("//agency.example/", "url"),
        ("https://user@agency.example/", "url"),
        ("https://agency.example\\@10.0.0.1/", "url"),
        ("https://agency.example/\\x", "url"),
        ("https://agency.example/#part", "url"),
        ("https://agency.example/a b", "url"),
        ("https://agency.example/a\r\nHost: other", "url"),
        ("https://agency.example/\n", "url"),
        ("https://agency.example?x", "url"),
        ("https://ågency.example/", "url"),
        ("https:///x", "url"),
        ("https://agency.example:x/", "url"),
        ("https://[fe80::1%25eth0]/", "url"),
    ],
)
def test_urls_refused_before_anything_is_sent(url: str, reason: str) -> None:
    resolve, _ = names(["8.8.8.8"])
    assert reason_of(url, Egress(resolve=resolve)) == reason


@pytest.mark.parametrize("headers", [{"x": "a\r\nb: c"}, {"x y": "1"}, {"Host": "other"}, {"Accept-Encoding": "gzip"}])
def test_headers_that_would_change_the_request_are_refused(headers: dict[str, str]) -> None:
    resolve, _ = names(["8.8.8.8"])
    assert reason_of("https://agency.example/", Egress(resolve=resolve), headers=headers) == "header"


def test_a_method_is_a_token() -> None:
    assert reason_of("https://agency.example/", Egress(), method="GET /other HTTP/1.1\r\n") == "url"


def test_a_name_that_resolves_to_nothing_is_unresolved() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError(host)

    resolve, _ = names([])
    assert reason_of("https://agency.example/", Egress(resolve=nowhere)) == "unresolved"
    assert reason_of("https://agency.example/", Egress(resolve=resolve)) == "unresolved"


def test_rebinding_gets_one_look_only() -> None:
    """The name is private at the second look; the connection goes where the first look went."""

    async def run() -> tuple[Reply, list[str], int]:
        async with served(answers(ok(b"{}"))) as there:
            resolve, asked = names(["127.0.0.1"], ["10.0.0.1"])
            egress = Egress([f"127.0.0.1:{there.port}"], resolve=resolve)
            reply = await egress.request("GET", f"http://register.example:{there.port}/")
            assert f"Host: register.example:{there.port}".lower().encode() in there.heads[0].lower()
            with pytest.raises(EgressRefused, match="address"):
                await egress.request("GET", f"http://register.example:{there.port}/")
            await egress.aclose()
            return reply, asked, len(there.heads)

    reply, asked, connections = asyncio.run(run())
    assert (reply.status, asked, connections) == (200, ["register.example"] * 2, 1)


def test_an_opening_is_that_address_and_port_only() -> None:
    async def run() -> list[str]:
        refused = []
        async with served(answers(ok(b"{}"))) as there:
            for allow in ([], ["127.0.0.1:1"], ["127.0.0.2"], ["::1"]):
                with pytest.raises(EgressRefused) as error:
                    await Egress(allow).request("GET", f"http://127.0.0.1:{there.port}/")
                refused.append(error.value.reason)
            for allow in (["127.0.0.1"], ["127.0.0.0/8"], [f"127.0.0.1:{there.port}"]):
                egress = Egress(allow)
                assert (await egress.request("GET", f"http://127.0.0.1:{there.port}/")).content == b"{}"
                await egress.aclose()
        return refused

    assert asyncio.run(run()) == ["address"] * 4


def test_plain_http_stays_on_loopback_even_when_the_address_is_allowed() -> None:
    assert reason_of("http://10.0.0.1:8080/", Egress(["10.0.0.1"])) == "plain_http"


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1/8", "300.0.0.1", "[::1]:a", "a.b:1"]
)
def test_an_opening_that_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        opening(text)


def test_openings_of_the_sixth_version() -> None:
    assert opening("[::1]:8003").admits(ipaddress.ip_address("::1"), 8003)
    assert not opening("[::1]:8003").admits(ipaddress.ip_address("::1"), 8004)
    assert opening("::1").admits(ipaddress.ip_address("::1"), 1)
    assert not opening("::1").admits(ipaddress.ip_address("127.0.0.1"), 1)


async def half_a_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    await asyncio.sleep(30)


async def a_byte_at_a_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()


BOMB = gzip.compress(b"0" * 1_000_000)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answers(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"), "redirect"),
        (answers(b"HTTP/1.1 307 Again\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"), "redirect"),
        (half_a_head, "timeout"),
        (a_byte_at_a_time, "timeout"),
        (without_end, "too_large"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n"), "too_large"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 19 + b"\r\n\r\n"), "too_large"),
        (answers(ok(BOMB, extra="Content-Encoding: gzip\r\n")), "encoding"),
        (answers(ok(b"<p>", kind="text/html")), "media_type"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "media_type"),
        (answers(b"SSH-2.0-OpenSSH\r\n\r\n"), "unreachable"),
        (answers(b""), "unreachable"),
        (answers(ok(b"{}")[:-1]), "unreachable"),
    ],
)  # fmt: skip
def test_answers_refused(handler: Handler, reason: str) -> None:
    async def run() -> str:
        async with served(handler) as there:
            with pytest.raises(EgressRefused) as error:
                await Egress(["127.0.0.1"]).request(
                    "GET", f"http://127.0.0.1:{there.port}/", timeout=0.3, media_types=["application/json"]
                )
            assert error.value.__cause__ is None
            return error.value.reason

    assert asyncio.run(run()) == reason


def test_a_closed_port_is_unreachable() -> None:
    assert reason_of("http://127.0.0.1:1/", Egress(["127.0.0.1"])) == "unreachable"


def test_the_environment_cannot_send_us_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async def run() -> int:
        async with served(answers(ok(b"{}"))) as there:
            egress = Egress(["127.0.0.1"])
            reply = await egress.request("GET", f"http://127.0.0.1:{there.port}/")
            await egress.aclose()
            return reply.status

    assert asyncio.run(run()) == 200


def test_what_is_sent_is_what_was_asked_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        body = await reader.readexactly(5)
        writer.write(ok(body, kind="Application/JSON; charset=utf-8"))

    async def run() -> tuple[Reply, bytes]:
        async with served(echo) as there:
            egress = Egress(["127.0.0.1"])
            url = f"http://127.0.0.1:{there.port}/path?query=1"
            secret = {"Authorization": "Bearer s3cret"}
            reply = await egress.request("POST", url, secret, b"[1,2]", media_types=["application/json"])
            await egress.aclose()
            return reply, there.heads[0]

    with caplog.at_level(logging.DEBUG):
        reply, head = asyncio.run(run())
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /path?query=1 http/1.1"
    for expected in (
        "accept: application/json",
        "accept-encoding: identity",
        "content-length: 5",
        "authorization: bearer s3cret",
    ):
        assert expected in lines
    assert (reply.content, reply.media_type) == (b"[1,2]", "application/json")
    assert "1,2" not in repr(reply)
    assert "s3cret" not in caplog.text


def test_one_client_serves_one_loop_after_another() -> None:
    egress = Egress(["127.0.0.1"])

    async def run() -> int:
        async with served(answers(ok(b"{}"))) as there:
            reply = await egress.request("GET", f"http://127.0.0.1:{there.port}/")
            await egress.aclose()
            return reply.status

    assert [asyncio.run(run()), asyncio.run(run())] == [200, 200]


def authority(folder: Path, host: str = "register.example") -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for a host: the file that trusts it, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    start = machine_clock.today() - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, both = folder / "ca.pem", folder / "server.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + pem.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return pem, context


def test_tls_is_checked_against_the_name_and_the_given_roots(tmp_path: Path) -> None:
    pem, context = authority(tmp_path)
    resolve, _ = names(["127.0.0.1"])

    async def run() -> list[object]:
        seen: list[object] = []
        async with served(answers(ok(b"{}")), context) as there:
            for host, ca_file in (("register.example", pem), ("register.example", None), ("other.example", pem)):
                egress = Egress([f"127.0.0.1:{there.port}"], ca_file, resolve=resolve)
                try:
                    seen.append((await egress.request("GET", f"https://{host}:{there.port}/")).status)
                except EgressRefused as error:
                    seen.append(error.reason)
                await egress.aclose()
        return seen

    assert asyncio.run(run()) == [200, "unreachable", "unreachable"]
