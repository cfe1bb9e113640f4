"""Only the gate unwraps: no module reaches for a sealed value but through `release.open_` with a committed receipt."""

import ast

import pytest

GATE = "consent/release.py"
#: Who may let values out, and to whom they go: the person on the screen, the agency (as data, as claims), the person's wallet.
OPENERS = {
    "broker/pages/citizen/rows.py",
    "broker/endpoints/prefill.py",
    "broker/authorization/released.py",
    "broker/endpoints/credential.py",
}
#: Who may keep sealed values for a while.
KEEPERS = {"broker/evidence/preview.py"}
#: Where a ledger entry gets its number; a receipt is only as good as the entry it is made of.
NUMBERERS = {"consent/ledger.py"}

INSIDES = {"_put", "_take", "_put_item", "_take_item", "_made_here", "_resealed"}
LOOKING_AROUND = {"gc", "inspect", "pickle", "marshal", "copyreg", "dill", "shelve"}


def reaches_inside(tree: ast.AST) -> set[str]:
    """Names of the gate's insides that a module mentions, in whatever way: attribute, import, text."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "release":
            found |= {node.attr} & INSIDES
        if isinstance(node, ast.ImportFrom) and node.module == "consent.release":
            found |= {alias.name for alias in node.names if alias.name.startswith("_") or alias.name == "*"}
        mangled = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else ""
        if isinstance(mangled, str) and "_Sealed__" in mangled:
            found.add(mangled)
    return found


def calls(tree: ast.AST, name: str) -> bool:
    """Whether a module calls something of this name, plainly or through a module, or passes it on."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value).endswith("release"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "consent.release"
            and name in {a.name for a in node.names}
        )
        for node in ast.walk(tree)
    )


def constructs(tree: ast.AST, name: str) -> bool:
    """Whether a module makes an object of a class by calling it."""
    return any(isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == name for n in ast.walk(tree))


def modules_imported(tree: ast.AST) -> set[str]:
    plain = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return plain | {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}


def test_nothing_reaches_inside_the_gate(module) -> None:
    assert module.name == GATE or reaches_inside(module.tree) == set()


def test_values_are_opened_in_four_places(module) -> None:
    assert module.name in OPENERS or not calls(module.tree, "open_")


def test_sealed_values_are_kept_in_one_place(module) -> None:
    assert module.name in KEEPERS or not (calls(module.tree, "pack") or calls(module.tree, "unpack"))


def test_a_receipt_is_made_by_the_gate_only(module) -> None:
    assert module.name == GATE or not constructs(module.tree, "ReleaseReceipt")


def test_an_entry_gets_its_number_in_the_ledger_only(module) -> None:
    assert module.name in NUMBERERS or not constructs(module.tree, "Appended")


def test_nothing_looks_into_objects_from_outside(module) -> None:
    assert modules_imported(module.tree) & LOOKING_AROUND == set()


def test_a_name_of_the_gate_is_not_imported_loose(module) -> None:
    """`release.open_` is read with its home; an alias would hide it from these rules."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "consent.release":
            assert {alias.name for alias in node.names} <= {"Sealed", "Holdable"}
        if isinstance(node, ast.ImportFrom) and node.module == "consent":
            assert all(alias.asname is None for alias in node.names if alias.name == "release")
        if isinstance(node, ast.Import):
            assert "consent.release" not in {alias.name for alias in node.names}


@pytest.mark.parametrize(
    ("attack", "rule"),
    [
        ("from consent import release\nrelease._take(x)", reaches_inside),
        ("from consent.release import _take", reaches_inside),
        ("x._Sealed__value", reaches_inside),
        ("getattr(x, '_Sealed__value')", reaches_inside),
        ("release.open_(x, r, item='a', client='b')", lambda tree: calls(tree, "open_")),
        ("let_out = release.open_", lambda tree: calls(tree, "open_")),
        ("from consent.release import open_", lambda tree: calls(tree, "open_")),
        ("release.unpack(box, key, dict)", lambda tree: calls(tree, "unpack")),
        ("release.ReleaseReceipt('kind')", lambda tree: constructs(tree, "ReleaseReceipt")),
        ("ledger.Appended('id')", lambda tree: constructs(tree, "Appended")),
        ("import pickle", lambda tree: modules_imported(tree) & LOOKING_AROUND),
    ],
)
def test_the_rules_can_fail(attack, rule) -> None:
    assert rule(ast.parse(attack))
