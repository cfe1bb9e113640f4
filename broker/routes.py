"""The table of contents: every URL, what gathers, what acts, how it runs, and the text that defines it.

`gather(request)` is asynchronous and holds no transaction while it waits; `act` is synchronous and cannot wait.
How an act runs: `none` (no database), `read`, `write` (one short transaction), `entry` (by the ledger's committer).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request

from broker.endpoints import authorize, discovery, health, jwks, par, prefill, token, userinfo
from broker.endpoints import credential, credential_offer, issuer_metadata, ledger, nonce
from broker.errors import Speaks
from broker.pages.citizen import account, consent, documents, receipt, sign_in

Runs = Literal["none", "read", "write", "entry"]


@dataclass(frozen=True)
class Route:
    """One row: `spec` names the text that defines the endpoint, as `docs/specs.md` spells it."""

    method: str
    path: str
    gather: Callable[[Request], Awaitable[Any]]
    act: Callable[..., Any]
    runs: Runs
    spec: str
    speaks: Speaks


# fmt: off
ROUTES: list[Route] = [
    Route("GET",  "/.well-known/openid-configuration",       discovery.gather, discovery.act, "none",  "OpenID Connect Discovery 1.0 §4", "public"),
    Route("GET",  "/healthz",                                health.gather,    health.act,    "none",  "house", "public"),
]
# fmt: on
