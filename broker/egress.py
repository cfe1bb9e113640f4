"""Every outbound HTTP call: public addresses only, resolved once and pinned (OpenID Connect Core 1.0 §16; RFC 9126 §7.3)."""

import asyncio
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpcore2

from broker.connection_limits import Busy, Limits, Places

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to the addresses they stand for, as text; raises OSError when there is none."""

PUBLIC_PORTS: Final = frozenset({443, 8443})
READ_SECONDS: Final = 5.0
KEEP_ALIVE_SECONDS: Final = 15.0
LIMITS: Final = Limits(calls=40, per_host=40, waits=True)

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/[!-~]*|)", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_NUMBERED = re.compile(r"(0[xX][0-9A-Fa-f]*|[0-9]+)", re.ASCII)
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_UNICAST_6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class EgressRefused(Exception):
    """An outbound call was refused or failed; `reason` is one of a closed set and never holds the URL or the answer.

    Reasons: url, host, port, plain_http, address, unresolved, header, redirect, too_large, encoding, media_type,
    timeout, unreachable, busy.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Reply:
    """What came back: the status, the headers by lower-case name, the whole body (left out of `repr`)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The media type without its parameters, in lower case; empty when none was sent (RFC 9110 §8.3)."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Opening:
    """One entry of SEMEL_EGRESS_ALLOW or SEMEL_CLIENT_EGRESS_ALLOW: a network, and the only port or any."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None

    def admits(self, address: Address, port: int) -> bool:
        """Whether this address and port lie in the opening."""
        return address.version == self.network.version and address in self.network and self.port in (None, port)


