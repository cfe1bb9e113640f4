"""Every command in README and docs runs, as it stands there, but for addresses, ports and folders of the test's own.

A command that is documented and not run here fails the first test; one that is run here and not documented, too.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker import demo as demos
from keys.keyring import RootKeyring
from tests import machine_clock
from tests.world import free_ports

CHECKOUT = Path(__file__).parents[2]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAMS = ("make ", "semel ", ".venv/bin/", "export ", "python ", "pip ", "curl ")
START_SECONDS, STOP_SECONDS = 90, 20


def fenced() -> list[str]:
    """The commands in blocks, comments taken off, in order."""
    blocks = [block for page in PAGES for block in FENCE.findall(page.read_text("utf-8"))]
    lines = [re.sub(r"\s+#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(PROGRAMS)]


def inline() -> set[str]:
    """The commands in sentences."""
    texts = [FENCE.sub("", page.read_text("utf-8")) for page in PAGES]
    return {found for text in texts for found in INLINE.findall(text) if found.startswith(PROGRAMS)}


def environment(**settings: str) -> dict[str, str]:
    """The test's own environment without our settings, with the commands of this checkout first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEMEL_")}
    return kept | {"PATH": f"{CHECKOUT}/.venv/bin:{kept['PATH']}", "NO_COLOR": "1", "COLUMNS": "200"} | settings


def run(command: str, env: Mapping[str, str], *, status: int = 0) -> str:
    """Run a command in a shell in the checkout; what it printed. It ends with this status."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        cwd=CHECKOUT,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass
class Demo:
    """A running demo, started by the command of the README."""

    issuer: str
    data: Path
    env: dict[str, str] = field(default_factory=environment)

    def put(self, command: str) -> str:
        """A documented command with this demo's addresses in it."""
        (key, *_) = (self.data / "ledger" / "vkeys").read_text().splitlines()
        copy = self.data / "copy-of-the-ledger"
        if not copy.exists():
            shutil.copytree(self.data / "ledger", copy)
        for said, meant in {
            "http://localhost:8000": self.issuer,
            "https://id.example.gov": self.issuer,
            "./copy-of-the-ledger": str(copy),
            "--vkey …": f"--vkey {shlex.quote(key)}",
            "--since …": f"--since {shlex.quote(str(copy / 'checkpoint'))}",
        }.items():
            command = command.replace(said, meant)
        return command


def recipe(target: str, **variables: str) -> str:
    """What `make` runs for a target once the environment is there."""
    told = run(
        f"make --no-print-directory --dry-run {target} "
        + " ".join(f"{k}={shlex.quote(v)}" for k, v in variables.items()),
        environment(),
    )
    return told.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo that `make demo` starts."""
    data = tmp_path_factory.mktemp("shown") / "data"
    command = recipe("demo", DEMO=f"--json --data {data} --port {free_ports(4)}")
    assert command.startswith(".venv/bin/semel demo ")
    with (data.parent / "log").open("w") as log:
        process = subprocess.Popen(
            shlex.split(command), cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (data.parent / "log").read_text()[-3000:]
        yield Demo(json.loads(line)["issuer"], data)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


# --- the table: every command of a block, and what it must say


def made(_demo: Demo, command: str) -> None:
    """`make test` is what runs this; what it would do is enough."""
    assert recipe(command.removeprefix("make ")) in {"tests/run", recipe("demo")}


def walked(demo: Demo, command: str) -> None:
    told = run(demo.put(command), demo.env)
    assert "access" in told or len(told.splitlines()) > 5


def verified(demo: Demo, command: str) -> None:
    machine_clock.wait_for((demo.data / "ledger" / "checkpoint").exists)
    run(demo.put(command), demo.env)


def witnessed(_demo: Demo, _command: str) -> None:
    """Nobody cosigns a demo's checkpoint: `tests/consent/test_published.py` does; here the option must exist."""
    assert "--witness" in run("semel ledger verify --help", environment())


def alarmed(demo: Demo, command: str) -> None:
    own = {"SEMEL_MODE": "demo", "SEMEL_ISSUER": demo.issuer, "SEMEL_DATA_DIR": str(demo.data)}
    assert "No alarm stands" in run(command, {**demo.env, **own})


def operated(_demo: Demo, _command: str) -> None:
    """Run in order by `test_an_operator_follows_the_page`."""


BLOCKS: dict[str, Callable[[Demo, str], None]] = {
    "make demo": made,
    "make test": made,
    ".venv/bin/python examples/walk.py --issuer http://localhost:8000": walked,
    ".venv/bin/semel ledger verify http://localhost:8000/ledger": verified,
    "semel ledger verify https://id.example.gov/ledger": verified,
    "semel ledger verify ./copy-of-the-ledger": verified,
    "semel ledger verify https://id.example.gov/ledger --vkey …": verified,
    "semel ledger verify https://id.example.gov/ledger --since …": verified,
    "semel ledger verify https://id.example.gov/ledger --witness …": witnessed,
    "export SEMEL_ISSUER=https://id.example.gov SEMEL_MODE=production SEMEL_DATA_DIR=/var/lib/semel": operated,
    "export SEMEL_KEY_ENCRYPTION_KEY_FILE=/run/secrets/semel-roots SEMEL_DATABASE_URL=postgresql+psycopg://…": operated,
    "semel ledger alarm": alarmed,
    "semel ledger alarm --lift": alarmed,
    "semel init": operated,
    "semel serve --host 0.0.0.0 --port 8000 --workers 4": operated,
}


def test_every_command_of_a_block_is_run_here() -> None:
    assert set(fenced()) == set(BLOCKS)


@pytest.mark.parametrize("command", BLOCKS)
def test_a_command_of_a_block(shown: Demo, command: str) -> None:
    BLOCKS[command](shown, command)


