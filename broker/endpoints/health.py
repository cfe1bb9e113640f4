"""Health: `/healthz` says the process answers, `/readyz` that it can do its work: database, room, keys, clock, publication."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import text
from starlette.requests import Request

from broker import needs, publication, telemetry
from broker.answers import Json, Refusal
from broker.database import Tx, now_from
from broker.publication_failure import Failure, LastFailure
from consent.ledger_alarm import LedgerAlarm

SECOND = 1_000_000  # microseconds
APART = 2  # seconds that this machine's clock may be off the database's, or behind the ledger
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Facts:
    """The wired parts, the size of the ledger in its public folder, why it was not published, and whether its alarm stands."""

    wired: needs.Parts
    public: int | None
    failure: Failure | None
    alarm: bool


async def gather(request: Request) -> None:
    """Need nothing."""
    del request


def alive(facts: None, now: int) -> Json:
    """Answer; nothing else is touched, so that a slow database does not kill healthy workers."""
    del facts, now
    return Json({"status": "ok"}, headers=NO_STORE)


async def gather_ready(request: Request) -> Facts:
    """Look into the public folder and beside it, which may lie on a slow disk, beside the loop."""
    return await asyncio.to_thread(_look, needs.parts(request))


def _look(wired: needs.Parts) -> Facts:
    folder = wired.ledger_dir
    try:
        alarm = LedgerAlarm(folder).standing() is not None
    except OSError:  # a disk that does not give the file: what is not published says so
        alarm = False
    return Facts(wired, publication.public_size(folder), LastFailure(folder).read(), alarm)


def ready(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Answer when everything is there that a request may need; otherwise 503, and the log says why."""
    tx.execute(text("SELECT 1"))
    facts.wired.keyring.signer()
    why = _unready(tx, facts, now)
    if why is not None:
        telemetry.log("not_ready", reason=why)
        return Refusal("temporarily_unavailable", why, status=503, headers={"Retry-After": "5"})
    return Json({"status": "ready"}, headers=NO_STORE)


def _unready(tx: Tx, facts: Facts, now: int) -> str | None:
    wired = facts.wired
    if wired.database.full:
        return "the disk is full: nothing can be written"
    server = now_from(tx) if tx.dialect.name == "postgresql" and wired.server_clock else now
    if abs(server - now) > APART * SECOND:
        return "this machine's clock and the database's are apart"
    if facts.alarm:
        return "the ledger's alarm stands: ledger_alarm"
    standing = publication.look(tx, facts.public)
    if standing.newest > now + APART * SECOND:
        return "this machine's clock stands behind the ledger"
    if standing.late(now, wired.publish_every) is not None:
        return "entries of the ledger are not published" + (
            f": {facts.failure.code}" if facts.failure is not None else ""
        )
    return None