def opening(text: str) -> Opening:
    """Parse `127.0.0.1`, `127.0.0.1:8003`, `10.1.0.0/24:443`, `::1` or `[::1]:8003`; ValueError otherwise."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([0-9./]+):([0-9]{1,5})|([0-9A-Fa-f.:/]+)", text.strip())
    if match is None:
        raise ValueError("an allowed address is an address or a network, with an optional port")
    network, port = match[1] or match[3] or match[5], match[2] or match[4]
    return Opening(ipaddress.ip_network(network), None if port is None else int(port))


def is_public(address: Address) -> bool:
    """Whether an address is unicast on the public internet, also when it carries another inside (RFC 6890, RFC 6052)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id is not None or address not in _UNICAST_6:
            return False
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the machine's resolver once; every address it names, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to an address that was looked at, never to a name that could mean something else a moment later."""

    def __init__(self, openings: tuple[Opening, ...], resolve: Resolver, *, plain: bool) -> None:
        self._openings, self._resolve, self._plain = openings, resolve, plain
        self._network = httpcore2.AnyIOBackend()

    def _check(self, address: Address, port: int) -> None:
        looked_at = getattr(address, "ipv4_mapped", None) or address
        if any(opening.admits(looked_at, port) for opening in self._openings):
            if self._plain and not looked_at.is_loopback:
                raise EgressRefused("plain_http")
            return
        if not is_public(address):
            raise EgressRefused("address")
        if self._plain:
            raise EgressRefused("plain_http")
        if port not in PUBLIC_PORTS:
            raise EgressRefused("port")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own parameter
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve once, refuse all if one address may not be reached, connect to the first that answers."""
        addresses = await self._addresses(host, port)
        for address in addresses:
            self._check(address, port)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(addresses[-1]), port, timeout, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        try:
            found = list(dict.fromkeys(ipaddress.ip_address(text) for text in await self._resolve(host, port)))
        except (OSError, ValueError):
            raise EgressRefused("unresolved") from None
        if not found:
            raise EgressRefused("unresolved")
        return found


class Egress:
    """The client for one purpose. `allow` opens addresses beyond public ones; `ca_file` replaces the machine's trusted roots."""

    def __init__(
        self,
        allow: Iterable[str] = (),
        ca_file: Path | None = None,
        *,
        limits: Limits = LIMITS,
        resolve: Resolver = system_resolver,
    ) -> None:
        openings = tuple(opening(text) for text in allow)
        self._backends = {
            "http": _Pinned(openings, resolve, plain=True),
            "https": _Pinned(openings, resolve, plain=False),
        }
        self._ca_file, self._limits, self.places = ca_file, limits, Places(limits)
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        logging.getLogger("httpcore2").setLevel(logging.WARNING)  # its DEBUG lines carry whole headers

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        *,
        max_bytes: int = 65_536,
        timeout: float = 5.0,  # noqa: ASYNC109 - the whole call is cut here, on purpose
        media_types: Sequence[str] = (),
    ) -> Reply:
        """One call, never a redirect followed. `timeout` is seconds for everything from the name to the last byte.

        `media_types`, when given, are asked for and nothing else is accepted on a 2xx. Any status below 300 or
        above 399 is a Reply; everything else raises EgressRefused.
        """
        scheme, prepared = _prepare(method, url, headers or {}, content, accept=media_types, seconds=timeout)
        pool, host = self._pool(scheme), prepared.url.host + b":" + str(prepared.url.port).encode()
        try:
            async with asyncio.timeout(timeout), self.places.taken(host.decode()):
                return await self._send(pool, prepared, max_bytes, media_types)
        except Busy:
            raise EgressRefused("busy") from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise EgressRefused("timeout") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
            raise EgressRefused("unreachable") from None

    async def aclose(self) -> None:
        """Close what is kept open."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        if self._loop is not asyncio.get_running_loop():
            self._loop, self._pools, self.places = asyncio.get_running_loop(), {}, Places(self._limits)
        if scheme not in self._pools:
            self._pools[scheme] = httpcore2.AsyncConnectionPool(
                ssl_context=ssl.create_default_context(cafile=self._ca_file) if scheme == "https" else None,
                max_connections=self._limits.calls,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
                network_backend=self._backends[scheme],
            )
        return self._pools[scheme]

    @staticmethod
    async def _send(
        pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request, max_bytes: int, media_types: Sequence[str]
    ) -> Reply:
        response = await pool.handle_async_request(request)
        try:
            head = _head(response, max_bytes, media_types)
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > max_bytes:
                    raise EgressRefused("too_large")
            return Reply(response.status, head, bytes(body))
        finally:
            await response.aclose()


def _prepare(
    method: str, url: str, headers: Mapping[str, str], content: bytes, *, accept: Sequence[str], seconds: float
) -> tuple[str, httpcore2.Request]:
    """One strict reading of the URL, used for the check and for the connection alike."""
    match = _URL.fullmatch(url)
    if match is None or not _TOKEN.fullmatch(method):
        raise EgressRefused("url")
    scheme, host, port, target = match[1], match[2].lower(), match[3], match[4] or "/"
    if "#" in target or "\\" in target:
        raise EgressRefused("url")
    bare = host.strip("[]")
    if _NUMBERED.fullmatch(bare.rstrip(".").rpartition(".")[2]) and str(_literal(bare)) != bare:
        raise EgressRefused("host")  # 2130706433, 0x7f.1, 0177.0.0.1, 127.1: a number in disguise
    if host.startswith("[") and _literal(bare) is None:
        raise EgressRefused("host")
    number = int(port) if port else {"http": 80, "https": 443}[scheme]
    named = {"host": host if port is None else f"{host}:{port}", "accept-encoding": "identity"}
    if accept:
        named["accept"] = ", ".join(accept)
    if content or method in ("POST", "PUT", "PATCH"):
        named["content-length"] = str(len(content))
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not value.isascii() or not value.isprintable() or name.lower() in named:
            raise EgressRefused("header")
    pairs = [(name.encode(), value.encode()) for name, value in (*named.items(), *headers.items())]
    waits = {"connect": seconds, "pool": seconds, "write": READ_SECONDS, "read": READ_SECONDS}
    where = httpcore2.URL(scheme=scheme.encode(), host=bare.encode(), port=number, target=target.encode())
    return scheme, httpcore2.Request(
        method.encode(), where, headers=pairs, content=content, extensions={"timeout": waits}
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _head(response: httpcore2.Response, max_bytes: int, media_types: Sequence[str]) -> dict[str, str]:
    """The reply's headers, after everything that can be refused before a byte of the body is read."""
    head: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        head[key] = f"{head[key]}, {text}" if key in head else text
    if 300 <= response.status <= 399:
        raise EgressRefused("redirect")
    if head.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise EgressRefused("encoding")
    length = head.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise EgressRefused("too_large")
    reply = Reply(response.status, head, b"")
    if media_types and 200 <= response.status <= 299 and reply.media_type not in media_types:
        raise EgressRefused("media_type")
    return head
