"""The SQL connector against the sample population register, and against databases that misbehave."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from broker.evidence.connectors.sql import Declaration, SqlSource
from broker.evidence.source import Evidence, Found, SourceUnavailable, Subject
from consent import declarations
from consent.errors import BadDeclaration
from examples.registers import people, population

CONFIG = Path(__file__).parents[4] / "openid-config"
NAMES = ("identity.given_name", "identity.family_name", "identity.full_name", "identity.birth_date")
Holds = Callable[[Found, Any], bool]
Check = Callable[[str, Any], None]
Of = Callable[[str], Subject]

NOW = 1_795_302_000_000_000  # 21 November 2026


def ask(source: SqlSource, subject: Subject, *attributes: str) -> Evidence:
    async def run() -> Evidence:
        return await source.fetch(subject, frozenset(attributes), phase="preview", reference="r", now=NOW)

    return asyncio.run(run())


def close(source: SqlSource) -> None:
    asyncio.run(source.aclose())


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory, check: Check) -> Iterator[SqlSource]:
    path = tmp_path_factory.mktemp("a register") / "population.db"
    population.build(path, people.read(CONFIG / "personas.toml"), as_of="2026-11-21")
    declared = declarations.read(CONFIG / "sources" / "population.toml", Declaration)
    source = SqlSource("population", declared.model_copy(update={"url": f"sqlite:///{path}"}), check)
    yield source
    close(source)


def test_the_parent_of_the_story(register: SqlSource, subject_of: Of, holds: Holds) -> None:
    asked = (*NAMES, "address.registered", "address.municipality", "address.since", "family.custody", "identity.sex")
    found = ask(register, subject_of("maria"), *asked)
    expected = {
        "identity.given_name": "Maria",
        "identity.family_name": "Santos Lind",
        "identity.full_name": "Maria Santos Lind",
        "identity.birth_date": "1988-03-14",
        "identity.sex": "2",
        "address.registered": {
            "street_address": "Harbour Street 12",
            "postal_code": "1042",
            "locality": "Norr",
            "country": "XN",
        },
        "address.municipality": "0110",
        "address.since": "2019-08-01",
        "family.custody": [
            {"given_name": "Elias", "family_name": "Santos Lind", "birth_date": "2017-05-30", "custody": "joint"},
            {"given_name": "Noor", "family_name": "Santos Lind", "birth_date": "2021-11-08", "custody": "joint"},
        ],
    }
    assert set(found) == set(expected)
    for attribute, value in expected.items():
        assert holds(found[attribute], value), attribute
        one = found[attribute]
        assert (one.source, one.as_of, one.retrieved_at) == ("population", "2026-11-21", NOW)


@pytest.mark.parametrize(
    ("persona", "attribute", "status", "value"),
    [
        ("single-name", "identity.family_name", "not_applicable", None),
        ("single-name", "identity.given_name", "provided", "Thiri"),
        ("single-name", "identity.full_name", "provided", "Thiri"),
        ("apostrophes", "identity.family_name", "provided", "O\u2019Neill-D'Arcy"),
        ("four-names", "identity.given_name", "provided", "Anna Karin Elisabet Margareta"),
        ("year-only", "identity.birth_date", "provided", "1984"),
        ("year-month", "identity.birth_date", "provided", "1972-09"),
        ("leap-day", "identity.birth_date", "provided", "1992-02-29"),
        ("arabic", "identity.given_name", "provided", "ليلى عبد الرحمن"),
        ("chinese", "identity.full_name", "provided", "欧阳小明"),
        ("markup", "identity.family_name", "provided", "Tables'); DROP TABLE person;--"),
        ("null", "identity.family_name", "provided", "Null"),
        ("garbled", "identity.birth_date", "source_unavailable", None),
        ("no-record", "identity.given_name", "not_held", None),
        ("no-record", "family.custody", "not_held", None),
        ("no-children", "family.custody", "not_held", None),
        ("no-address", "address.registered", "not_held", None),
        ("abroad", "address.municipality", "not_held", None),
        ("locality-only", "address.registered", "provided", {"locality": "Norr", "country": "XN"}),
        ("protected", "address.registered", "withheld", None),
        ("protected", "address.municipality", "withheld", None),
        ("protected", "address.since", "withheld", None),
        ("protected", "address.protected", "provided", True),
        ("protected", "family.custody", "withheld", None),
        ("protected", "identity.given_name", "provided", "Nora"),
        ("protected-child", "family.custody", "withheld", None),
        ("maria", "address.protected", "provided", False),
        ("maria", "identity.deceased", "provided", False),
        ("maria", "identity.person_number", "provided", "9000000103"),
    ],
)
def test_awkward_people(
    register: SqlSource, subject_of: Of, holds: Holds, persona: str, attribute: str, status: str, value: Any
) -> None:
    found = ask(register, subject_of(persona), attribute)[attribute]
    assert found.status == status
    assert value is None or holds(found, value)
    if status in ("withheld", "source_unavailable"):
        assert found.as_of is None


def test_names_of_any_length_and_many_children(register: SqlSource, subject_of: Of, holds: Holds) -> None:
    long = ask(register, subject_of("very-long"), *NAMES)
    assert {one.status for one in long.values()} == {"provided"}
    many = ask(register, subject_of("many-children"), "family.custody")
    assert many["family.custody"].status == "provided"


def test_an_unreadable_item_leaves_the_others_of_its_view(register: SqlSource, subject_of: Of) -> None:
    found = ask(register, subject_of("garbled"), *NAMES)
    assert {one.status for name, one in found.items() if name != "identity.birth_date"} == {"provided"}


@pytest.mark.parametrize("attribute", ["identity.given_name", "address.registered", "identity.deceased"])
def test_the_dead_are_not_eligible(register: SqlSource, subject_of: Of, attribute: str) -> None:
    found = ask(register, subject_of("deceased"), attribute, "identity.birth_date")
    assert not found.eligible
    assert {one.value for one in found.values()} == {None}
    assert set(found) == {attribute, "identity.birth_date"}


def test_a_date_of_its_own_is_kept(register: SqlSource, subject_of: Of) -> None:
    assert ask(register, subject_of("stale"), "address.registered")["address.registered"].as_of == "2026-02-01"


@pytest.mark.parametrize("number", ["' OR '1'='1", "9000000103' --", "%", "9000000103; DROP TABLE person"])
def test_a_person_number_is_a_parameter_and_never_part_of_the_query(register: SqlSource, number: str) -> None:
    found = ask(register, Subject("x", number, {}), "identity.given_name")
    assert found["identity.given_name"].status == "not_held"


def test_without_a_person_number_nothing_is_asked(check: Check) -> None:
    source = made("sqlite:////nowhere/at/all.db", check)
    assert ask(source, Subject("x", None, {}), "identity.given_name")["identity.given_name"].status == "not_held"
    close(source)


def made(url: str, check: Check, **view: Any) -> SqlSource:
    whole = {"view": "shown", "person": "id", "attributes": {"identity.given_name": "name"}, **view}
    declared = Declaration.model_validate({"connector": "sql", "url": url, "seconds": 0.5, "views": [whole]})
    return SqlSource("made", declared, check)


def sqlite_file(folder: Path, script: str) -> str:
    path = folder / "other.db"
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()
    return f"sqlite:///{path}"


ONE = "CREATE TABLE shown (id TEXT, name TEXT, gone INTEGER); INSERT INTO shown VALUES ('1', 'A', 0), ('2', 'B', 0), ('2', 'C', 0);"
SECRET = Subject("p", "1", {})


def test_a_missing_file_is_unavailable_and_stays_missing(tmp_path: Path, check: Check) -> None:
    source = made(f"sqlite:///{tmp_path}/missing.db", check)
    with pytest.raises(SourceUnavailable, match="no connection") as refused:
        ask(source, SECRET, "identity.given_name")
    close(source)
    assert refused.value.__cause__ is None
    assert not (tmp_path / "missing.db").exists()


def test_a_missing_view_costs_its_own_attributes(tmp_path: Path, check: Check) -> None:
    views = [
        {"view": "absent", "person": "id", "attributes": {"identity.family_name": "name"}},
        {"view": "shown", "person": "id", "attributes": {"identity.given_name": "name"}},
    ]
    declared = Declaration.model_validate({"connector": "sql", "url": sqlite_file(tmp_path, ONE), "views": views})
    source = SqlSource("made", declared, check)
    found = ask(source, SECRET, "identity.family_name", "identity.given_name")
    close(source)
    assert {name: one.status for name, one in found.items()} == {
        "identity.family_name": "source_unavailable",
        "identity.given_name": "provided",
    }


def test_two_rows_where_one_may_be_are_nobodys_answer(tmp_path: Path, check: Check) -> None:
    source = made(sqlite_file(tmp_path, ONE), check)
    assert (
        ask(source, Subject("p", "2", {}), "identity.given_name")["identity.given_name"].status == "source_unavailable"
    )
    close(source)


def test_a_flag_that_is_none_is_not_taken_for_alive(tmp_path: Path, check: Check) -> None:
    script = "CREATE TABLE shown (id TEXT, name TEXT, gone TEXT); INSERT INTO shown VALUES ('1', 'A', 'yes');"
    source = made(sqlite_file(tmp_path, script), check, deceased="gone")
    assert ask(source, SECRET, "identity.given_name")["identity.given_name"].status == "source_unavailable"
    close(source)


ENDLESS = """CREATE VIEW shown AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
             SELECT '1' AS id, i AS name FROM n WHERE i < 0;"""


def test_a_query_without_end_is_stopped_by_its_clock(tmp_path: Path, check: Check) -> None:
    source = made(sqlite_file(tmp_path, ENDLESS), check)

    async def run() -> None:
        with pytest.raises(SourceUnavailable, match="no answer"):
            await source.fetch(SECRET, frozenset({"identity.given_name"}), phase="preview", reference="r", now=NOW)

    asyncio.run(run())
    close(source)


def test_connections_cannot_write(tmp_path: Path, check: Check) -> None:
    source = made(sqlite_file(tmp_path, ONE), check)
    with source._engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(text("INSERT INTO shown VALUES ('9', 'X', 0)"))
    close(source)


def test_the_same_on_the_database_under_test(database_url: str, check: Check, holds: Holds) -> None:
    """PostgreSQL when the suite runs on it: views, days as dates, no writing, no query beyond its time."""
    engine = create_engine(database_url)
    with engine.begin() as tx:
        tx.execute(text("CREATE TABLE person (id TEXT, name TEXT, said DATE)"))
        tx.execute(text("INSERT INTO person VALUES ('1', 'A', '2026-03-12')"))
        tx.execute(text("CREATE VIEW shown AS SELECT id, name, CAST(said AS TEXT) AS said FROM person"))
    source = made(database_url, check, as_of="said")
    found = ask(source, SECRET, "identity.given_name")["identity.given_name"]
    assert holds(found, "A")
    assert found.as_of == "2026-03-12"
    with source._engine.connect() as connection, pytest.raises(Exception, match=r"read.?only"):
        connection.execute(text("INSERT INTO person VALUES ('9', 'X', NULL)"))
    if engine.dialect.name == "postgresql":
        with source._engine.connect() as connection, pytest.raises(Exception, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(5)"))
    close(source)
    engine.dispose()


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://x/y", "${register.population}"])
def test_an_address_that_is_none_is_a_bad_declaration(url: str, check: Check) -> None:
    with pytest.raises(BadDeclaration, match=r"made\.toml: url"):
        made(url, check)


@pytest.mark.parametrize("name", ["x; DROP", "x y", 'x"', "", "1x", "a.b"])
def test_names_in_the_database_are_names(name: str, check: Check) -> None:
    with pytest.raises(ValueError, match="view"):
        made("sqlite://", check, view=name)
