"""Connector `sql`: a register's database by any SQLAlchemy URL, read-only, one view a bundle, parameters bound."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import (
    ColumnClause,
    Connection,
    Engine,
    RowMapping,
    Select,
    bindparam,
    column,
    create_engine,
    event,
    select,
    table,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from broker.evidence.answer import Malformed, day, flag, plain, sealed
from broker.evidence.source import Check, Evidence, Found, Phase, SourceUnavailable, Subject, without_value
from consent.declarations import Declared, Id
from consent.errors import BadDeclaration

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]

CONNECTIONS = 4
STEPS = 20_000
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}
"""Said on every new connection; PostgreSQL is told when connecting; for other databases the role must see to it."""


class Cells(Declared):
    """Where an attribute stands in the view: one column, or several as the members of an object.

    `flag`: the column is a yes or no. `not_applicable`: the column that says there is no such thing for this person.
    """

    column: Name | None = None
    columns: dict[Name, Name] = Field(default_factory=dict)
    flag: bool = False
    not_applicable: Name | None = None
    even_if_protected: bool = False


class View(Declared):
    """One view. `many`: each row is one member of a list; otherwise a person has one row at most."""

    view: Name
    schema_name: Name | None = Field(default=None, alias="schema")
    person: Name
    as_of: Name | None = None
    deceased: Name | None = None
    protected: Name | None = None
    many: bool = False
    attributes: dict[Id, Name | Cells]

    def cells(self, attribute: str) -> Cells:
        """The attribute's place, also where only a column was written."""
        declared = self.attributes[attribute]
        return declared if isinstance(declared, Cells) else Cells(column=declared)


class Declaration(Declared):
    """`openid-config/sources/<id>.toml` with `connector = "sql"`. `seconds`: for all the views of one question."""

    connector: Literal["sql"]
    url: str
    seconds: float = Field(default=4.0, gt=0, le=7.0)
    max_rows: int = Field(default=100, gt=0, le=1000)
    views: list[View]

    @property
    def attributes(self) -> list[str]:
        """Every attribute of every view, one named twice twice."""
        return [attribute for view in self.views for attribute in view.attributes]


