"""Making keys and hashing passwords come before a transaction: a slow machine's database ends one that is idle for seconds.

The rule follows calls from module to module by their imports, so it also finds what a function of ours does inside.
"""

import ast
from collections.abc import Iterator

import pytest

SLOW = {
    "cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key",
    "cryptography.hazmat.primitives.asymmetric.ec.generate_private_key",
    "cryptography.hazmat.primitives.asymmetric.dsa.generate_private_key",
    "broker.sign_in.password.ARGON2.hash",
    "broker.sign_in.password.ARGON2.verify",
    "hashlib.scrypt",
    "hashlib.pbkdf2_hmac",
    "time.sleep",
    "subprocess.run",
}
OPENERS = {"read", "write", "committing", "transaction", "changing", "reading", "begin"}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Trees = dict[str, ast.Module]  # by the module's dotted name


def aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `algorithms` for `keys.algorithms`."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def called(node: ast.AST, module: str, known: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The full names of what is called anywhere inside, each with its line."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            head, *rest = ast.unparse(call.func).split(".")
            if head == "self":
                head, rest = module, rest[-1:]
            yield ".".join([known.get(head, head if head == module else f"{module}.{head}"), *rest]), call.lineno


def slow_functions(trees: Trees) -> set[str]:
    """What is slow, or calls what is."""
    names = {name: aliases(tree) for name, tree in trees.items()}
    calls = {
        f"{name}.{function.name}": {one for one, _ in called(function, name, names[name])}
        for name, tree in trees.items()
        for function in functions(tree)
    }
    slow, before = set(SLOW), -1
    while len(slow) != before:
        before = len(slow)
        slow |= {name for name, inside in calls.items() if inside & slow}
    return slow


def in_transactions(tree: ast.Module) -> Iterator[ast.AST]:
    """Every piece of code that runs in a transaction: after it was begun here, or handed in as `tx`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(opens(item.context_expr) for item in node.items):
            yield from node.body
        if isinstance(node, Function) and "tx" in {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}:
            yield from node.body


def opens(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in OPENERS


def slow_in_transactions(trees: Trees) -> list[str]:
    slow, found = slow_functions(trees), set()
    for name, tree in trees.items():
        known = aliases(tree)
        for piece in in_transactions(tree):
            found |= {f"{name}:{line} {what}" for what, line in called(piece, name, known) if what in slow}
    return sorted(found)


def test_nothing_slow_is_computed_in_a_transaction(every_module) -> None:
    trees = {one.name.removesuffix(".py").replace("/", "."): one.tree for one in every_module}
    assert slow_in_transactions(trees) == []


MADE = "from cryptography.hazmat.primitives.asymmetric import rsa\ndef make(): return rsa.generate_private_key(65537, 3072)"


@pytest.mark.parametrize(
    "source",
    [
        "from keys import pairs\nwith database.write() as tx:\n pairs.make()",
        "from keys.pairs import make\ndef first(tx, ring):\n for one in ring: make()",
        "from keys import pairs\ndef first(): return [pairs.make()]\ndef act(tx, facts, now):\n first()",
        "import time\nwith installation.changing(settings) as tx:\n if tx: time.sleep(1)",
    ],
)
def test_the_rule_can_fail(source: str) -> None:
    assert slow_in_transactions({"keys.pairs": ast.parse(MADE), "broker.x": ast.parse(source)})


def test_the_rule_lets_pass_what_comes_before() -> None:
    before = "from keys import pairs\nmade = pairs.make()\nwith database.write() as tx:\n store(tx, made)"
    assert slow_in_transactions({"keys.pairs": ast.parse(MADE), "broker.x": ast.parse(before)}) == []
