"""The demo's programs, each started by the test, so that the broker's can be killed at any moment and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import httpx2

from broker import demo, serve
from tests import machine_clock
from tests.conftest import POSTGRESQL
from tests.flows import volley
from tests.world import CHECKOUT, World, free_ports, fresh_database, neighbours

ESTABLISHED = "01"  # as /proc/net/tcp writes the state of a connection
WORKERS = 2 if POSTGRESQL else 1  # SQLite has one writing connection, hence one worker


class Service:
    """A broker with its workers, in a session (and process group) of its own, beside agencies and registers that stay up."""

    def __init__(self, folder: Path, database_url: str, workers: int) -> None:
        self.plan = demo.Plan(free_ports(4), folder / "data")
        self.log, self.workers = folder / "service.log", workers
        self.environment = self.plan.environment() | {"SEMEL_DATABASE_URL": database_url}
        self.database_url = database_url
        self.neighbours: list[subprocess.Popen[bytes]] = []
        self.broker: subprocess.Popen[bytes] | None = None
        self.spread: Counter[int] = Counter()  # connections of all volleys, by the worker that held them
        self.http = httpx2.Client(timeout=2, trust_env=False)

    def start(self) -> None:
        """Make the installation, start the neighbours, then the broker."""
        programs = demo.commands(self.plan)
        self.run([sys.executable, "-m", "broker.cli", "init"]).wait()
        self.neighbours = [self.run(command) for name, command in programs.items() if name != "broker"]
        self.wait({name: url for name, url in demo.health(self.plan).items() if name != "broker"})
        self.start_broker()

    def start_broker(self) -> None:
        """Start the broker, as an operator would after a crash: nothing is mended first."""
        command = demo.commands(self.plan)["broker"] + ["--workers", str(self.workers)]
        self.broker = self.run(command, own_group=True)
        self.wait_broker()

    def wait_broker(self) -> None:
        """Return when requests are answered and the ledger has a checkpoint."""
        self.wait({"broker": f"{self.plan.issuer}/healthz", "publisher": f"{self.plan.issuer}/ledger/checkpoint"})

    def run(self, command: list[str], *, own_group: bool = False) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=own_group,
                preexec_fn=serve.die_with_parent,  # noqa: PLW1509 - a test has no threads
            )

    def wait(self, answering: dict[str, str]) -> None:
        """Return when each of these answers 200."""
        waiting = dict(answering)

        def answered() -> bool:
            for name, url in list(waiting.items()):
                with suppress(httpx2.TransportError):
                    if self.http.get(url).status_code == 200:
                        del waiting[name]
            return not waiting

        machine_clock.wait_for(answered, lambda: f"not ready: {sorted(waiting)}: {self.log.read_text()[-2000:]}")

    def worker_pids(self) -> list[int]:
        """The processes that answer requests: the broker's children but the publisher."""
        assert self.broker is not None
        threads = Path(f"/proc/{self.broker.pid}/task").glob("*/children")
        children = sorted({int(pid) for thread in threads for pid in thread.read_text().split()})
        return [pid for pid in children if b"broker.serve" not in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def connections(self) -> dict[int, int]:
        """How many requests' connections each worker holds."""
        fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        port = f":{self.plan.port:04X}"
        ours = {f"socket:[{f[9]}]" for f in fields if f[1].endswith(port) and f[3] == ESTABLISHED}
        return {pid: sum(_target(fd) in ours for fd in Path(f"/proc/{pid}/fd").iterdir()) for pid in self.worker_pids()}

    def volley(self, requests: Sequence[httpx2.Request]) -> list[httpx2.Response]:
        """Send at once; every one is answered."""
        answers = volley.at_once(requests, loaded=lambda: self.spread.update(self.connections()))
        assert None not in answers, "a request was not answered"
        return [answer for answer in answers if answer is not None]

    def kill_worker(self) -> None:
        """Kill -9 the worker that has most to do; the broker's parent process lives and starts another one."""
        waiting = self.connections()
        os.kill(max(waiting, key=waiting.__getitem__), signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill -9 the whole process group of the broker: parent, workers, publisher."""
        assert self.broker is not None
        os.killpg(self.broker.pid, signal.SIGKILL)
        self.broker.wait()

    @cached_property
    def world(self) -> World:
        """The service as stories see it."""
        told = json.loads((self.plan.data / "demo.json").read_text())
        return World(
            issuer=self.plan.issuer,
            data=self.plan.data,
            database_url=self.database_url,
            log=self.log,
            agencies=self.plan.agencies,
            people={person["id"]: person for person in told["personas"]},
            tax_url=self.plan.tax,
        )

    def stop(self) -> None:
        """End everything."""
        self.http.close()
        for process in [*self.neighbours, *([self.broker] if self.broker else [])]:
            process.terminate()
        for process in [*self.neighbours, *([self.broker] if self.broker else [])]:
            process.wait(20)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


@contextmanager
def running(folder: Path, *, people: int = 60, workers: int = WORKERS) -> Iterator[Service]:
    """A service with this many neighbours and nobody else, on an empty database of the kind under test."""
    declared = folder / "declared"
    shutil.copytree(CHECKOUT / "openid-config", declared)
    (declared / "personas.toml").write_text(neighbours(people), "utf-8")
    with fresh_database() as fresh:
        service = Service(folder, fresh or f"sqlite:///{folder}/data/semel.db", workers)
        service.plan.data.mkdir(mode=0o700)
        demo.fill_config(declared, service.plan.data / "config", service.plan.placeholders())
        summary = service.plan.data / "demo.json"
        summary.touch(mode=0o600)
        summary.write_text(json.dumps(demo.describe(service.plan)))
        try:
            service.start()
            yield service
            service.world.stop()
        finally:
            service.stop()
