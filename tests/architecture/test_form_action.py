"""Where a form of an interaction may end is decided once: for its whole answer, not page by page (`needs.ends_at`)."""

import ast
from pathlib import Path

#: A response of the authorization endpoint and the question of the logout endpoint belong to no interaction.
OUTSIDE = {"broker/authorization/response.py", "broker/endpoints/logout.py"}
#: What finds the interaction behind `/i/{tx}/…`.
FINDERS = {"broker/pages/citizen/visit.py", "broker/pages/citizen/sign_in.py"}


def using(root: Path, found: object) -> set[str]:
    """The modules in which a call names a page's `form_action` or calls `ends_at`, whichever `found` is."""
    modules = set()
    for path in root.glob("broker/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            names = {keyword.arg for keyword in node.keywords} if found == "form_action" else {ast.unparse(node.func)}
            if found in names or f"needs.{found}" in names:
                modules.add(path.relative_to(root).as_posix())
    return modules


def test_no_page_says_by_itself_where_its_form_may_end(root: Path) -> None:
    assert using(root, "form_action") == OUTSIDE


def test_whatever_finds_an_interaction_notes_where_it_ends(root: Path) -> None:
    """Who reads an interaction or its request by the id in the address also notes its client."""
    assert using(root, "ends_at") == FINDERS
    readers = set()
    for path in root.glob("broker/pages/**/*.py"):
        text = path.read_text("utf-8")
        if 'path_params["tx"]' in text or 'path_params.get("tx")' in text:
            readers.add(path.relative_to(root).as_posix())
    waiting = {"broker/pages/citizen/code_entry.py", "broker/pages/citizen/requests.py"}  # their clients wait elsewhere
    assert readers - waiting == FINDERS
