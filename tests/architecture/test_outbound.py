"""Everything that fetches from an address is in the list that the address matrix is driven from."""

import ast

import pytest

from tests.broker.fetchers import FETCHERS, TYPED


def fetches(tree: ast.AST) -> list[str]:
    """The calls of the guard's `request` in a module."""
    found = (n.func for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    return [ast.unparse(f) for f in found if f.attr == "request" and "egress" in ast.unparse(f.value).lower()]


def test_every_fetch_is_in_the_list(module) -> None:
    sites = len(fetches(module.tree))
    listed = sum(fetcher.module == module.name for fetcher in FETCHERS)
    if module.name not in TYPED:
        assert (sites > 0) == (listed > 0)
        assert sites <= listed, "a second fetch in a module has a row of its own"


def test_the_guard_is_handed_on_under_its_own_name(module) -> None:
    """A guard under another name would hide a fetch from the rule above."""
    names = {n.arg: ast.unparse(n.annotation) for n in ast.walk(module.tree) if isinstance(n, ast.arg) and n.annotation}
    assert {name for name, kind in names.items() if kind == "Egress" and "egress" not in name} == set()


@pytest.mark.parametrize(
    "source",
    ["await egress.request('GET', url)", "await self._egress.request('GET', url)", "wired.egress.request('POST', u)"],
)
def test_the_rule_can_fail(source: str) -> None:
    tree = compile(source, "x", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert fetches(tree)
