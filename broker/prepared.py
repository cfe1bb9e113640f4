"""Statements that are executed again and again, without what SQLAlchemy finds out anew each time.

The statements of the hot paths are built once, as constants of their modules. From its second use on one is kept as text with
the order of its parameters, and goes to the driver as it is: that is two thirds of what executing it costs. A statement that is
not that plain (a list in a parameter, many rows, defaults of columns, somebody listening) goes SQLAlchemy's way, and so does
one built for a single use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Engine, Executable
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Processor = Callable[[Any], Any]
Form = tuple[str, ...]  # the dialect's name, and the names of the parameters that are given


class Rows(IteratorResult[Any]):
    """What a plain statement gave: the rows, as any result has them, and how many it changed."""

    def __init__(self, columns: SimpleResultMetaData, rows: Sequence[Any], rowcount: int) -> None:
        super().__init__(columns, iter(rows))
        self.rowcount = rowcount


@dataclass(frozen=True)
class Plain:
    """A statement as its driver takes it.

    `given` are the parameters (name in the text, name for the caller, processor), `fixed` the values it has of its own;
    `order` is that of drivers that count parameters, None of those that name them. `columns` is
    None where only the driver knows: of a statement written as text.
    """

    text: str
    given: tuple[tuple[str, str, Processor | None], ...]
    fixed: Mapping[str, Any]
    order: tuple[str, ...] | None
    columns: SimpleResultMetaData | None
    processors: tuple[Processor | None, ...] | None

    def run(self, tx: Connection, parameters: Mapping[str, Any]) -> Rows:
        """Execute it; raises what SQLAlchemy raises."""
        values: Any = {
            name: parameters[key] if process is None else process(parameters[key]) for name, key, process in self.given
        }
        values |= self.fixed
        if self.order is not None:
            values = tuple([values[name] for name in self.order])
        cursor = None
        try:
            cursor = tx.connection.cursor()
            cursor.execute(self.text, values)
            columns = self.columns if self.columns is not None else _described(cursor)
            rows = cursor.fetchall() if columns is not _NONE else []
            changed = cursor.rowcount
            cursor.close()
        except BaseException as problem:  # noqa: BLE001 - raised again in SQLAlchemy's own form
            tx._handle_dbapi_exception(problem, self.text, values, cursor, None)  # noqa: SLF001 - as its own executions do
        if self.processors is not None:
            rows = [
                tuple([v if p is None else p(v) for p, v in zip(self.processors, row, strict=True)]) for row in rows
            ]
        return Rows(columns, rows, changed)


def _described(cursor: Any) -> SimpleResultMetaData:
    """Give the columns that a statement turned out to have."""
    described = cursor.description
    return _NONE if described is None else SimpleResultMetaData([one[0] for one in described])


_NONE = SimpleResultMetaData(())
_ONCE = Plain("", (), {}, None, None, None)  # a form that was used once so far
_known: WeakKeyDictionary[Executable, dict[Form, Plain | None]] = WeakKeyDictionary()


class Preparing(Connection):
    """A connection on which statements that come again are plain ones."""

    def execute(self, statement: Executable, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute as `Connection.execute` does; only a result with columns has more to it than rows."""
        if execution_options is None and self.in_transaction() and not _heard(self):
            plain = _plain(self.dialect, statement, parameters)
            if plain is not None:
                return plain.run(self, parameters or {})
        return super().execute(statement, parameters, execution_options=execution_options)


def install(engine: Engine) -> None:
    """Have an engine give such connections."""
    engine._connection_cls = Preparing  # noqa: SLF001 - SQLAlchemy's own seam for it


def _heard(connection: Connection) -> bool:
    """Whether somebody listens to the executions of this connection."""
    return bool(connection.dispatch.before_cursor_execute or connection.engine.dispatch.before_cursor_execute)


def _plain(dialect: Dialect, statement: Executable, parameters: Any) -> Plain | None:
    """Give the kept form of a statement; None at its first use, and for one that is not plain."""
    if parameters is not None and not isinstance(parameters, dict):
        return None
    form = (dialect.name, *(parameters or ()))
    forms = _known.get(statement)
    if forms is None:
        forms = _known[statement] = {}
    if form not in forms:
        forms[form] = _ONCE
        return None
    if forms[form] is _ONCE:
        forms[form] = _prepared(dialect, statement, form[1:])
    return forms[form]


def _prepared(dialect: Dialect, statement: Executable, names: Sequence[str]) -> Plain | None:
    if not isinstance(statement, ClauseElement) or statement.get_execution_options():
        return None
    made = statement.compile(dialect=dialect, column_keys=list(names) or None)
    if not isinstance(made, SQLCompiler) or not _is_simple(made):
        return None
    processors = made._bind_processors  # noqa: SLF001 - what executing would use
    given, fixed = [], {}
    for bind, name in made.bind_names.items():
        process: Any = processors.get(name)
        if bind.key in names:
            given.append((name, bind.key, process))
        elif bind.required or bind.callable is not None:
            return None
        else:
            fixed[name] = bind.value if process is None else process(bind.value)
    columns = made._result_columns  # noqa: SLF001 - what the result would be made of
    readers = tuple(one.type._cached_result_processor(dialect, None) for one in columns)  # noqa: SLF001 - the same
    return Plain(
        made.string,
        tuple(given),
        fixed,
        tuple(made.positiontup or ()) if made.positional else None,
        None if made.isplaintext else SimpleResultMetaData([one.keyname for one in columns]) if columns else _NONE,
        readers if any(readers) else None,
    )


def _is_simple(made: SQLCompiler) -> bool:
    """Whether the text is the same at every use, and nothing is filled in by Python."""
    unlike = (made.post_compile_params, made.literal_execute_params, made.escaped_bind_names)
    filled = made.isinsert and made.insert_prefetch, made.isupdate and made.update_prefetch
    return not any(unlike) and not any(filled)
