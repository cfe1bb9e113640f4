"""What the benchmarks stand on: a PostgreSQL server for each side, processes and what CPU time they have used."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 120
#: Durable as the product demands it (`broker/database.py`); both sides run on the same settings.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


class Missing(Exception):
    """Something the benchmarks need is not on this machine; the message names it."""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL of one side: where its socket is, and its first process."""

    folder: Path
    pid: int

    def url(self, scheme: str = "postgresql") -> str:
        """The address of its one database."""
        return f"{scheme}://semel@/postgres?host={self.folder}"


@contextmanager
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server in a fresh folder, on a socket, owned by the user postgres where we are root; removed at the end."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise Missing("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    tools = found[-1].parent
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="semel-benchmark-", dir="/tmp"))
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run([*user, *command], cwd="/", check=True, stdout=subprocess.DEVNULL)

    try:
        run(str(tools / "initdb"), "-D", str(data), "--auth=trust", "--username=semel", "--encoding=UTF8")
        options = "".join(f" -c {name}='{value}'" for name, value in SETTINGS.items())
        options += f" -c unix_socket_directories='{folder}'"
        run(str(tools / "pg_ctl"), "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options)
        folder.chmod(0o755)
        yield Server(folder, int((data / "postmaster.pid").read_text().split()[0]))
    finally:
        subprocess.run(
            [*user, str(tools / "pg_ctl"), "stop", "-D", str(data), "-m", "immediate"],
            cwd="/",
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def program(
    command: Sequence[str], *, port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server program, from when it listens on `port` until the end of the block; it dies with this process."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        until = time.monotonic() + READY_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise Missing(f"{command[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(*roots: int) -> float:
    """The CPU time that these processes and all below them have used, ended ones that were waited for included."""
    parents: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.name))
        used[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15])
    total, waiting = 0, list(roots)
    while waiting:
        one = waiting.pop()
        total += used.get(one, 0)
        waiting += parents.get(one, [])
    return total / TICKS


def described() -> dict[str, str]:
    """The machine, as a result names it."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cores": str(os.cpu_count()),
        "processor": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "memory": f"{int(memory) // 1_048_576} GB",
        "system": platform.platform(aliased=True, terse=True),
        "python": platform.python_version(),
        "load": " ".join(f"{value:.1f}" for value in os.getloadavg()),
    }
