"""Reading a request's parameters: bounded, never twice the same name (RFC 6749 §3.1, §3.2).

A framework's form reader silently takes one of two duplicates; two readers that take different ones are an attack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from broker.errors import Malformed
from keys import canonical
from keys import errors as keys_errors

MAX_BODY = 64 * 1024
MAX_NAMES = 100
BODY_SECONDS = 10.0
MAX_DEPTH = 12
FORM = "application/x-www-form-urlencoded"
REPEATABLE = frozenset({"resource", "item"})


class Parameters(Mapping[str, str]):
    """Names and values, each name once; `.all(name)` for the few that may repeat (RFC 8707 §2; our check boxes)."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        """Give the value of a name; `KeyError` when absent."""
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        """Walk the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._values)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a name that may repeat, in order; empty when absent."""
        return tuple(self._values.get(name, ()))

    def only(self, *names: str) -> Parameters:
        """Give these names and leave out every other."""
        return Parameters([(name, value) for name in names for value in self.all(name)])


def parse(text: str) -> Parameters:
    """Read `application/x-www-form-urlencoded` text; empty values count as left out (RFC 6749 §3.1).

    Raises `Malformed` for a repeated name, too many names, or bytes that are not UTF-8.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_NAMES, errors="strict")
    except ValueError as problem:
        raise Malformed("the parameters cannot be read") from problem
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen and name not in REPEATABLE:
            raise Malformed("a parameter is given more than once")
        if "\x00" in value:
            raise Malformed("a parameter holds a NUL character")
        seen.add(name)
    return Parameters([(name, value) for name, value in pairs if value != ""])


def structure(text: str, name: str) -> Any:
    """Read the value of a parameter that is JSON (RFC 9396 §2, OpenID Connect Core §5.5), bounded in depth.

    Raises `Malformed` for a deeper one, and for text that is not JSON or says a member twice.
    """
    try:
        value = canonical.loads(text)
    except keys_errors.Malformed as problem:
        raise Malformed(f"{name} is not JSON, or says a member twice") from problem
    level, inner = 0, [value]
    while inner := [part for one in inner for part in _parts(one)]:
        level += 1
        if level > MAX_DEPTH:
            raise Malformed(f"{name} is nested too deep")
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def query(request: Request) -> Parameters:
    """Read the parameters of the URL's query."""
    if len(request.url.query) > MAX_BODY:
        raise Malformed("the query is too long", status=414)
    return parse(request.url.query)


async def body(request: Request, *, limit: int = MAX_BODY) -> bytes:
    """Read the body whole, at most `limit` bytes; raises `Malformed` beyond that (413), or when it comes too slowly (408)."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise Malformed("the body is too large", status=413)
                chunks.append(chunk)
    except ClientDisconnect as gone:
        raise Malformed("the body ended early") from gone
    except TimeoutError as late:
        raise Malformed("the body did not arrive in time", status=408) from late
    return b"".join(chunks)


async def read(request: Request) -> Parameters:
    """Read the parameters of a form body; raises `Malformed` (415 for any other content type)."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise Malformed(f"the content type must be {FORM}", status=415)
    content = await body(request)
    try:
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise Malformed("the body is not UTF-8") from problem


def refuse_nul(request: Request) -> None:
    """Refuse an address that one of the two databases cannot even be asked for."""
    if "\x00" in request.scope["path"]:
        raise Malformed("the address holds a NUL character")


def refuse_hosts(request: Request) -> None:
    """Refuse a request that names no host, or several: two readers would take it for two different ones (RFC 9112 §3.2)."""
    named = request.headers.getlist("host")
    if len(named) > 1 or (not any(named) and request.scope.get("http_version", "1.1").startswith("1")):
        raise Malformed("exactly one Host is needed")


def refuse_prefetch(request: Request, *, changes: bool) -> None:
    """Refuse what a browser fetches before anybody pressed anything, where it would change something (Fetch, `Sec-Purpose`).

    It would claim a pushed request, or begin an interaction, for a page that nobody opened; the press itself comes again.
    """
    purpose = " ".join(request.headers.getlist("sec-purpose") + request.headers.getlist("purpose")).lower()
    if changes and request.method == "GET" and "prefetch" in purpose:
        raise Malformed("nothing is fetched ahead here", status=503)
