"""The product's source as the architecture tests read it: every module, parsed once."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("keys", "consent", "wallet", "broker")


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def _modules(*folders: str) -> list[Module]:
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [Module(path) for path in found if "node_modules" not in path.parts]


PRODUCT = _modules(*PACKAGES)
CODE = [*PRODUCT, *_modules("examples", "benchmarks")]
EVERYTHING = [*CODE, *_modules("tests")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`module` is each module of the product, `code` the examples and benchmarks too, `any_module` the tests too."""
    for argument, modules in (("module", PRODUCT), ("code", CODE), ("any_module", EVERYTHING)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, modules, ids=[m.name for m in modules])


@pytest.fixture(scope="session")
def every_module() -> list[Module]:
    """The product's, the examples', the benchmarks' and the tests' modules, to be looked at together."""
    return EVERYTHING


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> list[str]:
    """The paths of the files that belong to the project: tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [path for path in listed if path and (ROOT / path).exists()]
