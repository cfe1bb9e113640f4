"""The kinds of letters: for each how it is sent, what counts as received, and how long it is tried (house).

A new kind is a row here. The table is frozen: a row in the outbox names its kind, and what is done with it is decided by
this program alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

MINUTE, HOUR = 60, 3600  # seconds


@dataclass(frozen=True)
class Signed:
    """A letter that is signed when it is sent, so that its token is young however often it has to be sent again.

    `typ` and `lifetime` (seconds from `iat` to `exp`; None: no `exp`) of the token; `field`: the form parameter it is
    sent as, None when the token is the whole body.
    """

    typ: str
    lifetime: int | None
    field: str | None = None


@dataclass(frozen=True)
class Kind:
    """How letters of a kind are delivered.

    `received`: the statuses that say so; `refused`: those after which trying again is useless. `ordered`: one after the
    other to each destination of a client. `tries` and `max_age` (seconds): when it is given up. `timeout` in seconds for
    the whole call, `max_reply` in bytes. `signed`: what makes the body; None sends the text it was given.
    """

    name: str
    content_type: str
    received: frozenset[int]
    method: str = "POST"
    accept: str | None = None
    refused: frozenset[int] = frozenset()
    ordered: bool = False
    signed: Signed | None = None
    tries: int = 30
    max_age: int = 24 * HOUR
    timeout: float = 5.0
    max_reply: int = 4096


def table(kinds: Iterable[Kind]) -> Mapping[str, Kind]:
    """Return the kinds by name, frozen."""
    return MappingProxyType({kind.name: kind for kind in kinds})


# fmt: off
KINDS = table([
    # OpenID Connect Back-Channel Logout 1.0 §2.5, §2.8: a form with one token, 200 or 204; the token lives two minutes (§2.4)
    Kind("backchannel_logout", "application/x-www-form-urlencoded", frozenset({200, 204}),
         signed=Signed("logout+jwt", 2 * MINUTE, "logout_token")),
    # RFC 8935 §2: one token, 202; what is refused with 400 will be refused again
    Kind("security_event", "application/secevent+jwt", frozenset({200, 202, 204}), accept="application/json",
         refused=frozenset({400}), signed=Signed("secevent+jwt", None), tries=200, max_age=7 * 24 * HOUR),
    # CIBA Core §10.2: any 2xx; the client asks for itself when it heard nothing, so a late ping is of no use
    Kind("ciba_ping", "application/json", frozenset({200, 202, 204}), refused=frozenset({400, 401, 403, 404}),
         tries=8, max_age=15 * MINUTE),
])
# fmt: on
