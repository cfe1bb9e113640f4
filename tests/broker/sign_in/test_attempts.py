"""Attempts at passwords are counted before anything is compared: who waits, who never does (NIST SP 800-63B-4 §3.2.2)."""

import pytest

from broker.sign_in import attempts
from broker.sign_in.attempts import ACCOUNT, ADDRESS, NAMES
from keys import opaque


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


def tries(tx, name: str, networks: tuple[bytes, ...], now: int, *, known: bool = False) -> bool:
    wait, _ = attempts.count(tx, ("name", opaque.digest(name)), networks, now, known=known)
    return wait is None


def around(n: int) -> tuple[bytes, ...]:
    """The n-th network of 64 bits in a subscriber's 48."""
    return b"64-%d" % n, b"56-%d" % (n // 256), b"48"


@pytest.mark.parametrize(("apart", "tried", "most"), [(1, 256, 4), (256, 800, 16)], ids=["one /56", "one /48"])
def test_a_guess_at_each_of_many_names_from_all_networks_of_one_subscriber(
    tx, now, apart: int, tried: int, most: int
) -> None:
    """RFC 6177 §2: a network of 64 bits costs nothing; whoever has many is one."""
    passed = sum(tries(tx, f"name-{n}", around(n * apart), now) for n in range(tried))
    assert passed == NAMES.burst * most


def test_a_network_may_try_so_many_names(tx, now) -> None:
    assert sum(tries(tx, f"name-{n}", (b"v4",), now) for n in range(60)) == NAMES.burst
    assert tries(tx, "name-0", (b"v4",), now), "mistyping once more is no other name"
    assert tries(tx, "name-59", (b"other",), now)


def test_what_ended_in_a_sign_in_was_no_guess(tx, now) -> None:
    for n in range(ADDRESS.burst - 1):
        wait, counted = attempts.count(tx, ("name", b"%d" % n), (b"v4",), now, known=False)
        assert wait is None
        attempts.forget(tx, counted)


def test_one_account_of_ones_own_buys_no_guesses(tx, now) -> None:
    """Only what an attempt itself was counted is given back: signing in again and again leaves the guesses where they are."""
    for n in range(NAMES.burst):
        assert tries(tx, f"name-{n}", (b"v4",), now) is True
    assert tries(tx, "own", (b"v4",), now) is False


def test_a_browser_that_is_known_waits_for_nobody_else(tx, now) -> None:
    for n in range(200):
        tries(tx, f"name-{n}", (b"v4",), now)
        tries(tx, "maria", (b"v4",), now)
    assert not tries(tx, "maria", (b"v4",), now)
    known = ("known", b"maria")
    for _ in range(ACCOUNT.burst):
        assert attempts.count(tx, known, (b"v4",), now, known=True)[0] is None
    assert attempts.count(tx, known, (b"v4",), now, known=True)[0] is not None, "its own guesses count"
