"""Short transactions: committed on leaving, gone on an exception, refused where a commit would not be kept."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from broker import database as databases
from broker.database import Database, UnsafeDatabase
from tests.conftest import POSTGRESQL

of_sqlite = pytest.mark.skipif(bool(POSTGRESQL), reason="a property of SQLite")
of_postgresql = pytest.mark.skipif(not POSTGRESQL, reason="a property of PostgreSQL")


def names(database: Database) -> list[str]:
    with database.read() as tx:
        return [row.n for row in tx.execute(text("SELECT n FROM thing ORDER BY n"))]


@pytest.fixture
def things(database_url: str) -> Iterator[Database]:
    made = Database.open(database_url)
    with made.write() as tx:
        tx.execute(text("CREATE TABLE thing (n TEXT PRIMARY KEY)"))
    yield made
    made.close()


@of_sqlite
def test_nobody_else_on_the_machine_reads_the_file(things: Database, tmp_path: Path) -> None:
    assert names(things) == []
    files = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("semel.db*")}
    assert files.keys() == {"semel.db", "semel.db-wal", "semel.db-shm"}
    assert set(files.values()) == {0}


@pytest.mark.parametrize("how", ["write", "committing"])
def test_what_leaves_the_block_is_committed_and_what_raises_is_not(things: Database, how: str) -> None:
    with getattr(things, how)() as tx:
        tx.execute(text("INSERT INTO thing VALUES ('kept')"))
    with pytest.raises(IntegrityError), getattr(things, how)() as tx:
        [tx.execute(text("INSERT INTO thing VALUES (:n)"), {"n": n}) for n in ("lost", "kept")]
    assert names(things) == ["kept"]
    with getattr(things, how)() as tx:
        tx.execute(text("INSERT INTO thing VALUES ('after')"))
    assert names(things) == ["after", "kept"]


def test_a_transaction_sees_nothing_of_one_that_is_open(things: Database, database_url: str) -> None:
    other = Database.open(database_url)
    with things.write() as tx:
        tx.execute(text("INSERT INTO thing VALUES ('x')"))
        assert names(other) == []
    assert names(other) == ["x"]
    other.close()


@pytest.mark.parametrize("how", ["read", "write", "committing"])
def test_reading_inside_a_transaction_is_a_part_of_it(things: Database, how: str) -> None:
    """With one connection a process, a second one would be waited for by the first until it gives up."""
    with getattr(things, how)() as tx:
        if how != "read":
            tx.execute(text("INSERT INTO thing VALUES ('x')"))
        with things.read() as inner:
            assert inner is tx
        assert names(things) == ([] if how == "read" else ["x"])
    with things.read() as after:
        assert after is not tx


@of_sqlite
def test_the_one_writing_connection_is_held_by_one_block_at_a_time(things: Database) -> None:
    held, order = threading.Event(), []

    def second() -> None:
        held.wait()
        with things.write():
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    with things.committing():
        held.set()
        waiting.join(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


@of_postgresql
def test_a_request_waits_a_moment_for_a_lock_and_no_longer(things: Database) -> None:
    with things.committing() as tx:
        tx.execute(text("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(OperationalError) as problem, things.write() as other:
            other.execute(text("INSERT INTO thing VALUES ('x')"))
    assert isinstance(problem.value.orig, psycopg.errors.LockNotAvailable)


@of_sqlite
def test_reading_cannot_write_on_sqlite(things: Database) -> None:
    with pytest.raises(OperationalError, match="readonly"), things.read() as tx:
        tx.execute(text("INSERT INTO thing VALUES ('x')"))


PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
    "wal_autocheckpoint": databases.FOLD_PAGES,
}
SESSION = {
    "lock_timeout": "100ms",
    "statement_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
    "synchronous_commit": "on",
    "transaction_isolation": "read committed",
}


def test_a_writing_session_is_set_up_as_promised(things: Database) -> None:
    with things.write() as tx:
        if things.dialect == "sqlite":
            found = {name: tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in PRAGMAS}
            assert found == PRAGMAS
        else:
            found = {name: tx.execute(text(f"SHOW {name}")).scalar_one() for name in SESSION}
            assert found == SESSION


@of_postgresql
def test_the_committer_is_never_cut_off(things: Database) -> None:
    """It holds the ledger's lock for everybody: a timeout in the middle would fail a whole batch."""
    with things.committing() as tx:
        assert tx.execute(text("SHOW statement_timeout")).scalar_one() == "0"
        assert tx.execute(text("SHOW lock_timeout")).scalar_one() == "0"


