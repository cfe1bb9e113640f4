"""Who may commit, wait, and write what: the rules that keep an answered release in the ledger."""

import ast
import inspect

import pytest

OPENERS = {"read", "write", "committing", "transaction"}
COMMITTING = {"broker/database.py"}
# Which modules may change which table; what is not named here is free.
WRITERS = {
    "ledger_batch": {"consent/ledger.py"},
    "ledger_leaf": {"consent/ledger.py"},
    "ledger_tag": {"consent/ledger.py"},
    "ledger_event": {"consent/ledger.py"},
    "ledger_tile": {"consent/ledger.py"},
    "stream": {"consent/ledger.py"},
    "ledger_once": {"consent/ledger.py", "broker/committer.py"},
    "ledger_checkpoint": {"broker/publisher.py"},
    "permission": {"consent/permission.py"},
}
# Which functions only the committer calls.
COMMITTERS_OWN = {("ledger", "append"), ("permission", "apply")}


def last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def commits(tree: ast.AST) -> list[int]:
    return [c.lineno for c in calls(tree) if isinstance(c.func, ast.Attribute) and c.func.attr == "commit"]


def waits(tree: ast.AST) -> list[int]:
    """The lines that wait while a transaction is open."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(opens(item.context_expr) for item in node.items):
            inner = [n for statement in node.body for n in ast.walk(statement)]
            found += [n.lineno for n in inner if isinstance(n, ast.Await | ast.AsyncFor | ast.AsyncWith)]
    return found


def opens(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in OPENERS


def changed_tables(tree: ast.AST) -> set[str]:
    """The tables that `insert(t)`, `update(t)`, `delete(t)` or `t.insert()` change."""
    changed = set()
    for call in calls(tree):
        verb = last_name(call.func)
        if verb in {"insert", "update", "delete"}:
            if call.args:
                changed.add(last_name(call.args[0]))
            if isinstance(call.func, ast.Attribute):
                changed.add(last_name(call.func.value))
    return changed


def test_only_the_database_commits(module) -> None:
    assert module.name in COMMITTING or commits(module.tree) == []


def test_nobody_waits_with_a_transaction_open(code) -> None:
    assert waits(code.tree) == []


def test_each_table_of_the_ledger_has_its_one_writer(module) -> None:
    strange = {t for t in changed_tables(module.tree) if module.name not in WRITERS.get(t, {module.name})}
    assert strange == set()


def test_only_the_committer_appends(module) -> None:
    called = {(last_name(c.func.value), c.func.attr) for c in calls(module.tree) if isinstance(c.func, ast.Attribute)}
    assert module.name == "broker/committer.py" or called & COMMITTERS_OWN == set()


def test_only_the_gate_unwraps(module) -> None:
    assert module.name == "consent/release.py" or "_Sealed__" not in module.text


def test_an_act_cannot_wait_and_a_gather_can() -> None:
    from broker.routes import ROUTES

    assert [r.path for r in ROUTES if inspect.iscoroutinefunction(r.act)] == []
    assert [r.path for r in ROUTES if not inspect.iscoroutinefunction(r.gather)] == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (commits, "tx.commit()"),
        (waits, "async def f():\n with database.write() as tx:\n  if x:\n   await y"),
        (waits, "async def f():\n with parts.database.read() as tx:\n  async with z: pass"),
        (changed_tables, "tx.execute(insert(tables.ledger_leaf).values(n=1))"),
        (changed_tables, "tx.execute(permission.update())"),
    ],
)
def test_the_rules_can_fail(rule, source: str) -> None:
    assert rule(ast.parse(source))
