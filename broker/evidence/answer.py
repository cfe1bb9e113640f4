"""One register's raw answer about one attribute made into a Found: checked, sealed at once, or refused as malformed."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from broker.evidence.source import Check, Found
from consent import release
from consent.errors import ConsentError

LONGEST = 2_000


class Malformed(Exception):
    """A register's answer has not the agreed form; nothing of it is in the message."""


def plain(raw: object) -> str | int | None:
    """A cell as JSON can carry it: text without outer space, a day as YYYY-MM-DD, a whole number; empty is nothing."""
    if raw is None:
        return None
    if isinstance(raw, datetime.datetime):
        raise Malformed
    if isinstance(raw, datetime.date):
        return raw.isoformat()
    if isinstance(raw, Decimal) and raw == raw.to_integral_value():
        return int(raw)
    if isinstance(raw, str) and len(raw) <= LONGEST:
        return raw.strip() or None
    if isinstance(raw, int):
        return int(raw)
    raise Malformed


def flag(raw: object) -> bool:
    """A yes or no, also where a database knows only 0 and 1; nothing is no."""
    if raw is None or raw in (0, 1):
        return bool(raw)
    raise Malformed


def day(raw: object, now: int) -> str | None:
    """The day as of which a register says something: YYYY-MM-DD, or nothing; one that is still to come is malformed.

    `now` in microseconds; a register east of us may be a day ahead.
    """
    said = plain(raw)
    if said is None:
        return None
    try:
        told = datetime.date.fromisoformat(str(said))
    except ValueError:
        raise Malformed from None
    if told > datetime.datetime.fromtimestamp(now // 1_000_000, datetime.UTC).date() + datetime.timedelta(days=1):
        raise Malformed
    return told.isoformat()


def sealed(attribute: str, read: Callable[[], Any], *, check: Check, source: str, as_of: str | None, now: int) -> Found:
    """The attribute's Found: `provided` when `read` gives a value of the attribute's shape, else what is missing.

    Nothing at all is `not_held`. A value of another shape is `source_unavailable`: what is wrong there is the
    register's to mend, and nothing of it is shown, passed on or kept.
    """
    try:
        value = read()
        if value is None:
            return Found(attribute, "not_held", None, source, as_of, now)
        check(attribute, value)
    except (Malformed, ConsentError):
        return Found(attribute, "source_unavailable", None, source, None, now)
    return Found(attribute, "provided", release.seal(value, attribute), source, as_of, now)
