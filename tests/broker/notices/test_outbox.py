"""The rows of the outbox: written with what caused them, claimed by one, kept until received or given up."""

import json
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from broker.database import Database
from broker.notices import outbox
from broker.notices.kinds import KINDS, Kind, Signed, table
from broker.notices.outbox import Letter, Outbox, Unsigned
from broker.tables import outbox as rows
from keys import errors as keys_errors
from keys.keyring import RootKeyring

SECOND = 1_000_000
HOUR = 3600 * SECOND
PLACE = "https://rp.example/letters"
TEXT = Kind("text", "text/plain", frozenset({202}), tries=3, max_age=3600)
IN_ORDER = Kind("in_order", "text/plain", frozenset({202}), ordered=True)
TOKEN = Kind("token", "application/jwt", frozenset({200}), signed=Signed("secevent+jwt", None))
BOX = Outbox(RootKeyring.generate().ring("outbox"), table([TEXT, IN_ORDER, TOKEN]))


def write(database: Database, now: int, *texts: Any, kind: str = "text", **more: Any) -> list[str]:
    given: dict[str, Any] = {"client_id": "rp", "destination": PLACE, **more}
    with database.write() as tx:
        return [BOX.enqueue(tx, kind=kind, content=text, now=now, **given) for text in texts]


def claim(database: Database, now: int, most: int = 10, **more: Any) -> tuple[Letter, ...]:
    with database.write() as tx:
        return BOX.claim(tx, now, most=most, **more)


def said(letters: tuple[Letter, ...]) -> list[Any]:
    return [BOX.open(letter).text for letter in letters]


def kept(database: Database) -> list[dict[str, Any]]:
    with database.read() as tx:
        return [dict(row) for row in tx.execute(select(rows)).mappings()]


def test_a_letter_is_due_at_once_and_gone_when_it_is_received(database: Database, now: int) -> None:
    assert not claim(database, now)
    (letter_id,) = write(database, now, "hello", authorization="Bearer t")
    with database.read() as tx:
        assert BOX.any_due(tx, now)
    (letter,) = claim(database, now)
    assert (letter.id, letter.kind, letter.client_id, letter.destination) == (letter_id, TEXT, "rp", PLACE)
    assert (BOX.open(letter).text, BOX.open(letter).authorization) == ("hello", "Bearer t")
    with database.write() as tx:
        outbox.received(tx, letter)
    assert kept(database) == []


def test_an_id_is_never_taken_for_an_option_of_the_command_line(database: Database, now: int) -> None:
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in write(database, now, *"0123456789"))


