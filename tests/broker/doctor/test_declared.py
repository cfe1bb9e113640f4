"""Declarations: every fault of every file at once, each at its line; the demo's own are without fault once they are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker import demo
from broker.demo import Plan
from broker.doctor import declared
from broker.settings import Settings
from consent import declarations

TEXT = """# a comment
version = 1

[label]
en = "Home"

[attributes."address.registered"]
type = "address"
label.en = "Address"

[[claims]]
path = ["a"]

[[claims]]
path = ["b"]
[[claims.display]]
name = "B"
locale = 3
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("version",), 2),
        (("label", "en"), 5),
        (("label", "ar"), 4),
        (("attributes", "address.registered", "type"), 8),
        (("attributes", "address.registered", "source"), 7),
        (("attributes", "address.registered", "label"), 9),
        (("claims", 0, "path"), 12),
        (("claims", 1, "path", 0), 15),
        (("claims", 1, "display", 0, "locale"), 18),
        (("nothing", "of", "it"), 1),
        ((), 1),
    ],
)
def test_the_line_of_a_member(location: tuple[Any, ...], line: int) -> None:
    assert declared.line_of(TEXT, location) == line


@pytest.fixture
def filled(tmp_path: Path) -> Settings:
    """The demo's declarations as the demo fills them in."""
    plan = Plan(18_000, tmp_path)
    demo.fill_config(Path("openid-config"), tmp_path / "config", plan.placeholders())
    return Settings(mode="demo", issuer=plan.issuer, data_dir=tmp_path, config_dir=tmp_path / "config")


def test_the_demos_own_declarations_have_no_fault(filled: Settings) -> None:
    assert declared.faults(filled) == ()
    assert declared.placeholders(filled.config_dir) == ()
    assert declared.look(filled).missing is False


def test_what_only_the_demo_fills_in_is_found_at_its_line() -> None:
    folder = Path("openid-config")
    found = declared.placeholders(folder)
    assert {fault.file.split("/")[0] for fault in found} >= {"clients", "sources", "uses"}
    for fault in found:
        assert "${" in (folder / fault.file).read_text("utf-8").splitlines()[fault.line - 1]


# fmt: off
WRONG = [
    # file                                  what is written for what                                      the line that says      and what
    ("catalogue/address.toml",              ("version = ", "version = -"),                                "version = -",          "greater than"),
    ("registers.toml",                      ("[", "[["),                                                  None,                   ""),
    ("scopes.toml",                         ("identity.given_name", "identity.given_nam"),                "identity.given_nam\"", "not in the catalogue"),
    ("uses/norr.building-permit.toml",      ("minimum_acr", "minimal_acr"),                               "minimal_acr",          "Extra inputs"),
    ("clients/norr-planning.toml",          ("client_name", "client_nam"),                                "client_nam",           "client_nam"),
    ("credentials/residence.toml",          ("lifetime = ", "lifetime = 1"),                              "lifetime = 1",         "less than"),
    ("sources/tax.toml",                    ('connector = "rest"', 'connector = "rset"'),                 "rset",                 "one of sql, rest, account"),
    ("sign-in.toml",                        ("retention_days", "retention_day"),                          "retention_day =",      "Extra inputs"),
    ("assurance.toml",                      ("trust_framework", "trust_frame"),                           "trust_frame ",         "Extra inputs"),
]
# fmt: on


@pytest.mark.parametrize(("file", "change", "line", "what"), WRONG, ids=[row[0] for row in WRONG])
def test_a_fault_is_found_at_its_line(
    filled: Settings, file: str, change: tuple[str, str], line: str | None, what: str
) -> None:
    path = filled.config_dir / file
    before = path.read_text("utf-8")
    assert change[0] in before
    path.write_text(before.replace(*change, 1), "utf-8")
    found = [fault for fault in declared.faults(filled) if fault.file == file]
    assert found
    if line is not None:
        texts = path.read_text("utf-8").splitlines()
        assert [one for one in found if what in one.what and line in texts[one.line - 1]], found


def test_all_files_that_are_wrong_are_named_at_once(filled: Settings) -> None:
    for file, change, _, _ in WRONG:
        path = filled.config_dir / file
        path.write_text(path.read_text("utf-8").replace(*change, 1), "utf-8")
    found = {fault.file for fault in declared.faults(filled)}
    assert found >= {file for file, _, _, _ in WRONG if file != "scopes.toml"}


def test_there_is_a_schema_of_every_kind_of_file(filled: Settings) -> None:
    made = declared.schema()
    places = {name for name in made if name != "environment"}
    for path in filled.config_dir.rglob("*.toml"):
        file = path.relative_to(filled.config_dir)
        if file.name != "personas.toml":
            assert any(file.match(place.split(" ")[0]) for place in places), file
    assert (
        made["environment"]["properties"]["SEMEL_TOKEN_SECONDS"]["default"]
        == Settings.model_fields["token_seconds"].default
    )
    assert made["uses/*.toml"]["additionalProperties"] is False


def test_readers_gather_what_is_wrong_and_go_on() -> None:
    found: list[str] = []
    for text in ("one", "two"):
        with declarations.gathering(found):
            raise declarations.BadDeclaration(text)
    with pytest.raises(declarations.BadDeclaration, match="one\ntwo"):
        declarations.refuse(found)
    assert declarations.refuse([]) is None  # type: ignore[func-returns-value]  # that it returns is the point