@pytest.mark.parametrize("command", sorted(inline()))
def test_a_command_in_a_sentence_exists_with_its_options(command: str) -> None:
    """Its words are commands and its options are in their help."""
    words = shlex.split(command)
    if words[0] == "make":
        assert recipe(words[1])
        return
    assert words[0] in {"semel", ".venv/bin/semel"}, "what runs this one?"
    options = [word for word in words if word.startswith("--")]
    commands: list[str] = []
    for word in words[1:]:
        if word.startswith("--"):
            break
        commands.append(word)
    told = run(shlex.join(["semel", *commands, "--help"]), environment())
    assert [option for option in options if option not in told] == []


# --- an operator's page, from top to bottom


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an operator has before they begin: declarations of their own, a root keyring, an empty folder."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "secret").write_text("s")
    (folder / "semel-roots").write_text(RootKeyring.generate().text())
    for name in ("secret", "semel-roots"):
        (folder / name).chmod(0o600)
    meant = {
        "agency.norr-childcare": "https://childcare.norr.example",
        "agency.norr-planning": "https://planning.norr.example",
        "register.tax": "https://tax.norr.example",
        "register.tax.secret-file": str(folder / "secret"),
        "register.population": f"sqlite:///{folder}/population.db",
    }
    demos.fill_config(CHECKOUT / "openid-config", folder / "config", meant)
    return {
        "/var/lib/semel": str(folder / "data"),
        "/run/secrets/semel-roots": str(folder / "semel-roots"),
        "postgresql+psycopg://…": f"sqlite:///{folder}/semel.db",
        "--port 8000": f"--port {free_ports(1)}",
        "config": str(folder / "config"),
    }


def block(first: str) -> list[str]:
    """The lines of the block of commands that begins so."""
    found = fenced()
    start = next(n for n, line in enumerate(found) if line.startswith(first))
    return found[start : start + 4]


def put(line: str, meant: Mapping[str, str]) -> str:
    for said, value in meant.items():
        if not said.isalpha():
            line = line.replace(said, value)
    return line


def test_an_operator_follows_the_page(operator: dict[str, str]) -> None:
    *exports, init, serve = [put(line, operator) for line in block("export SEMEL_ISSUER")]
    assert (init, len(exports)) == ("semel init", 2)
    before = "\n".join(exports)
    env = environment(SEMEL_CONFIG_DIR=operator["config"])
    run(f"{before}\n{init}", env)
    run(f"{before}\n{init}", env, status=2)  # once
    process = subprocess.Popen(
        ["bash", "-euc", f"{before}\nexec {serve}"], cwd=CHECKOUT, env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        port = operator["--port 8000"].split()[1]
        assert answers(f"http://127.0.0.1:{port}/healthz", process) == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for command in sorted(inline()):
        if command in OPERATED:
            told = run(f"{before}\n{command}", env, status=OPERATED[command][0])
            assert OPERATED[command][1] in told
    shown = run(f"{before}\nsemel config show", env)
    assert Path(operator["/run/secrets/semel-roots"]).read_text().split()[1] not in shown


#: Commands of sentences that an operator can type as they stand: how they end, and a word they say.
OPERATED = {
    "semel config show": (0, "SEMEL_ISSUER"),
    "semel config check": (0, "Nothing is wrong"),
    "semel config schema": (0, "SEMEL_ISSUER"),
    "semel db status": (0, ""),
    "semel db upgrade": (0, ""),
    "semel keys list": (0, "ES256"),
    "semel keys rotate": (0, ""),
    "semel keys rotate --revoke --alg ES256": (0, ""),
    "semel clients lint": (0, ""),
    "semel clients token --profile fapi2 --uses 1": (0, ""),
    "semel clients streams": (0, ""),
    "semel outbox list": (0, ""),
    "semel outbox list --dead": (0, ""),
    "semel outbox replay --all": (1, "replayed"),
    "semel routes": (0, "/par"),
    "semel doctor": (1, "reachable"),  # it was stopped before
    "semel doctor --json": (1, "unresolved"),
}


def answers(url: str, process: subprocess.Popen[str]) -> Any:
    patience = machine_clock.Patience()
    while patience.left and process.poll() is None:
        try:
            return httpx2.get(url, timeout=2, trust_env=False).json()
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer; {process.returncode}")


def test_the_doctor_finds_nothing_wrong_with_the_demo(shown: Demo) -> None:
    plan = demos.Plan(int(shown.issuer.rsplit(":", 1)[1]), shown.data)
    found = json.loads(run("semel doctor --json", plan.environment() | shown.env))
    assert [line for line in found if line["status"] in {"fail", "fatal"}] == []


# --- what the quickstart shows of an answer


def members(text: str) -> set[str]:
    """The member names of a shortened JSON example."""
    return set(re.findall(r'"([a-z_]+)"\s*:', text))


def example(page: str, word: str) -> str:
    found = FENCE.findall((CHECKOUT / "docs" / page).read_text("utf-8"))
    return next(text for text in found if f'"{word}"' in text)


def test_the_demo_describes_itself_as_the_quickstart_says(shown: Demo) -> None:
    told = httpx2.get(f"{shown.issuer}/sandbox/demo.json", trust_env=False).json()
    assert members(example("quickstart-agency.md", "personas")) <= told.keys()
    for list_, name in re.findall(r'"(agencies|personas)": \[\{([^}]*)\}', example("quickstart-agency.md", "personas")):
        assert {word.strip(' "') for word in name.split(",")} <= told[list_][0].keys()
    assert told == json.loads((shown.data / "demo.json").read_text())
    assert (shown.data / "demo.json").stat().st_mode & 0o777 == 0o600
