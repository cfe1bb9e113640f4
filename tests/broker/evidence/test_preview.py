"""Values that wait: opened by whoever holds a handle, in time, on its day; by nobody who copied the database."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from broker.database import Database
from broker.evidence import preview
from broker.evidence.source import Found
from broker.tables import sealed_for, sealed_row, token_family
from consent import release
from keys import sealing
from keys.vault import Vault

SECOND = 1_000_000
DAY = 86_400 * SECOND
LATER = 900 * SECOND
HANDLE = b"h" * 32
OTHER = b"o" * 43
Holds = Callable[[Found, Any], bool]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "person-keys")


def found(now: int) -> dict[str, Found]:
    return {
        "identity.given_name": Found(
            "identity.given_name", "provided", release.seal("Søren", "identity.given_name"), "population", "2026", now
        ),
        "contact.iban": Found(
            "contact.iban", "provided", release.seal("XN08", "contact.iban"), "tax", "2026-03-12", now
        ),
        "address.registered": Found("address.registered", "withheld", None, "population", None, now),
    }


def hold(database: Database, vault: Vault, now: int, row_id: str = "row", **changed: Any) -> None:
    given: dict[str, Any] = {
        "person_id": "somebody",
        "auth_time": now - 5,
        "found": found(now),
        "publics": [sealing.public_of(HANDLE)],
        "expires": now + LATER,
    }
    with database.write() as tx:
        preview.hold(tx, vault, row_id=row_id, now=now, **{**given, **changed})


def opened(database: Database, vault: Vault, now: int, handle: bytes = HANDLE) -> preview.Held | None:
    with database.read() as tx:
        return preview.open_(tx, vault, handle, now)


def rows(database: Database) -> tuple[int, int]:
    with database.read() as tx:
        count = [tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (sealed_row, sealed_for)]
    return count[0], count[1]


def test_what_went_in_comes_out(database: Database, vault: Vault, now: int, holds: Holds) -> None:
    hold(database, vault, now)
    held = opened(database, vault, now)
    assert held is not None
    assert (held.row_id, held.person_id, held.auth_time, held.released) == ("row", "somebody", now - 5, False)
    assert held.found.keys() == found(now).keys()
    for item, one in found(now).items():
        again = held.found[item]
        assert (again.status, again.source, again.as_of, again.retrieved_at) == (
            one.status,
            one.source,
            one.as_of,
            one.retrieved_at,
        )
    assert holds(held.found["identity.given_name"], "Søren")
    assert "Søren" not in repr(held)


def test_only_a_holder_opens_it(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    assert opened(database, vault, now, OTHER) is None
    assert opened(database, vault, now, b"\x00" * 32) is None


def test_nothing_in_the_database_opens_it_or_tells_whose_it_is(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    with database.read() as tx:
        stored = [
            bytes(str(value), "utf-8") if not isinstance(value, bytes) else value
            for table in (sealed_row, sealed_for)
            for row in tx.execute(select(table))
            for value in row
        ]
    for secret in (HANDLE, b"somebody", "Søren".encode(), b"XN08", b"identity", b"withheld"):
        assert not [value for value in stored if secret in value], secret


def test_a_box_of_one_row_opens_no_other(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    hold(database, vault, now, "second", publics=[sealing.public_of(OTHER)])
    with database.write() as tx:
        box = tx.execute(select(sealed_for.c.box).where(sealed_for.c.row_id == "row")).scalar_one()
        tx.execute(update(sealed_for).where(sealed_for.c.row_id == "second").values(box=box))
    assert opened(database, vault, now, OTHER) is None


@pytest.mark.parametrize(("after", "open_"), [(0, True), (LATER - 1, True), (LATER, False), (LATER + 1, False)])
def test_it_ends_with_its_time(database: Database, vault: Vault, now: int, after: int, *, open_: bool) -> None:
    hold(database, vault, now)
    assert (opened(database, vault, now + after) is not None) == open_


def test_it_can_be_given_more_time(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    with database.write() as tx:
        preview.extend(tx, "row", now + 2 * LATER)
    assert opened(database, vault, now + LATER) is not None


@pytest.mark.parametrize(("days", "open_"), [(0, True), (1, True), (2, False), (30, False)])
def test_with_the_key_of_its_day_gone_it_is_gone(
    database: Database, vault: Vault, now: int, days: int, *, open_: bool
) -> None:
    """However long its row was to live, and whoever still holds a handle: a copy of the database is worth nothing."""
    hold(database, vault, now, expires=now + 60 * DAY)
    destroyed = vault.sweep(now + days * DAY)
    assert (opened(database, vault, now + days * DAY) is not None) == open_
    assert destroyed == (() if open_ else (date(2026, 11, 21),))


def test_another_installations_key_opens_nothing(database: Database, vault: Vault, now: int, tmp_path: Path) -> None:
    hold(database, vault, now)
    assert opened(database, Vault(tmp_path / "elsewhere"), now) is None


def test_it_is_passed_on_to_one_more_holder_and_taken_from_the_first(
    database: Database, vault: Vault, now: int, holds: Holds
) -> None:
    hold(database, vault, now)
    held = opened(database, vault, now)
    assert held is not None
    with database.write() as tx:
        preview.reseal(tx, vault, held, sealing.public_of(OTHER), expires=now + 2 * LATER)
    assert opened(database, vault, now) is not None
    with database.write() as tx:
        preview.drop_holders(tx, sealing.public_of(HANDLE))
    assert opened(database, vault, now) is None
    passed = opened(database, vault, now + LATER, OTHER)
    assert passed is not None
    assert holds(passed.found["contact.iban"], "XN08")


def test_several_holders_lose_it_at_once(database: Database, vault: Vault, now: int) -> None:
    handles = [HANDLE, OTHER, b"x" * 32]
    hold(database, vault, now, publics=[sealing.public_of(handle) for handle in handles])
    with database.write() as tx:
        preview.drop_holders(tx, sealing.public_of(HANDLE), sealing.public_of(OTHER))
    assert [opened(database, vault, now, handle) is not None for handle in handles] == [False, False, True]


def test_what_was_refused_is_not_kept(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    held = opened(database, vault, now)
    assert held is not None
    with database.write() as tx:
        preview.keep(tx, held, ["identity.given_name", "address.registered", "never.asked"])
    kept = opened(database, vault, now)
    assert kept is not None
    assert kept.found.keys() == {"identity.given_name", "address.registered"}
    assert kept.released is False


def test_other_answers_take_its_place(database: Database, vault: Vault, now: int, holds: Holds) -> None:
    hold(database, vault, now)
    held = opened(database, vault, now)
    assert held is not None
    given = Found("contact.iban", "provided", release.seal("XN99", "contact.iban"), "tax", None, now)
    with database.write() as tx:
        preview.renew(tx, held, {"contact.iban": given}, expires=now + 2 * LATER)
    renewed = opened(database, vault, now + LATER)
    assert renewed is not None
    assert renewed.found.keys() == {"contact.iban"}
    assert holds(renewed.found["contact.iban"], "XN99")


def test_that_it_was_released_is_remembered(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now)
    with database.write() as tx:
        preview.mark_released(tx, "row")
    held = opened(database, vault, now)
    assert held is not None
    assert held.released


def test_dropping_leaves_nothing_and_nobody_elses(database: Database, vault: Vault, now: int) -> None:
    hold(database, vault, now, publics=[sealing.public_of(HANDLE), sealing.public_of(OTHER)])
    hold(database, vault, now, "second", publics=[sealing.public_of(b"x" * 32)])
    with database.write() as tx:
        preview.drop(tx, "row")
    assert rows(database) == (1, 1)
    assert opened(database, vault, now, b"x" * 32) is not None


def test_rows_and_the_rows_of_families_go_together(database: Database, vault: Vault, now: int) -> None:
    for n, family in enumerate([None, "f", "f", "g"]):
        hold(database, vault, now, f"row{n}", family=family, publics=[sealing.public_of(bytes([n]) * 32)])
    with database.write() as tx:
        tx.execute(
            token_family.insert().values(family="f", permission_id="p", client_id="c", created=now, expires=now + 1)
        )
        ids = select(sealed_row.c.row_id).where(sealed_row.c.row_id == "row0")
        preview.drop_all(tx, ids, select(token_family.c.family).where(token_family.c.permission_id == "p"))
    assert rows(database) == (1, 1)
    assert opened(database, vault, now, bytes([3]) * 32) is not None
