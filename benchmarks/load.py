"""The load: walks over kept connections, one step after the other on each; a walk yields requests and is sent replies."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
PATIENCE = 30  # seconds without any answer


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers (names in lower case, the last of a name), its cookies and its body."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes


class Failed(Exception):
    """A walk got an answer that it must not get."""


Walk = Generator[bytes, Reply, None]


@dataclass
class Outcome:
    """How a volley of walks went: how long in all, and each walk's time in seconds."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)


def post(host: str, path: str, form: dict[str, str], headers: dict[str, str]) -> bytes:
    """A POST of a form, as bytes."""
    body = urlencode(form).encode()
    told = {"Content-Type": FORM, "Content-Length": str(len(body)), **headers}
    return _head("POST", host, path, told) + body


def get(host: str, path: str, headers: dict[str, str]) -> bytes:
    """A GET, as bytes."""
    return _head("GET", host, path, headers)


def _head(method: str, host: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def once(request: bytes, status: int = 200) -> Walk:
    """The walk of one request that must be answered with this status."""
    reply = yield request
    if reply.status != status:
        raise Failed(f"{reply.status} {reply.body[:300]!r}")


@dataclass
class _Line:
    """One connection with the walk on it, when that began, and what has come of the answer."""

    link: socket.socket
    walk: Walk
    began: float
    got: bytes = b""


class _Waiting:
    """Walks that have not begun; with a rate, one becomes due after the other."""

    def __init__(self, walks: Iterable[Walk], rate: float | None) -> None:
        self._walks, self._rate, self._given, self._began = iter(walks), rate, 0, time.perf_counter()
        self._next = next(self._walks, None)

    @property
    def over(self) -> bool:
        """Whether there are no more."""
        return self._next is None

    def pause(self) -> float:
        """Seconds until the next one is due; `PATIENCE` when there is none."""
        if self.over:
            return PATIENCE
        return 0 if self._rate is None else max(0.0, self._began + self._given / self._rate - time.perf_counter())

    def due(self) -> Walk | None:
        """Give the next one, if it is due."""
        if self.pause() > 0:
            return None
        walk, self._next = self._next, next(self._walks, None)
        self._given += 1
        return walk


def run(port: int, walks: Iterable[Walk], *, connections: int, rate: float | None = None) -> Outcome:
    """Send walks over so many connections until there are no more; raises `Failed` with the first wrong answer.

    `rate`: how many begin in a second; None for as many as there are connections for.
    """
    outcome, waiting, lines = Outcome(), _Waiting(walks, rate), 0
    began = time.perf_counter()
    with selectors.DefaultSelector() as ready:
        while lines or not waiting.over:
            while lines < connections and (walk := waiting.due()) is not None:
                _open(port, walk, ready)
                lines += 1
            events = ready.select(waiting.pause() if lines < connections else PATIENCE)
            if not events and waiting.over:
                raise Failed("no answer came")
            for key, _ in events:
                lines -= _step(key.data, ready, waiting, outcome)
    outcome.seconds = time.perf_counter() - began
    return outcome


def _open(port: int, walk: Walk, ready: selectors.BaseSelector) -> None:
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line = _Line(link, walk, time.perf_counter())
    link.sendall(next(walk))
    ready.register(link, selectors.EVENT_READ, line)


def _step(line: _Line, ready: selectors.BaseSelector, waiting: _Waiting, outcome: Outcome) -> int:
    """Take what came on a line; go on with its walk or the next one. Says whether the line was closed (1)."""
    chunk = line.link.recv(1 << 18)
    if not chunk:
        raise Failed("the connection was closed")
    line.got += chunk
    reply = parse(line.got)
    if reply is None:
        return 0
    line.got = b""
    try:
        line.link.sendall(line.walk.send(reply))
    except StopIteration:
        outcome.times.append(time.perf_counter() - line.began)
        walk = waiting.due()
        if walk is None:
            ready.unregister(line.link)
            line.link.close()
            return 1
        line.walk, line.began = walk, time.perf_counter()
        line.link.sendall(next(walk))
    return 0


def parse(text: bytes) -> Reply | None:
    """A whole answer with a length; None while some of it is missing."""
    head, end, body = text.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        name = name.lower()
        headers[name] = value
        if name == "set-cookie":
            cookie, _, kept = value.partition(";")[0].partition("=")
            cookies[cookie] = kept
    if "content-length" not in headers and "transfer-encoding" in headers:
        raise Failed("an answer without a length")
    length = int(headers.get("content-length", "0"))
    return Reply(int(first.split(" ", 2)[1]), headers, cookies, body) if len(body) >= length else None
