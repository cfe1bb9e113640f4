"""What stands where: the top level, the lock file, the paths that documents name, the map of specifications."""

import re
from pathlib import Path

import pytest

TOP = {
    "broker", "consent", "wallet", "keys", "openid-config", "tests", "docs", "examples", "assets", "benchmarks", "deploy",
    ".ci", ".gitignore", "Makefile", "pyproject.toml", "requirements.lock", "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE",
}  # fmt: skip
PATH = re.compile(
    r"`((?:broker|consent|wallet|keys|openid-config|tests|docs|examples|assets|benchmarks|deploy|\.ci)/[\w./*-]*[\w*])/?`"
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
STATUS = {"done", "partial", "not", "chosen"}


def documents(root: Path) -> list[Path]:
    return [*sorted(root.glob("docs/**/*.md")), *sorted(root.glob("*.md"))]


def missing_paths(text: str, *, root: Path, folder: Path) -> list[str]:
    named = [p for p in PATH.findall(text) if not any(root.glob(p))]
    return named + [p for p in LINK.findall(text) if not (folder / p).exists()]


def test_top_level(tracked: list[str]) -> None:
    assert {path.split("/", 1)[0] for path in tracked} - TOP == set()


def test_tests_are_no_package(tracked: list[str]) -> None:
    assert [p for p in tracked if p.startswith("tests/") and p.endswith("__init__.py")] == []


def test_lock_file_has_versions_and_hashes_and_nothing_else(root: Path) -> None:
    line = re.compile(r"[a-z0-9._-]+==[^\s;]+(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?|(?:    )?#.*|")
    lines = (root / "requirements.lock").read_text().splitlines()
    assert [text for text in lines if not line.fullmatch(text) or "://" in text] == []


def test_every_path_in_the_documents_exists(root: Path) -> None:
    missing = {d.name: missing_paths(d.read_text("utf-8"), root=root, folder=d.parent) for d in documents(root)}
    assert {name: paths for name, paths in missing.items() if paths} == {}


@pytest.mark.parametrize("text", ["`broker/nowhere.py`", "[see](nowhere.md)", "`keys/*.rs`"])
def test_the_path_rule_can_fail(text: str, root: Path) -> None:
    assert missing_paths(text, root=root, folder=root)


def spec_rows(root: Path) -> list[list[str]]:
    lines = (root / "docs/specs.md").read_text("utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0] not in {"Section", "---"}]


def test_the_map_of_specifications_has_a_known_status_in_every_row(root: Path) -> None:
    rows = spec_rows(root)
    assert rows
    assert [row for row in rows if len(row) != 5 or row[3] not in STATUS] == []


def test_a_specification_that_is_done_names_its_files_and_tests(root: Path) -> None:
    done = [row for row in spec_rows(root) if row[3] in {"done", "partial"}]
    assert [row for row in done if not PATH.search(row[1]) or not row[2].startswith("`tests/")] == []


def test_every_route_is_in_the_map_of_specifications(root: Path) -> None:
    from broker.routes import ROUTES

    known = {row[0] for row in spec_rows(root)}
    assert sorted({r.spec for r in ROUTES} - known) == []