PAGE = 4096 + 24  # bytes of a page in the log


def grow(database: Database, commits: range, pages: int) -> None:
    for n in commits:
        with database.write() as tx:
            for part in range(pages):
                tx.execute(text("INSERT INTO thing VALUES (:n)"), {"n": f"{n}-{part}-" + "x" * 3900})


@of_sqlite
@pytest.mark.parametrize("pages", [1, 40])
def test_the_log_of_sqlite_is_folded_by_its_pages_however_large_commits_are(
    things: Database, tmp_path: Path, pages: int
) -> None:
    log = tmp_path / "semel.db-wal"
    grow(things, range(2000 // pages), pages)
    assert (tmp_path / "semel.db").stat().st_size > 2 * databases.FOLD_PAGES * 4096, "it was folded on the way"
    assert log.stat().st_size <= (databases.FOLD_PAGES + 6 * pages + 20) * PAGE
    things.close()
    assert not log.exists()
    plain = sqlite3.connect(tmp_path / "semel.db")
    assert plain.execute("SELECT count(*) FROM thing").fetchone() == (2000 // pages * pages,)
    plain.close()


@of_sqlite
def test_a_log_that_a_long_reader_let_grow_is_cut_again(things: Database, tmp_path: Path) -> None:
    log = tmp_path / "semel.db-wal"
    reader = sqlite3.connect(tmp_path / "semel.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM thing").fetchone() == (0,)
    grow(things, range(120), 40)
    assert log.stat().st_size > databases.LOG_BYTES
    reader.execute("COMMIT")
    reader.close()
    grow(things, range(200, 203), 1)  # the first folds what is left, the next begins anew
    assert log.stat().st_size <= databases.LOG_BYTES


@of_sqlite
def test_folding_that_fails_fails_no_commit(things: Database, tmp_path: Path) -> None:
    """Nothing that can fail comes after a commit."""
    other = sqlite3.connect(tmp_path / "semel.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM thing").fetchone()
    grow(things, range(databases.FOLD_PAGES), 2)
    other.execute("COMMIT")
    other.close()
    assert len(names(things)) == 2 * databases.FOLD_PAGES


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("mysql://localhost/semel", "sqlite and postgresql"),
    ],
)
def test_what_would_keep_nothing_is_refused(url: str, says: str) -> None:
    with pytest.raises(UnsafeDatabase, match=says):
        Database.open(url)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit", "server_version_num"])
def test_a_server_that_acknowledges_before_it_has_flushed_is_refused(setting: str) -> None:
    class Cursor:
        said = ""

        def execute(self, statement: str) -> "Cursor":
            asked = statement.removeprefix("SHOW ")
            good = "150004" if asked == "server_version_num" else "on"
            self.said = {"server_version_num": "140011"}.get(asked, "off") if asked == setting else good
            return self

        def fetchone(self) -> tuple[str]:
            return (self.said,)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    class Link:
        cursor = Cursor

        def rollback(self) -> None:
            return None

    with pytest.raises(UnsafeDatabase, match="15 or newer" if setting == "server_version_num" else setting):
        databases._refuse_unsafe_postgresql(Link(), None)


@of_postgresql
def test_a_database_that_sets_itself_unsafe_is_refused_at_the_first_connection(
    database_url: str, things: Database
) -> None:
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    with things.write() as tx:
        tx.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    again = Database.open(database_url)
    with pytest.raises(UnsafeDatabase, match="synchronous_commit"), again.read():
        pass
    again.close()


@of_postgresql
@pytest.mark.parametrize("how", ["read", "write"])
def test_a_connection_that_the_server_closed_is_replaced(things: Database, how: str) -> None:
    with things.write() as tx:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with things.committing() as tx:
        assert tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar_one()
    with getattr(things, how)() as tx:
        assert tx.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


@of_postgresql
def test_reading_leaves_no_transaction_open_and_writing_has_one(things: Database) -> None:
    asked = text("SELECT now() = statement_timestamp()")  # now() is when the transaction began
    for how, same in (("read", True), ("write", False), ("read", True)):
        with getattr(things, how)() as tx:
            tx.execute(text("SELECT pg_sleep(0.002)"))
            assert tx.execute(asked).scalar_one() is same


def test_closing_twice_is_closing_once(things: Database) -> None:
    things.close()
    things.close()


@of_postgresql
def test_the_clock_of_the_server(database: Database) -> None:
    with database.read() as tx:
        first = databases.now_from(tx)
        assert 0 <= databases.now_from(tx) - first < 60_000_000
    assert first > 1_700_000_000_000_000
