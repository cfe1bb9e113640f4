"""Throttling: bursts pass, floods wait, nobody waits for good."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select

from broker import throttle
from broker.tables import metadata
from broker.throttle import Limit

SECOND = 1_000_000
LIMIT = Limit(hourly=60, burst=3)  # one a minute, three at once


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


def test_a_burst_passes_then_the_rate_holds(tx, now):
    assert [throttle.allow(tx, "k", b"a", LIMIT, now) for _ in range(5)] == [None, None, None, 60, 60]
    assert throttle.allow(tx, "k", b"a", LIMIT, now + 59 * SECOND) == 1
    assert throttle.allow(tx, "k", b"a", LIMIT, now + 60 * SECOND) is None
    assert throttle.allow(tx, "k", b"a", LIMIT, now + 60 * SECOND) == 60


def test_refused_attempts_cost_nothing_so_nobody_waits_for_good(tx, now):
    for _ in range(50):
        throttle.allow(tx, "k", b"a", LIMIT, now)
    assert throttle.allow(tx, "k", b"a", LIMIT, now + 60 * SECOND) is None


def test_kinds_and_subjects_are_counted_apart(tx, now):
    for kind, subject in [("k", b"a"), ("k", b"b"), ("l", b"a")]:
        assert [throttle.allow(tx, kind, subject, LIMIT, now) for _ in range(4)][-2:] == [None, 60]


def test_success_forgets(tx, now):
    for _ in range(4):
        throttle.allow(tx, "k", b"a", LIMIT, now)
    throttle.clear(tx, "k", b"a")
    assert throttle.allow(tx, "k", b"a", LIMIT, now) is None


def test_rows_that_hold_nobody_back_are_swept(tx, now):
    throttle.allow(tx, "k", b"a", LIMIT, now)
    throttle.sweep(tx, now)
    assert tx.execute(select(func.count()).select_from(throttle.throttle)).scalar_one() == 1
    throttle.sweep(tx, now + 61 * SECOND)
    assert tx.execute(select(func.count()).select_from(throttle.throttle)).scalar_one() == 0


def test_the_subject_is_not_in_the_row(tx, now):
    throttle.allow(tx, "k", b"someone", LIMIT, now)
    assert b"someone" not in tx.execute(select(throttle.throttle.c.key)).scalar_one()


def test_simultaneous_attempts_are_all_counted(database, now):
    def attempt(_):
        with database.write() as tx:
            return throttle.allow(tx, "k", b"a", LIMIT, now)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(24)))
    assert results.count(None) == 3


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(1, 120), st.integers(1, 5))
def test_never_more_than_the_burst_and_the_rate(waits, hourly, burst):
    engine = create_engine("sqlite://")
    limit, every = Limit(hourly, burst), 3600 * SECOND // hourly
    with engine.begin() as tx:
        metadata.create_all(tx, tables=[throttle.throttle])
        clock, passed = 0, []
        for wait in waits:
            clock += wait * SECOND
            answer = throttle.allow(tx, "k", b"a", limit, clock)
            if answer is None:
                passed.append(clock)
                continue
            assert answer >= 1
    engine.dispose()
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) // every


def test_a_network_and_those_around_it(tx, now):
    """What one network may, four times that the one around it, and sixteen times the next."""

    def allowed(*networks: bytes) -> bool:
        return throttle.allow_network(tx, "n", networks, LIMIT, now) is None

    assert sum(allowed(b"64-%d" % n, b"56", b"48") for n in range(40)) == LIMIT.burst * 4
    assert sum(allowed(b"64-%d" % n, b"56-%d" % n, b"48-b") for n in range(100)) == LIMIT.burst * 16
    assert [allowed(b"v4") for _ in range(4)] == [True, True, True, False]


def test_an_attempt_that_was_none_is_given_back_everywhere(tx, now):
    networks = (b"64", b"56", b"48")
    for _ in range(100):
        assert throttle.allow_network(tx, "n", networks, LIMIT, now) is None
        throttle.give_back(tx, "n", networks, LIMIT)
    throttle.give_back(tx, "n", (b"unknown",), LIMIT)


def test_what_is_held_is_so_until_it_is_due(tx, now):
    assert not throttle.is_held(tx, "k", b"a", now)
    throttle.allow(tx, "k", b"a", LIMIT, now)
    assert throttle.is_held(tx, "k", b"a", now + 59 * SECOND)
    assert not throttle.is_held(tx, "k", b"a", now + 60 * SECOND)
    assert not throttle.is_held(tx, "l", b"a", now)
