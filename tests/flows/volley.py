"""Requests that arrive at the same moment: every one is sent but for its last byte, then all last bytes go out together."""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import httpx2

from tests import machine_clock
from tests.actors import ASSERTION, Agency

LINES_END = b"\r\n\r\n"


def signed(agency: Agency, path: str, form: dict[str, str]) -> httpx2.Request:
    """An agency's call to PAR or the token endpoint, with an assertion and a proof of its own; its nonce must be known."""
    said = {**form, "client_assertion_type": ASSERTION, "client_assertion": agency.assertion()}
    proof = agency.proof("POST", agency.issuer + path, None)
    return httpx2.Request("POST", agency.issuer + path, data=said, headers={"DPoP": proof})


def release(agency: Agency, token: str) -> httpx2.Request:
    """An agency's call for the data, with a proof of its own; its nonce must be known."""
    return resource(agency, "GET", "/prefill", token)


def resource(agency: Agency, method: str, path: str, token: str, body: Any = None) -> httpx2.Request:
    """An agency's call to a resource, as above."""
    url = agency.issuer + path
    headers = {"Authorization": f"DPoP {token}", "DPoP": agency.proof(method, url, token)}
    return httpx2.Request(method, url, headers=headers, json=body)


def wire(request: httpx2.Request, *, close: bool = True) -> bytes:
    """A request as bytes (HTTP/1.1)."""
    headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()] + (["Connection: close"] if close else [])
    return "\r\n".join(lines).encode() + LINES_END + request.read()


def dial(request: httpx2.Request) -> socket.socket:
    """A connection to where a request goes."""
    link = socket.create_connection(("127.0.0.1", request.url.port or 80), timeout=machine_clock.PATIENCE)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def at_once(
    requests: Sequence[httpx2.Request],
    *,
    answered: Callable[[int], object] = lambda count: None,
    loaded: Callable[[], object] = lambda: None,
) -> list[httpx2.Response | None]:
    """The answers in the order of the requests; None where the connection died before the whole answer was there.

    `loaded()` is called before the last bytes go out, `answered(count)` after each whole answer.
    """
    with ExitStack() as links:
        wires = [wire(request) for request in requests]
        dialled = [links.enter_context(dial(request)) for request in requests]
        for link, text in zip(dialled, wires, strict=True):
            link.sendall(text[:-1])
        time.sleep(0.1)
        loaded()
        for link, text in zip(dialled, wires, strict=True):
            link.send(text[-1:])
        return _read(dialled, answered)


def _read(links: Sequence[socket.socket], answered: Callable[[int], object]) -> list[httpx2.Response | None]:
    got = [b""] * len(links)
    answers: list[httpx2.Response | None] = [None] * len(links)
    count, patience = 0, machine_clock.Patience()
    with selectors.DefaultSelector() as ready:
        for number, link in enumerate(links):
            link.setblocking(False)
            ready.register(link, selectors.EVENT_READ, number)
        while ready.get_map():
            events = ready.select(patience.left)
            assert events, f"{len(ready.get_map())} of {len(links)} requests have no answer"
            for key, _ in events:
                try:
                    chunk = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]  # it is the socket that was registered
                except ConnectionError:
                    chunk = b""
                got[key.data] += chunk
                answers[key.data] = parse(got[key.data])
                if answers[key.data] is None and chunk:
                    continue
                ready.unregister(key.fileobj)
                if answers[key.data] is not None:
                    count += 1
                    answered(count)
    return answers


def parse(text: bytes) -> httpx2.Response | None:
    """An answer as it stands on the wire; None while some of it is missing."""
    head, end, body = text.partition(LINES_END)
    if not end:
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    known = {name.lower(): value for name, value in headers}
    assert "transfer-encoding" not in known, "an answer of ours says its length"
    length = int(known.get("content-length", "0"))
    return (
        httpx2.Response(int(status.split()[1]), headers=headers, content=body[:length]) if len(body) >= length else None
    )
