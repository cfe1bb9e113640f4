"""Proof that nothing was written: every row of every table before and after, but for tables that must have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from broker.database import Database
from tests.databases import METADATAS


def everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table, in no order."""
    with database.read() as tx:
        return {
            table.name: sorted(repr(tuple(row)) for row in tx.execute(select(table)))
            for metadata in METADATAS
            for table in metadata.sorted_tables
        }


def changes(before: dict[str, list[str]], after: dict[str, list[str]]) -> set[str]:
    """The tables that are not as they were."""
    return {name for name, rows in after.items() if rows != before[name]}


@contextmanager
def untouched(database: Database, *but: str) -> Iterator[None]:
    """Nothing in the database changes in this block, but in the tables named, and in each of those something does."""
    before: Any = everything(database)
    yield
    assert changes(before, everything(database)) == set(but)
