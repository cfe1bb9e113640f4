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
    here, there = sender.code(asked(whole, "2001:db8::7")), sender.code(asked(whole, "2001:db8:0:1::7"))
    assert here == sender.code(asked(whole, "2001:db8::9:1")) != there
    assert len(here) == 32
