"""A full disk: what would have to be written is 503, the server is not ready, the log says why; with room it goes on by itself."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from broker import disk, errors
from broker.database import Database
from tests.broker.whole import Whole
from tests.conftest import POSTGRESQL

of_sqlite = pytest.mark.skipif(bool(POSTGRESQL), reason="a file that may not grow is SQLite's")


def room(database: Database, pages: int) -> None:
    """Let the database's file have so many pages more than it has (SQLite's `max_page_count`)."""
    with database.write() as tx:
        there = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {there + pages}")


def fill(database: Database) -> None:
    """Use every page that is left."""
    with pytest.raises(OperationalError, match="full"):  # noqa: PT012 - the last of several
        for row in range(10_000):
            with database.write() as tx:
                tx.execute(
                    text("INSERT INTO throttle (key, tat) VALUES (:key, 1)"),
                    {"key": bytes(900) + row.to_bytes(4, "big")},
                )


@of_sqlite
def test_a_full_disk_is_503_with_a_time_to_come_again_and_the_server_is_not_ready(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    database, agency = whole.parts.database, whole.agency()
    agency.asks()
    assert whole.client().get("/readyz").status_code == 200
    room(database, 0)
    fill(database)
    capsys.readouterr()
    answers = [agency.push(state="s" * 12_000) for _ in range(4)]
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers][-1] == (503, "30")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {"the disk is full"} == {line["reason"] for line in said if line.get("exception") == "OperationalError"}
    ready = whole.client().get("/readyz")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    assert whole.client().get("/healthz").status_code == 200
    disk.look(database, whole.clock())
    room(database, 1000)
    disk.look(database, whole.clock())
    assert whole.client().get("/readyz").status_code == 200
    assert agency.asks()


def test_what_says_that_there_is_no_room() -> None:
    class Full(Exception):
        sqlstate = "53100"

    for problem in (OperationalError("", {}, Full()), OSError(28, "No space left on device"), OSError(122, "quota")):
        assert errors.out_of_room(problem)
        assert errors.cause(problem) == "the disk is full"
        refused = errors.refusal(problem)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
    assert not errors.out_of_room(OSError(2, "No such file or directory"))
