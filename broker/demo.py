"""The demo: sample registers, two reference agencies and the broker, all on loopback, started and stopped as one.

What it prints and writes to `<data>/demo.json` is fixed in `docs/quickstart-agency.md`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from broker import installation, personas, serve
from broker.settings import Settings

AGENCIES = ("norr-childcare", "norr-planning")
READY_SECONDS = 60
STOP_SECONDS = 10
PLACEHOLDER = re.compile(r"\$\{([a-z0-9.-]+)\}")
CHECKOUT = Path(__file__).resolve().parents[1]


class DemoFailed(Exception):
    """The demo could not be started; the message says which part and why."""


@dataclass(frozen=True)
class Plan:
    """Who listens where, and where everything lies: the broker at `port`, its neighbours on the next three."""

    port: int
    data: Path

    @property
    def issuer(self) -> str:
        """The broker's own address; `localhost`, so that no cookie of the agencies at 127.0.0.1 is ever shared."""
        return f"http://localhost:{self.port}"

    @property
    def agencies(self) -> dict[str, str]:
        """The agencies' origins by client id."""
        return {name: f"http://127.0.0.1:{self.port + 1 + i}" for i, name in enumerate(AGENCIES)}

    @property
    def tax(self) -> str:
        """The origin of the sample tax register."""
        return f"http://127.0.0.1:{self.port + 1 + len(AGENCIES)}"

    @property
    def population(self) -> Path:
        """The file of the sample population register."""
        return self.data / "registers" / "population.db"

    @property
    def ports(self) -> list[int]:
        """Every port the demo needs."""
        return list(range(self.port, self.port + 2 + len(AGENCIES)))

    def placeholders(self) -> dict[str, str]:
        """What stands in for `${…}` in the declarations."""
        return {f"agency.{name}": url for name, url in self.agencies.items()} | {
            "register.tax": self.tax,
            "register.tax.secret-file": str(self.data / "registers" / "tax-client-secret"),
            "register.population": f"sqlite:///{self.population}",
        }

    def environment(self) -> dict[str, str]:
        """The settings, as the environment of the broker's processes; database and durations may come from outside."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SEMEL_") or name == "SEMEL_DATABASE_URL" or name.endswith("_SECONDS")
        }
        return inherited | {
            "SEMEL_MODE": "demo",
            "SEMEL_ISSUER": self.issuer,
            "SEMEL_DATA_DIR": str(self.data),
            "SEMEL_CONFIG_DIR": str(self.data / "config"),
            "SEMEL_EGRESS_ALLOW": self.tax.removeprefix("http://"),
            "SEMEL_CLIENT_EGRESS_ALLOW": "127.0.0.1,::1",  # a developer's own client, wherever it listens
        }

    def settings(self) -> Settings:
        """The same settings, for this process."""
        return Settings(
            mode="demo",
            issuer=self.issuer,
            data_dir=self.data,
            config_dir=self.data / "config",
            database_url=os.environ.get("SEMEL_DATABASE_URL", ""),
        )


def fill_config(source: Path, target: Path, values: Mapping[str, str]) -> None:
    """Copy the declarations with their placeholders filled; KeyError names a placeholder that nobody fills."""
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(source.rglob("*.toml")):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(PLACEHOLDER.sub(lambda found: values[found[1]], path.read_text("utf-8")), "utf-8")


def run(plan: Plan, *, source: Path, announce: Any, progress: Any) -> None:
    """Start everything, call `announce(summary)` when all of it answers, and keep it until SIGTERM or Ctrl-C.

    `source` is the folder of declarations; `progress` as in `installation.create`. Raises `DemoFailed`, `NotReady`.
    """
    plan.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _free(plan.ports)
    fill_config(source, plan.data / "config", plan.placeholders())
    signal.signal(signal.SIGTERM, _interrupt)
    programs, answering = commands(plan), health(plan)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("registers", *AGENCIES):
            started[name] = _start(plan, programs[name])
        summary = _prepare(plan, progress)
        _wait_ready(started, {"registers": answering["registers"]})  # the broker reads a secret that they make
        started["broker"] = _start(plan, programs["broker"])
        _wait_ready(started, answering)
        announce(summary)
        _watch(started)
    except KeyboardInterrupt:
        return
    finally:
        _stop(started.values())


def _prepare(plan: Plan, progress: Any) -> dict[str, Any]:
    """Initialise at the first start; write and return what the demo tells."""
    settings = plan.settings()
    if not installation.is_made(settings):
        installation.create(settings, time.time_ns() // 1000, progress=progress)
    summary = describe(plan)
    _write(plan.data / "demo.json", summary)
    return summary


def commands(plan: Plan) -> dict[str, list[str]]:
    """The programs of the demo, by name."""
    run = [sys.executable, "-m"]
    data = plan.data
    programs = {"registers": [*run, "examples.registers", "--data", str(data / "registers")]}
    programs["registers"] += ["--port", plan.tax.rsplit(":", 1)[1], "--config", str(data / "config")]
    for name, url in plan.agencies.items():
        port = url.rsplit(":", 1)[1]
        own = ["--issuer", plan.issuer, "--port", port, "--data", str(data / "agencies" / name)]
        programs[name] = [*run, "examples.agencies.agency", name, *own]
    programs["broker"] = [*run, "broker.cli", "serve", "--host", "127.0.0.1", "--port", str(plan.port)]
    return programs


def describe(plan: Plan) -> dict[str, Any]:
    """What the demo tells: where everything is, and who may sign in."""
    people = [
        {"id": p.id, "username": p.username, "password": p.password, "totp_secret": p.totp_secret}
        for p in personas.load(plan.data / "config")
    ]
    agencies = [{"id": name, "url": url} for name, url in plan.agencies.items()]
    return {"issuer": plan.issuer, "agencies": agencies, "personas": people, "data": str(plan.data)}


def _free(ports: list[int]) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise DemoFailed(f"port {port} is taken; choose others with --port") from error


def _write(path: Path, summary: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(summary, file, ensure_ascii=False)


def _start(plan: Plan, command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own programs with our own arguments
        command,
        cwd=CHECKOUT,
        env=plan.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=serve.die_with_parent,  # noqa: PLW1509 - this process has no threads
    )


def _stop(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, wait, and kill what has not ended in time."""
    until = time.monotonic() + STOP_SECONDS
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def health(plan: Plan) -> dict[str, str]:
    """Where each program answers 200 once it is ready."""
    agencies = {name: f"{url}/jwks.json" for name, url in plan.agencies.items()}
    return agencies | {"registers": f"{plan.tax}/healthz", "broker": f"{plan.issuer}/healthz"}


def _wait_ready(started: Mapping[str, subprocess.Popen[bytes]], urls: Mapping[str, str]) -> None:
    """Return when every part answers over HTTP; raises `DemoFailed` naming the part that ended or stayed silent."""
    waiting = dict(urls)
    until = time.monotonic() + READY_SECONDS
    while waiting:
        for name in [name for name, url in waiting.items() if _answers(url)]:
            del waiting[name]
        for name, process in started.items():
            if process.poll() is not None:
                raise DemoFailed(f"{name} ended with exit status {process.returncode} before it was ready")
        if time.monotonic() > until:
            raise DemoFailed(f"not ready after {READY_SECONDS} s: {', '.join(sorted(waiting))}")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _watch(started: Mapping[str, subprocess.Popen[bytes]]) -> None:
    while True:
        for name, process in started.items():
            if process.poll() is not None:
                raise DemoFailed(f"{name} ended with exit status {process.returncode}")
        time.sleep(0.5)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
