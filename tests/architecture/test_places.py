"""One place per concept: the clock, the environment, outbound HTTP, exceptions to the linter."""

import ast
import re

import pytest

CLOCK = {"broker/app.py", "broker/cli.py", "broker/demo.py"}
ENVIRONMENT = {"broker/settings.py", "broker/demo.py", "broker/serve.py"}
OUTBOUND = {"broker/egress.py", "broker/demo.py"}
CLIENTS = {"httpx2", "httpcore2", "urllib.request", "http.client", "requests", "httpx", "aiohttp"}
CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
NOQA = re.compile(r"#\s*noqa(?!: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*\s+(?:- |# )\S)")
IGNORE = re.compile(r"#\s*type: ignore(?!\[[a-z-]+(?:, ?[a-z-]+)*\]\s+#\s*\S)")


def attributes(tree: ast.AST) -> set[str]:
    return {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}


def imports(tree: ast.AST) -> set[str]:
    plain = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return plain | {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}


def test_only_the_top_reads_a_clock(module) -> None:
    assert module.name in CLOCK or attributes(module.tree) & CLOCKS == set()


def test_only_settings_read_the_environment(module) -> None:
    assert module.name in ENVIRONMENT or not attributes(module.tree) & {"os.environ", "os.getenv"}


def test_one_way_out(module) -> None:
    assert module.name in OUTBOUND or imports(module.tree) & CLIENTS == set()


def test_nothing_prints_but_the_command_line(module) -> None:
    called = {ast.unparse(n.func) for n in ast.walk(module.tree) if isinstance(n, ast.Call)}
    assert module.name == "broker/cli.py" or "print" not in called


def test_an_exception_to_the_linter_names_its_code_and_reason(any_module) -> None:
    lines = any_module.text.splitlines()
    if any_module.path.name != "test_places.py":
        assert [line.strip() for line in lines if NOQA.search(line) or IGNORE.search(line)] == []


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("x  # noqa", True),
        ("x  # noqa: S603", True),
        ("x  # noqa: S603 - our own program", False),
        ("x  # noqa: S105  # a name, no secret", False),
        ("x  # type: ignore", True),
        ("x  # type: ignore[misc]", True),
        ("x  # type: ignore[misc]  # they ship no types", False),
    ],
)
def test_the_comment_rule_can_fail(line: str, bad: bool) -> None:
    assert bool(NOQA.search(line) or IGNORE.search(line)) is bad
