"""What has expired is forgotten, what has not stays."""

import pytest
from sqlalchemy import func, insert, select, update

from broker import cleanup, tables
from broker.database import Database
from tests.conftest import POSTGRESQL

HOUR = 3600 * 1_000_000


def count(database: Database, table: str) -> int:
    with database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.metadata.tables[table])).scalar_one())


def test_expired_rows_go_and_live_ones_stay(database: Database, now: int) -> None:
    with database.write() as tx:
        for name, expires in (("old", now), ("new", now + 1)):
            tx.execute(insert(tables.replay).values(kind="t", id_hash=name.encode(), expires=expires))
            tx.execute(
                insert(tables.sealed_row).values(row_id=name, person=b"", found=b"", day="2026-11-21", expires=expires)
            )
            for holder in (b"a", b"b"):
                tx.execute(insert(tables.sealed_for).values(row_id=name, public=name.encode() + holder, box=b""))
            tx.execute(
                insert(tables.token_family).values(
                    family=name, permission_id="p", client_id="c", created=0, expires=expires
                )
            )
    with database.write() as tx:
        cleanup.sweep(tx, now)
    assert {table: count(database, table) for table in ("replay", "sealed_row", "sealed_for", "token_family")} == {
        "replay": 1,
        "sealed_row": 1,
        "sealed_for": 2,
        "token_family": 1,
    }
    with database.read() as tx:
        assert tx.execute(select(tables.sealed_row.c.row_id)).scalar_one() == "new"


def test_a_row_that_still_has_a_holder_is_not_orphaned(database: Database, now: int) -> None:
    """More rows than one sweep takes: boxes and rows go together, over as many sweeps as it needs."""
    with database.write() as tx:
        rows = [
            {"row_id": f"r{i}", "person": b"", "found": b"", "day": "2026-11-21", "expires": now, "released": 0}
            for i in range(cleanup.ROWS + 5)
        ]
        tx.execute(insert(tables.sealed_row), rows)
        tx.execute(insert(tables.sealed_for), [{"row_id": r["row_id"], "public": b"p", "box": b""} for r in rows])
    for left in (5, 0):
        with database.write() as tx:
            cleanup.sweep(tx, now)
        assert count(database, "sealed_row") == count(database, "sealed_for") == left


@pytest.mark.skipif(not POSTGRESQL, reason="on SQLite nobody writes beside the sweep")
def test_what_is_extended_while_the_sweep_runs_stays_whole(database: Database, database_url: str, now: int) -> None:
    other = Database.open(database_url)
    with database.write() as tx:
        tx.execute(insert(tables.sealed_row).values(row_id="r", person=b"", found=b"", day="2026-11-21", expires=now))
        tx.execute(insert(tables.sealed_for).values(row_id="r", public=b"a", box=b""))
        family = {"family": "f", "permission_id": "p", "client_id": "c", "created": 0, "expires": now}
        tx.execute(insert(tables.token_family).values(**family))
    with other.write() as extending:
        for table in (tables.sealed_row, tables.token_family):
            extending.execute(update(table).values(expires=now + HOUR))
        with database.write() as tx:
            cleanup.sweep(tx, now)
    other.close()
    assert {table: count(database, table) for table in ("sealed_row", "sealed_for", "token_family")} == {
        "sealed_row": 1,
        "sealed_for": 1,
        "token_family": 1,
    }