class SqlSource:
    """Asks in threads of its own: a database that hangs holds nobody but its own next questions."""

    def __init__(self, name: str, declared: Declaration, check: Check) -> None:
        self._name, self._declared, self._check = name, declared, check
        self._engine = _engine(name, declared)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix=f"source-{name}")

    @property
    def id(self) -> str:
        """The file's name."""
        return self._name

    async def fetch(
        self,
        subject: Subject,
        attributes: frozenset[str],
        *,
        phase: Phase,  # noqa: ARG002 - a database cannot be told why it is asked
        reference: str,  # noqa: ARG002 - nor for whom
        now: int,
    ) -> Evidence:
        """Ask the views that hold these attributes. A view that fails costs its own; when none answers it raises."""
        if subject.person_number is None:
            return Evidence(without_value(sorted(attributes), "not_held", self.id, now))
        loop = asyncio.get_running_loop()
        end = loop.time() + self._declared.seconds
        number = subject.person_number
        return await loop.run_in_executor(
            self._threads, lambda: self._ask(number, attributes, now, lambda: loop.time() > end)
        )

    async def aclose(self) -> None:
        """Close the connections; questions still running end by their own clock."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    def _ask(self, number: str, attributes: frozenset[str], now: int, over: Callable[[], bool]) -> Evidence:
        found: list[Found] = []
        eligible = answered = True
        try:
            with self._engine.connect() as connection:
                for view in self._declared.views:
                    wanted = sorted(attributes & view.attributes.keys())
                    if not wanted:
                        continue
                    rows = self._rows(connection, view, wanted, number, over)
                    if rows is None:
                        answered = False
                        found += without_value(wanted, "source_unavailable", self.id, now)
                    else:
                        answers, alive = self._found(view, wanted, rows, now)
                        found, eligible = found + answers, eligible and alive
        except SQLAlchemyError:
            raise SourceUnavailable("no connection") from None
        if not answered and all(one.status == "source_unavailable" for one in found):
            raise SourceUnavailable("no answer")
        if not eligible:
            return Evidence(without_value(sorted(attributes), "not_held", self.id, now), eligible=False)
        return Evidence(found)

    def _found(self, view: View, wanted: list[str], rows: Sequence[RowMapping], now: int) -> tuple[list[Found], bool]:
        if not rows:
            return without_value(wanted, "not_held", self.id, now), True
        if len(rows) > self._most(view):
            return without_value(wanted, "source_unavailable", self.id, now), True
        try:
            alive = not any(flag(row[view.deceased]) for row in rows if view.deceased)
            hidden = any(flag(row[view.protected]) for row in rows if view.protected)
            as_of = max((said for row in rows if view.as_of and (said := day(row[view.as_of], now))), default=None)
            if not alive:
                return [], False
            return [self._one(view, one, rows, hidden=hidden, as_of=as_of, now=now) for one in wanted], True
        except Malformed:
            return without_value(wanted, "source_unavailable", self.id, now), True

    def _one(
        self, view: View, attribute: str, rows: Sequence[RowMapping], *, hidden: bool, as_of: str | None, now: int
    ) -> Found:
        cells = view.cells(attribute)
        if hidden and not cells.even_if_protected:
            return Found(attribute, "withheld", None, self.id, None, now)
        if cells.not_applicable and flag(rows[0][cells.not_applicable]):
            return Found(attribute, "not_applicable", None, self.id, as_of, now)
        read = _reader(cells, rows, many=view.many)
        return sealed(attribute, read, check=self._check, source=self.id, as_of=as_of, now=now)

    def _most(self, view: View) -> int:
        return self._declared.max_rows if view.many else 1

    def _rows(
        self, connection: Connection, view: View, wanted: list[str], number: str, over: Callable[[], bool]
    ) -> Sequence[RowMapping] | None:
        """The view's rows of one person, one more than there may be at most; None when it fails or time is over."""
        if over():
            return None
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101 - for the type checker; a checked-out connection has its driver's
            driver.set_progress_handler(over, STEPS)
        needed = {name for name in (view.as_of, view.deceased, view.protected) if name}
        for attribute in wanted:
            cells = view.cells(attribute)
            needed |= {*cells.columns.values(), *filter(None, (cells.column, cells.not_applicable))}
        from_view = table(view.view, schema=view.schema_name)
        columns: list[ColumnClause[Any]] = [column(name) for name in sorted(needed)]
        query: Select[Any] = select(*columns).select_from(from_view).order_by(*columns).limit(self._most(view) + 1)
        query = query.where(column(view.person) == bindparam("person", number))
        try:
            return connection.execute(query).mappings().all()
        except SQLAlchemyError:
            connection.rollback()
            return None


def _reader(cells: Cells, rows: Sequence[RowMapping], *, many: bool) -> Callable[[], Any]:
    def one(row: RowMapping) -> Any:
        if cells.column is not None:
            return flag(row[cells.column]) if cells.flag else plain(row[cells.column])
        members = {member: plain(row[name]) for member, name in cells.columns.items()}
        return {member: value for member, value in members.items() if value is not None} or None

    def read() -> Any:
        return [value for row in rows if (value := one(row)) is not None] or None if many else one(rows[0])

    return read


def _engine(name: str, declared: Declaration) -> Engine:
    try:
        url = _read_only(make_url(declared.url))
        engine = create_engine(
            url,
            connect_args=_arguments(url, declared.seconds),
            hide_parameters=True,
            poolclass=QueuePool,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=1,
            pool_pre_ping=True,
        )
    except (ArgumentError, ImportError):
        raise BadDeclaration(f"{name}.toml: url: not a database address, or its driver is missing") from None
    statement = READ_ONLY.get(url.get_backend_name())

    @event.listens_for(engine, "connect")
    def told(driver: Any, _record: object) -> None:
        if statement:
            cursor = driver.cursor()
            cursor.execute(statement)
            cursor.close()

    return engine


def _read_only(url: URL) -> URL:
    """An SQLite file is opened, never made, and not for writing; other addresses stay as they are."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith("file:"):
        return url
    path = url.database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})


def _arguments(url: URL, seconds: float) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": seconds}
    if url.drivername == "postgresql+psycopg":
        limits = f"-c default_transaction_read_only=on -c statement_timeout={int(seconds * 1000)}"
        return {"connect_timeout": 2, "options": limits}
    return {}
