"""Tests pass on any day and on any machine: none reads the machine's clock by itself, so none can assert seconds."""

import ast

import pytest

CLOCK = "tests/machine_clock.py"
FUNCTIONS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "thread_time",
}
READS = {f"time.{name}" for name in FUNCTIONS} | {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
LOOPS = {"loop", "asyncio.get_running_loop()", "asyncio.get_event_loop()"}


def reads(tree: ast.AST) -> list[str]:
    """Where a clock is read, or handed on to be read: the line and the words."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            words = ast.unparse(node)
            of, _, name = words.rpartition(".")
            if words.removeprefix("datetime.") in READS or words in READS or (name == "time" and of in LOOPS):
                found.append(f"{node.lineno}: {words}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in FUNCTIONS]
    return found


def test_no_test_reads_the_machines_clock(any_module) -> None:
    elsewhere = not any_module.name.startswith("tests/") or any_module.name == CLOCK
    assert elsewhere or reads(any_module.tree) == []


@pytest.mark.parametrize(
    "source",
    [
        "began = time.monotonic()",
        "Secrets(secret, clock=time.time)",
        "datetime.datetime.now(datetime.UTC)",
        "datetime.now(UTC)",
        "from time import perf_counter",
        "asyncio.get_running_loop().time()",
    ],
)
def test_the_rule_can_fail(source: str) -> None:
    assert reads(ast.parse(source))


def test_the_rule_lets_a_standing_clock_pass() -> None:
    assert reads(ast.parse("time.sleep(1)\nclock.now = now\nself.clock()\ntime.gmtime(micros)")) == []
