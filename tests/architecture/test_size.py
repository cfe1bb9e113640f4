"""Small nouns: a module says in one line what it is, and stays short; so does a function."""

import ast

import pytest

MODULE_LINES = 300
FUNCTION_LINES = 50
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "service", "base", "impl"}


def long_functions(tree: ast.AST) -> list[str]:
    found = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [f"{n.name}: {n.end_lineno - n.lineno + 1}" for n in found if n.end_lineno - n.lineno >= FUNCTION_LINES]


def test_module_is_short(code) -> None:
    assert "migrations/versions/" in code.name or len(code.text.splitlines()) <= MODULE_LINES


def test_functions_are_short(code) -> None:
    assert "migrations/versions/" in code.name or long_functions(code.tree) == []


def test_module_says_what_it_is(any_module) -> None:
    docstring = ast.get_docstring(any_module.tree)
    assert docstring
    assert docstring.splitlines()[0].strip()


def test_package_file_holds_the_docstring_only(module) -> None:
    if module.path.name == "__init__.py":
        assert len(module.tree.body) == 1


def test_module_has_a_name_that_says_something(code) -> None:
    assert code.path.stem.lower() not in NO_NAMES


def test_no_class_is_called_after_nothing(module) -> None:
    named = [n.name for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)]
    assert [n for n in named if n.endswith(("Manager", "Service", "Helper", "Impl"))] == []


@pytest.mark.parametrize(("lines", "found"), [(50, 0), (51, 1)])
def test_the_function_rule_can_fail(lines: int, found: int) -> None:
    body = "\n".join("    pass" for _ in range(lines - 1))
    assert len(long_functions(ast.parse(f"def f():\n{body}"))) == found