def test_an_act_that_is_taken_back_leaves_no_letter(database: Database, now: int) -> None:
    def act() -> None:
        with database.write() as tx:
            BOX.enqueue(tx, kind="text", client_id="rp", destination=PLACE, content="x", now=now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert kept(database) == []


def test_claims_come_back_as_they_were(database: Database, now: int) -> None:
    claims = {"sub": "s", "events": {"https://schemas.example/e": {}}}
    write(database, now, Unsigned("PS256", claims), kind="token")
    assert said(claim(database, now)) == [Unsigned("PS256", claims)]


@pytest.mark.parametrize(
    ("kind", "content", "more"),
    [
        ("unknown", "x", {}),
        ("text", Unsigned("ES256", {}), {}),
        ("token", "x", {}),
        ("text", "x" * 70_000, {}),
        ("text", "x", {"destination": PLACE + "x" * 2000}),
    ],
)
def test_what_a_kind_does_not_carry_is_not_written(
    database: Database, now: int, kind: str, content: Any, more: dict[str, Any]
) -> None:
    with pytest.raises((KeyError, ValueError)):
        write(database, now, content, kind=kind, **more)
    assert kept(database) == []


def test_nothing_of_a_letter_is_readable_in_its_row(database: Database, now: int) -> None:
    write(database, now, "the subject is Maria", authorization="Bearer secret")
    (row,) = kept(database)
    assert not any(word in repr(row) for word in ("Maria", "secret", "Bearer"))
    assert row["error"] is None
    (letter,) = claim(database, now)
    assert "Maria" not in repr(letter)


@pytest.mark.parametrize("member", ["id", "kind", "client_id", "destination"])
def test_a_letter_cannot_be_sent_elsewhere_by_changing_its_row(database: Database, now: int, member: str) -> None:
    write(database, now, "for rp alone")
    changed = {"id": "another", "kind": "in_order", "client_id": "evil", "destination": "https://evil.example/"}[member]
    with database.write() as tx:
        tx.execute(update(rows).values({member: changed}))
    (letter,) = claim(database, now)
    with pytest.raises(keys_errors.KeysError):
        BOX.open(letter)


def test_letters_of_one_act_share_no_value(database: Database, now: int) -> None:
    """Two agencies' rows must not show that they were written together (the threat model's tables that are joined)."""
    for _ in range(5):
        write(database, now, "x", client_id="one")
        write(database, now, "x", client_id="two", destination="https://two.example/")

    def shared() -> bool:
        told = [{row[name] for name in ("id", "box", "due", "expires")} for row in kept(database)]
        return len(set().union(*told)) < sum(map(len, told)) or len(told) != 10

    assert not shared()
    letters = claim(database, now)
    assert not shared()
    with database.write() as tx:
        outbox.put_back(tx, letters[:5], now)
        for letter in letters[5:]:
            outbox.failed(tx, letter, "address", now, final=True)
    assert not shared()


def test_what_is_claimed_is_nobody_elses_until_the_lease_is_over(database: Database, now: int) -> None:
    write(database, now, "x")
    (first,) = claim(database, now)
    assert not claim(database, now + outbox.LEASE - 1)
    (second,) = claim(database, now + outbox.LEASE + SECOND)
    assert (first.attempts, second.attempts) == (1, 2)
    with database.write() as tx:
        outbox.received(tx, first)  # too late: it is the second one's now
        outbox.failed(tx, first, "timeout", now)
    assert [row["attempts"] for row in kept(database)] == [2]
    with database.write() as tx:
        outbox.received(tx, second)
    assert kept(database) == []


def test_a_lease_is_longer_than_any_delivery() -> None:
    assert all(kind.timeout * SECOND < outbox.LEASE / 2 for kind in KINDS.values())


def test_a_failure_waits_longer_every_time_and_never_as_long_as_another(database: Database, now: int) -> None:
    kind = replace(TEXT, tries=99, max_age=10**6)
    waits: dict[int, list[int]] = {}
    for _ in range(20):
        write(database, now, "x")
    for attempt in (1, 2, 3, 11, 12, 40):
        with database.write() as tx:
            tx.execute(update(rows).values(attempts=attempt - 1, due=now, expires=now + 10**9 * SECOND))
        letters = claim(database, now, most=99)
        with database.write() as tx:
            assert not any(outbox.failed(tx, replace(one, kind=kind), "timeout", now) for one in letters)
        waits[attempt] = [row["due"] - now for row in kept(database)]
    for attempt, those in waits.items():
        wait = min(2**attempt, 3600) * SECOND
        assert len(set(those)) == 20
        assert all(wait / 2 <= one < wait * 1.5 for one in those)


def test_the_last_try_makes_a_dead_letter(database: Database, now: int) -> None:
    write(database, now, "x")
    for attempt in range(1, TEXT.tries + 1):
        now += HOUR // 10
        (letter,) = claim(database, now)
        with database.write() as tx:
            assert outbox.failed(tx, letter, "status_500", now) is (attempt == TEXT.tries)
    (row,) = kept(database)
    assert (row["state"], row["error"], row["attempts"]) == ("dead", "status_500", TEXT.tries)
    assert not claim(database, now + 10 * HOUR)


def test_time_makes_a_dead_letter_too(database: Database, now: int) -> None:
    write(database, now, "x")
    (letter,) = claim(database, now + 2 * HOUR)
    with database.write() as tx:
        assert outbox.failed(tx, letter, "timeout", now + 2 * HOUR)


def test_a_hopeless_one_is_dead_at_once(database: Database, now: int) -> None:
    write(database, now, "x")
    (letter,) = claim(database, now)
    with database.write() as tx:
        assert outbox.failed(tx, letter, "address", now, final=True)
    with database.read() as tx:
        assert [(one["state"], one["error"]) for one in outbox.listed(tx, "dead")] == [("dead", "address")]
        assert outbox.listed(tx, "waiting") == []
        assert "box" not in outbox.listed(tx)[0]


def test_a_dead_letter_is_replayed_as_new(database: Database, now: int) -> None:
    one, two = write(database, now, "one", "two")
    for letter in claim(database, now):
        with database.write() as tx:
            outbox.failed(tx, letter, "address", now, final=True)
    later = now + 40 * HOUR
    with database.write() as tx:
        assert [BOX.replay(tx, "none such", later), BOX.replay(tx, one, later)] == [0, 1]
    (letter,) = claim(database, later)
    assert (letter.id, letter.attempts, BOX.open(letter).text) == (one, 1, "one")
    assert letter.expires > later
    with database.write() as tx:
        assert BOX.replay(tx, None, later) == 1
    assert [letter.id for letter in claim(database, later)] == [two]


def test_dead_letters_are_forgotten_and_waiting_ones_are_not(database: Database, now: int) -> None:
    write(database, now, "x", "y")
    (letter, _) = claim(database, now)
    with database.write() as tx:
        outbox.failed(tx, letter, "address", now, final=True)
        outbox.sweep(tx, now + outbox.KEPT - SECOND)
    assert len(kept(database)) == 2
    with database.write() as tx:
        outbox.sweep(tx, now + outbox.KEPT + 61 * SECOND)
    assert [row["state"] for row in kept(database)] == ["waiting"]


def test_in_order_means_one_after_the_other_at_each_destination(database: Database, now: int) -> None:
    write(database, now, "1", "2", "3", kind="in_order")
    write(database, now, "other", kind="in_order", destination=f"{PLACE}/other")
    write(database, now, "out of order")
    taken = {BOX.open(letter).text: letter for letter in claim(database, now)}
    assert set(taken) == {"1", "other", "out of order"}
    assert not claim(database, now)  # "2" waits for "1"
    with database.write() as tx:
        outbox.failed(tx, taken["1"], "timeout", now)
    assert not claim(database, now)  # also while "1" is to be tried again
    with database.write() as tx:
        tx.execute(update(rows).where(rows.c.id == taken["1"].id).values(state="dead"))
    assert said(claim(database, now)) == ["2"]


def test_the_order_is_that_of_writing_even_within_an_act_and_with_a_clock_that_falls_back(
    database: Database, now: int
) -> None:
    write(database, now, "1", "2", kind="in_order")
    write(database, now - HOUR, "3", kind="in_order")
    received = []
    while letters := claim(database, now + SECOND):
        assert len(letters) == 1
        received += said(letters)
        with database.write() as tx:
            outbox.received(tx, letters[0])
    assert received == ["1", "2", "3"]


def test_a_client_can_be_left_out(database: Database, now: int) -> None:
    write(database, now, "slow", client_id="slow")
    write(database, now, "quick", client_id="quick")
    assert said(claim(database, now, without=["slow"])) == ["quick"]


def test_kinds_of_a_newer_program_are_left_to_it(database: Database, now: int) -> None:
    """Versions N and N-1 run on one schema: the older one neither sends, nor breaks on, nor replays what it does not know."""
    write(database, now, "x")
    older = Outbox(BOX.ring, table([TOKEN]))
    with database.write() as tx:
        assert not older.any_due(tx, now)
        assert older.claim(tx, now, most=9) == ()
        tx.execute(update(rows).values(state="dead"))
        assert older.replay(tx, None, now) == 0


def test_many_at_once_claim_each_letter_once(database: Database, database_url: str, now: int) -> None:
    """The claim is one statement: with eight connections nobody gets what another has (SKIP LOCKED on PostgreSQL)."""
    write(database, now, *map(str, range(60)))
    write(database, now, *map(str, range(100, 110)), kind="in_order")
    every = 1 if database.dialect == "sqlite" else 8  # one process, one writing connection there
    opened = [database] if every == 1 else [Database.open(database_url) for _ in range(every)]
    got: list[str] = []
    ready = threading.Barrier(every)

    def take(mine: Database) -> None:
        ready.wait()
        while letters := claim(mine, now, most=3):
            got.extend(said(letters))

    threads = [threading.Thread(target=take, args=(one,)) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in opened[:] if every > 1 else []:
        one.close()
    assert sorted(got, key=int) == [*map(str, range(60)), "100"]


def test_the_table_of_kinds_is_frozen() -> None:
    with pytest.raises(TypeError):
        KINDS["another"] = TEXT  # type: ignore[index]  # what must fail
    assert json.dumps(sorted(KINDS))
    assert all(kind.max_reply <= 65_536 and kind.max_age <= 7 * 86_400 for kind in KINDS.values())
