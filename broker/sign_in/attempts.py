"""Counting attempts at passwords: by name, by network, and by how many names one network tries (NIST SP 800-63B-4 §3.2.2).

A browser that signed in before is counted by itself alone, so nothing that others try, from its own network either, locks it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker import throttle
from broker.database import Tx
from broker.throttle import Limit
from keys import opaque

ADDRESS = Limit(hourly=600, burst=100)
ACCOUNT = Limit(hourly=30, burst=10)
FROM = Limit(hourly=12, burst=5)  # a name from one network: a single stranger cannot use up the name's own limit
NAMES = Limit(
    hourly=120, burst=40
)  # names from one network that did not end in a sign-in: one guess each is guessing, too
_NAMES = "sign-in-names"


@dataclass(frozen=True)
class Counted:
    """What one attempt was counted under, to be forgotten when it was the right person's."""

    buckets: tuple[tuple[str, bytes], ...]
    networks: tuple[bytes, ...] = ()


def count(
    tx: Tx, bucket: tuple[str, bytes], networks: Sequence[bytes], now: int, *, known: bool
) -> tuple[int | None, Counted]:
    """Count an attempt before anything is compared; the seconds to wait, or None when it may go on.

    `bucket` is what the name is counted under, `networks` where it comes from (`broker.sender.codes`); `known` says that the
    browser signed this person in before. `now` in microseconds.
    """
    if known:
        return throttle.allow(tx, *bucket, ACCOUNT, now), Counted((bucket,))
    here = "sign-in-from", opaque.digest(networks[0] + bucket[1])
    wait = throttle.allow_network(tx, "sign-in-address", networks, ADDRESS, now)
    another = wait is None and not throttle.is_held(tx, *here, now)
    if another:
        wait = throttle.allow_network(tx, _NAMES, networks, NAMES, now)
    wait = wait or throttle.allow(tx, *here, FROM, now) or throttle.allow(tx, *bucket, ACCOUNT, now)
    return wait, Counted((bucket, here), tuple(networks) if another else ())


def forget(tx: Tx, counted: Counted) -> None:
    """Take back what was counted: it was no guess."""
    for bucket in counted.buckets:
        throttle.clear(tx, *bucket)
    throttle.give_back(tx, _NAMES, counted.networks, NAMES)
