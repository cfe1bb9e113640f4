"""Health: `/healthz` says the process answers, `/readyz` that its database does and the keys are there."""

from __future__ import annotations

from sqlalchemy import text
from starlette.requests import Request

from broker import needs
from broker.answers import Json
from broker.database import Tx


async def gather(request: Request) -> None:
    """Need nothing."""
    del request


def alive(facts: None, now: int) -> Json:
    """Answer; nothing else is touched, so that a slow database does not kill healthy workers."""
    del facts, now
    return Json({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def gather_ready(request: Request) -> needs.Parts:
    """Need the wired parts."""
    return needs.parts(request)


def ready(tx: Tx, facts: needs.Parts, now: int) -> Json:
    """Answer when the database answers and a signing key is loaded."""
    del now
    tx.execute(text("SELECT 1"))
    facts.keyring.signer()
    return Json({"status": "ready"}, headers={"Cache-Control": "no-store"})
