"""Statements that come again: the same rows, the same errors, the same changes as by SQLAlchemy's own way."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Executable,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from broker import prepared
from broker.database import Database, Tx
from broker.prepared import Rows

metadata = MetaData()
thing = Table(
    "thing",
    metadata,
    Column("name", String, primary_key=True),
    Column("box", LargeBinary),
    Column("number", BigInteger),
    Column("colour", String, default="grey"),
)
row, OTHER = thing.c, thing.alias("other")
ROW = {"name": "a", "box": b"\x00\xff", "number": 2**40, "colour": "red"}
_of = row.name == bindparam("of")

# fmt: off
PLAIN: dict[str, tuple[Executable, dict[str, Any], Callable[[Any], object]]] = {
    "a row":                    (select(thing).where(_of), {"of": "a"}, lambda r: r.first()._mapping),
    "no row":                   (select(thing).where(_of), {"of": "b"}, lambda r: r.one_or_none()),
    "by attribute":             (select(row.box, row.number).where(_of), {"of": "a"}, lambda r: (found := r.one()).box + bytes([found.number % 7])),
    "mappings":                 (select(thing), {}, lambda r: [dict(one) for one in r.mappings()]),
    "scalars":                  (select(row.name), {}, lambda r: r.scalars().all()),
    "a count":                  (select(func.count()).select_from(thing), {}, lambda r: r.scalar_one()),
    "a value of its own":       (select(row.name).where(row.number > 5, row.colour != "blue"), {}, lambda r: r.all()),
    "a truth":                  (select(select(row.name).where(_of).exists().label("there")), {"of": "a"}, lambda r: r.scalar_one()),
    "two of a name":            (select(row.name, OTHER.c.name).where(row.name == OTHER.c.name), {}, lambda r: [tuple(one) for one in r]),
    "nothing given":            (select(row.number).where(row.number == bindparam("n", 2**40)), {}, lambda r: r.scalar_one()),
    "something given":          (select(row.number).where(row.number == bindparam("n", 2**40)), {"n": 5}, lambda r: r.scalar_one_or_none()),
    "an insert":                (insert(thing), {"name": "c", "box": b"", "number": None, "colour": "c"}, lambda r: None),
    "an update":                (update(thing).where(_of).values(number=bindparam("to")), {"of": "a", "to": 3}, lambda r: r.rowcount),
    "an update of what is not": (update(thing).where(_of).values(number=1), {"of": "z"}, lambda r: r.rowcount),
    "an update that tells":     (update(thing).where(_of).values(colour="x").returning(row.colour), {"of": "a"}, lambda r: r.all()),
    "a delete":                 (delete(thing).where(_of), {"of": "a"}, lambda r: r.rowcount),
    "text":                     (text("SELECT name, number FROM thing WHERE name = :of"), {"of": "a"}, lambda r: r.first().number),
    "text that tells":          (text("DELETE FROM thing WHERE name = :of RETURNING box"), {"of": "a"}, lambda r: r.scalar_one()),
    "text without an answer":   (text("DELETE FROM thing"), {}, lambda r: r.rowcount),
}
NOT_PLAIN: dict[str, tuple[Executable, Any]] = {
    "a list":                   (select(row.name).where(row.name.in_(bindparam("some", expanding=True))), {"some": ["a", "b"]}),
    "a list of its own":        (select(row.name).where(row.name.in_(("a", "b"))), {}),
    "many rows":                (insert(thing), [{"name": n, "box": b"", "number": 1, "colour": ""} for n in "xyz"]),
    "a default":                (insert(thing), {"name": "d", "box": b"", "number": 1}),
    "a value made by Python":   (select(row.name).where(row.name == bindparam("of", callable_=lambda: "a")), {}),
    "options":                  (select(row.name).execution_options(preserve_rowcount=True), {}),
}
# fmt: on


@pytest.fixture
def things(database_url: str) -> Any:
    made = Database.open(database_url)
    made.create(metadata)
    with made.write() as tx:
        tx.execute(insert(thing).values(**ROW))
    yield made
    made.close()


class Undone(Exception):
    """So that each use finds the same rows."""


def undone(things: Database, act: Callable[[Tx], Any]) -> Any:
    """What an act gives, taken back afterwards."""
    answers = []

    def run() -> None:
        with things.write() as tx:
            answers.append(act(tx))
            raise Undone

    with pytest.raises(Undone):
        run()
    return answers[0]


def told(
    things: Database, statement: Executable, parameters: Any, read: Callable[[Any], object]
) -> tuple[type, object]:
    """What one use gives, and in which form."""

    def act(tx: Tx) -> tuple[type, object]:
        result = tx.execute(statement, parameters)
        return type(result), read(result)

    return undone(things, act)  # type: ignore[no-any-return]  # as act


@pytest.mark.parametrize("name", PLAIN)
def test_the_same_as_the_ordinary_way(things: Database, name: str) -> None:
    statement, parameters, read = PLAIN[name]
    prepared._known.pop(statement, None)
    ordinary, first = told(things, statement, parameters, read)
    again = [told(things, statement, parameters, read) for _ in range(3)]
    assert ordinary is not Rows
    assert again == [(Rows, first)] * 3


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_goes_the_ordinary_way(things: Database, name: str) -> None:
    statement, parameters = NOT_PLAIN[name]
    assert Rows not in {told(things, statement, parameters, lambda r: None)[0] for _ in range(3)}


def test_other_parameters_are_another_form(things: Database) -> None:
    statement = insert(thing)
    whole = {"name": "e", "box": b"", "number": 1, "colour": "c"}
    for _ in range(3):
        told(things, statement, whole, lambda r: r.rowcount)
    part = {"name": "e", "number": 1, "colour": "c"}

    def stored(tx: Tx) -> Any:
        tx.execute(statement, part)
        return tx.execute(select(row.box).where(row.name == "e")).scalar_one()

    assert [undone(things, stored) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize(
    ("statement", "parameters", "error"),
    [
        (insert(thing), ROW, IntegrityError),
        (text("SELECT nothing FROM thing WHERE name = :of"), {"of": "a"}, (OperationalError, ProgrammingError)),
    ],
)
def test_errors_are_sqlalchemys(things: Database, statement: Executable, parameters: Any, error: Any) -> None:
    for _ in range(3):
        with pytest.raises(error), things.write() as tx:
            tx.execute(statement, parameters)
    with things.read() as tx:
        assert tx.execute(select(func.count()).select_from(thing)).scalar_one() == 1


def test_a_connection_that_is_gone_is_replaced(things: Database) -> None:
    statement = select(row.name)

    def gone() -> None:
        with things.read() as tx:
            tx.execute(statement)
            tx.connection.driver_connection.close()  # type: ignore[union-attr]  # there is one
            tx.execute(statement)

    for _ in range(3):
        with pytest.raises(DBAPIError):
            gone()
        with things.read() as tx:
            assert tx.execute(statement).scalar_one() == "a"


def test_who_listens_hears_each_use(things: Database) -> None:
    statement, heard = select(row.name), list[str]()
    with things.read() as tx:
        for _ in range(2):
            tx.execute(statement)

        def hear(_tx: Tx, _cursor: Any, said: str, *_more: Any) -> None:
            heard.append(said)

        event.listen(tx.engine, "before_cursor_execute", hear)
        try:
            tx.execute(statement)
        finally:
            event.remove(tx.engine, "before_cursor_execute", hear)
        assert len(heard) == 1
        assert isinstance(tx.execute(statement), Rows)


def test_what_is_built_for_one_use_is_forgotten(things: Database) -> None:
    gc.collect()
    known = len(prepared._known)
    with things.read() as tx:
        for n in range(50):
            tx.execute(select(literal(n)))
    gc.collect()
    assert len(prepared._known) <= known + 1
