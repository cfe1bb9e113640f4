"""A real HTTP server on loopback that receives letters and answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests import machine_clock


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """`answer(count)` gives the status, more headers and the body of the count-th answer (from 1); it may take its time."""

    answer: Callable[[int], tuple[int, dict[str, str], bytes]] = lambda _count: (202, {}, b"")
    got: list[Received] = field(default_factory=list)
    url: str = ""

    def wait(self, count: int) -> None:
        machine_clock.wait_for(lambda: len(self.got) >= count, lambda: f"{len(self.got)} letters came", every=0.01)


@contextmanager
def listening(receiver: Receiver | None = None, port: int = 0) -> Iterator[Receiver]:
    mine = receiver or Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode()
            if len(body.encode()) < length:  # whoever sent it died in the middle
                self.close_connection = True
                return
            with lock:
                mine.got.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                count = len(mine.got)
            status, headers, answer = mine.answer(count)
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)
            except OSError:  # nobody waits for it any more
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    mine.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield mine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
