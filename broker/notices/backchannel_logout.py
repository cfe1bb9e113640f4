"""Logout tokens: an agency is told that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

from __future__ import annotations

from broker.database import Tx
from broker.notices.outbox import Outbox, Unsigned
from keys import opaque
from keys.algorithms import Alg

EVENT = "http://schemas.openid.net/event/backchannel-logout"
KIND = "backchannel_logout"


def tell(
    tx: Tx, outbox: Outbox, *, client_id: str, destination: str, alg: Alg, subject: str, sid: str, now: int
) -> None:
    """Write a logout token into the outbox, in the act that ends the session; `now` in microseconds.

    It names the session (`sid`) and whose it was, as this client knows both. Its `jti` is the same however often it has
    to be sent; `iss`, `iat` and `exp` are set when it is.
    """
    claims = {"aud": client_id, "sub": subject, "sid": sid, "jti": opaque.token(), "events": {EVENT: {}}}
    content = Unsigned(alg, claims)
    outbox.enqueue(tx, kind=KIND, client_id=client_id, destination=destination, content=content, now=now)
