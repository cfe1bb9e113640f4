"""How long a consent page takes while strangers send the broker to slow addresses (`python -m benchmarks.strangers`).

The demo on SQLite, two more clients with twenty request addresses each, all of which accept and never answer. Pages are opened in
turn with and without the strangers; what compares is the median of the one over the median of the other.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pyotp

from benchmarks import machine
from broker.demo import CHECKOUT
from examples.browse import Browser, Page

STRANGERS = 160
SLOW_CLIENTS, ADDRESSES = 2, 20
PATIENCE = 6.0  # seconds after an answer in which a stranger comes again
SETTLE = 1.0  # seconds for those that are refused to have been
BLOCK = 5  # pages in a row each way
AGENCY = "norr-childcare"
CLIENT = """client_id = "slow-{n}"
client_name = "Slow {n}"
profile = "baseline"
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1:{port}/callback"]
scope = "openid"
request_uris = [{addresses}]
"""


@dataclass(frozen=True)
class Measured:
    """Seconds until a consent page was there, and what strangers were answered meanwhile."""

    alone: list[float]
    beside: list[float]
    answers: Counter[str]

    @property
    def ratio(self) -> float:
        """How much longer it takes beside strangers."""
        return statistics.median(self.beside) / statistics.median(self.alone)


def measure(pages: int, port: int, folder: Path) -> Measured:
    """Serve the demo, and open so many pages each way; the first does not count."""
    slow = [machine.free_port() for _ in range(SLOW_CLIENTS * ADDRESSES)]
    command = [sys.executable, "-m", "broker.cli", "demo", "--port", str(port), "--data", str(folder / "data")]
    config = _declared(folder, slow)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "SEMEL_CONFIG_DIR": str(config)}
    with machine.program(command, port=port, log=folder / "log", environment=environment):
        person = _signed_in(f"http://localhost:{port}")
        start = f"http://127.0.0.1:{port + 1}/"
        alone: list[float] = []
        beside: list[float] = []
        answers: Counter[str] = Counter()
        _page(person, start)
        while len(beside) < pages:
            alone += [_page(person, start) for _ in range(BLOCK)]
            with _strangers(port, slow) as ours:
                ours.recv()  # they have all arrived
                beside += [_page(person, start) for _ in range(BLOCK)]
                ours.send(None)
                answers.update(ours.recv())
            time.sleep(PATIENCE)  # until nothing waits for a slow address any more
    return Measured(alone, beside, answers)


def _declared(folder: Path, slow: Sequence[int]) -> Path:
    config = folder / "openid-config"
    shutil.copytree(CHECKOUT / "openid-config", config)
    for n in range(SLOW_CLIENTS):
        own = slow[n * ADDRESSES : (n + 1) * ADDRESSES]
        addresses = ", ".join(f'"http://127.0.0.1:{one}/request"' for one in own)
        text = CLIENT.format(n=n, port=own[0], addresses=addresses)
        (config / "clients" / f"slow-{n}.toml").write_text(text, "utf-8")
    return config


def _signed_in(issuer: str) -> Browser:
    """A person whose session lives through all the pages."""
    until = time.monotonic() + machine.READY_SECONDS
    browser = Browser()
    while True:
        try:
            demo = browser.http.get(f"{issuer}/sandbox/demo.json").raise_for_status().json()
            break
        except httpx2.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    person = next(one for one in demo["personas"] if one["id"] == "maria")
    page = browser.open(f"{issuer}/sign-in")
    page = browser.submit(page, "sign-in", "sign-in", username=person["username"], password=person["password"])
    browser.submit(page, "one-time-code", "continue", code=pyotp.TOTP(person["totp_secret"]).now())
    return browser


def _page(person: Browser, start: str) -> float:
    form = person.open(start)
    began = time.perf_counter()
    page: Page = person.submit(form, "prefill", "fill")
    took = time.perf_counter() - began
    if not page.has("consent"):
        raise machine.Missing(f"no consent page, but {page.heading!r} at {page.url}")
    return took


@contextmanager
def _strangers(port: int, slow: Sequence[int]) -> Iterator[Connection]:
    """Strangers and their servers, in a process of their own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_crowd, args=(theirs, port, list(slow)), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


def _crowd(pipe: Connection, port: int, slow: Sequence[int]) -> None:
    asyncio.run(_come(pipe, port, slow))


async def _come(pipe: Connection, port: int, slow: Sequence[int]) -> None:
    answers: Counter[str] = Counter()
    servers = [await asyncio.start_server(_never, "127.0.0.1", one) for one in slow]
    arrived = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_stranger(n, port, slow, answers, arrived)) for n in range(STRANGERS)]
    for _ in range(STRANGERS):
        await arrived.acquire()
    await asyncio.sleep(SETTLE)
    pipe.send(None)
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    pipe.send(answers)
    for task in tasks:
        task.cancel()
    for server in servers:
        server.close()


async def _never(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _stranger(n: int, port: int, slow: Sequence[int], answers: Counter[str], arrived: asyncio.Semaphore) -> None:
    """One address of this machine each, so that nobody is taken for a crowd; whoever is refused comes again later."""
    where, began = slow[n % len(slow)], asyncio.get_running_loop().time()
    asked = urlencode(
        {"client_id": f"slow-{n % len(slow) // ADDRESSES}", "request_uri": f"http://127.0.0.1:{where}/request"}
    )
    head = f"GET /authorize?{asked} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
    while True:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(f"127.77.{n // 250}.{n % 250 + 1}", 0)
        )
        writer.write(head)
        if began:
            arrived.release()
            began = 0
        answers["open"] += 1
        answers["answered " + (await reader.read()).split(b" ", 2)[1].decode()] += 1
        answers["open"] -= 1
        writer.close()
        await asyncio.sleep(PATIENCE)


def main() -> int:
    """Print the figures; 1 when a page takes more than a fifth longer."""
    parser = argparse.ArgumentParser(prog="benchmarks.strangers", description=__doc__)
    parser.add_argument("--pages", type=int, default=20, help="pages each way (20)")
    parser.add_argument("--port", type=int, default=8700, help="first of the demo's ports (8700)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="semel-strangers-") as folder:
        measured = measure(given.pages, given.port, Path(folder))
    alone, beside = statistics.median(measured.alone), statistics.median(measured.beside)
    sys.stdout.write(
        f"consent page alone {1000 * alone:.0f} ms (worst {1000 * max(measured.alone):.0f}),"
        f" beside {STRANGERS} strangers {1000 * beside:.0f} ms (worst {1000 * max(measured.beside):.0f}),"
        f" ratio {measured.ratio:.2f}; strangers: {dict(sorted(measured.answers.items()))}\n"
    )
    return 0 if measured.ratio <= 1.2 else 1


if __name__ == "__main__":
    sys.exit(main())
