"""`semel serve`: granian and its workers, the publisher beside them, and a death pact between parent and children.

On SQLite there is one worker and the publisher is a part of it; on PostgreSQL the publisher is a process of its own, the only
one that loads the ledger's signing keys.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from broker import app, installation, telemetry
from broker.database import Database
from broker.doctor import conditions, gather
from broker.settings import Settings
from consent.ledger_alarm import LedgerAlarm

PR_SET_PDEATHSIG = 1
RESTART_SECONDS = 1.0
HEAD_SECONDS = 10  # to send a request's head, and to send the next one on the same connection
CONNECTIONS = 16_384  # of a worker at once; a silent one takes a place until `HEAD_SECONDS` are over
BACKLOG = 4096  # connections that the kernel keeps until they are taken
FILES = CONNECTIONS + 1024  # open files of a process
HEAD_BYTES = 32 * 1024  # of a request's head: the address, a token, its proof and our cookies, twice over

_claimed = ExitStack()  # what this process holds until it dies


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, however the parent dies (prctl(2))."""
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def worker() -> Any:
    """Build the application in a worker process, from the environment it inherited."""
    die_with_parent()
    settings = Settings()
    _claimed.enter_context(installation.claim(settings))
    return app.create_app(settings)


def publish() -> None:
    """Publish the ledger until killed: the publisher's own process."""
    die_with_parent()
    telemetry.configure()
    settings = Settings()
    database = Database.open(settings.database)
    publisher = app.publisher(settings, database, installation.root_keyring(settings), app.clock)
    asyncio.run(publisher.run(settings.checkpoint_seconds))


def refuse(settings: Settings) -> None:
    """Return when nothing speaks against serving; raises `NotReady` with every condition that does, and what mends it.

    A ledger that does not hold raises its alarm: the next start is refused, too, until an operator has lifted it.
    """
    facts = asyncio.run(gather.gather(settings, app.clock, gather.unserved))
    if (facts.stored.ledger or "").startswith(installation.BROKEN):
        with suppress(OSError):  # on a disk that takes nothing the cause itself stands
            LedgerAlarm(settings.ledger_dir).raise_(str(facts.stored.ledger), facts.now)
    if broken := conditions.seen(facts):
        raise installation.NotReady("\n".join(["nothing is served:", *(f"- {one}" for one in broken)]))


def _raise_limits() -> None:
    """Allow as many open files as the system lets us: each connection is one, and workers inherit it (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C; a process that dies is started again. Raises `NotReady` before a socket is opened.

    SQLite has one writing connection, so one worker whatever was asked.
    """
    with installation.unserved(settings):
        refuse(settings)
    _raise_limits()
    alone = settings.database.startswith("sqlite")
    with _publishing(needed=not alone):
        Granian(
            "broker.serve:worker",
            factory=True,
            address=host,
            port=port,
            workers=1 if alone else workers,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,  # guessing the version would wait for a silent connection without end
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000, max_buffer_size=HEAD_BYTES),
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            respawn_failed_workers=True,
            respawn_interval=0.5,
            workers_kill_timeout=5,
            websockets=False,
            log_level=LogLevels.warning,
        ).serve()


@contextmanager
def _publishing(*, needed: bool) -> Iterator[None]:
    """Keep a publisher running, in a process of its own, until the end of the block."""
    if not needed:
        yield
        return
    ended, running = threading.Event(), threading.Event()
    current: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not ended.is_set():
            current[:] = [subprocess.Popen([sys.executable, "-m", "broker.serve"])]
            running.set()
            current[0].wait()
            ended.wait(RESTART_SECONDS)

    thread = threading.Thread(target=keep, name="publisher", daemon=True)
    thread.start()
    try:
        running.wait()
        yield
    finally:
        ended.set()
        current[0].terminate()
        thread.join(RESTART_SECONDS * 5)


if __name__ == "__main__":
    publish()
