"""Where a request comes from is believed only of a trusted proxy, and counted without being kept."""

import pytest
from starlette.requests import Request

from broker import sender
from tests.broker.whole import Whole


def asked(whole: Whole, address: str, *forwarded: str) -> Request:
    """A request from an address, with a line of `X-Forwarded-For` for each of `forwarded`."""
    lines = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    client = (address, 5000) if address else None
    return Request({"type": "http", "method": "GET", "path": "/", "headers": lines, "client": client, "app": whole.app})


# fmt: off
ADDRESSES = [
    # direct        trusted                     X-Forwarded-For                 believed
    ("192.0.2.7",   (),                         "",                             "192.0.2.7"),
    ("192.0.2.7",   (),                         "198.51.100.1",                 "192.0.2.7"),
    ("192.0.2.7",   ("192.0.2.9",),             "198.51.100.1",                 "192.0.2.7"),
    ("192.0.2.7",   ("192.0.2.7",),             "198.51.100.1",                 "198.51.100.1"),
    ("192.0.2.7",   ("192.0.2.7",),             "10.0.0.1, 198.51.100.1",       "198.51.100.1"),  # what a stranger wrote comes first
    ("192.0.2.7",   ("192.0.2.7",),             "",                             "192.0.2.7"),
    ("192.0.2.7",   ("192.0.2.7",),             "198.51.100.1, ",               "192.0.2.7"),
    ("",            (),                         "198.51.100.1",                 ""),
    ("2001:db8::7", (),                         "",                             "2001:db8::/64"),  # a household has 2^64 of them
    ("2001:db8::9:1", (),                       "",                             "2001:db8::/64"),
    ("::ffff:192.0.2.7", (),                    "",                             "192.0.2.7"),
    ("192.0.2.7",   ("192.0.2.7",),             "2001:db8:0:1::7",              "2001:db8:0:1::/64"),
    ("192.0.2.7",   ("192.0.2.7",),             "unknown",                      "unknown"),
]
# fmt: on


@pytest.mark.parametrize(("direct", "trusted", "forwarded", "believed"), ADDRESSES)
def test_the_address_of_a_caller(
    whole: Whole, direct: str, trusted: tuple[str, ...], forwarded: str, believed: str
) -> None:
    whole.give(trusted_proxies=trusted)
    assert sender.network(asked(whole, direct, forwarded)) == believed


def test_a_proxy_that_adds_a_line_of_its_own_is_believed_not_the_stranger(whole: Whole) -> None:
    """RFC 9110 §5.3: two lines are one list; some proxies append a line instead of a word."""
    whole.give(trusted_proxies=("192.0.2.7",))
    assert sender.network(asked(whole, "192.0.2.7", "10.0.0.1", "198.51.100.1")) == "198.51.100.1"


def test_attempts_are_counted_by_network(whole: Whole) -> None:
    """A keyed code: the same for a household, another for another one, and no address to be read in it."""
    here, there = sender.codes(asked(whole, "2001:db8::7")), sender.codes(asked(whole, "2001:db8:0:1::7"))
    assert here == sender.codes(asked(whole, "2001:db8::9:1")) != there
    assert {len(code) for code in here} == {32}


SHARED = [
    ("2001:db8::7",         "2001:db8::9",           3),
    ("2001:db8:0:1::7",     "2001:db8:0:2::7",       2),  # one of 256 in what a subscriber is given
    ("2001:db8:0:100::7",   "2001:db8:0:200::7",     1),
    ("2001:db8:1::7",       "2001:db8:2::7",         0),
    ("192.0.2.7",           "192.0.2.7",             1),
    ("192.0.2.7",           "192.0.2.8",             0),
    ("::ffff:192.0.2.7",    "192.0.2.7",             1),
    ("::",                  "2001:db8::7",           0),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "shared"), SHARED)
def test_networks_around_an_address(whole: Whole, one: str, other: str, shared: int) -> None:
    """RFC 6177 §2: whoever is given 56 or 48 bits has hundreds of networks of 64."""
    first, second = sender.codes(asked(whole, one)), sender.codes(asked(whole, other))
    assert len(set(first) & set(second)) == shared
