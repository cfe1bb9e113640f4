"""How far the committed ledger is also signed and published, and since when the rest waits (C2SP tlog-checkpoint)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from broker.database import Tx
from consent import checkpoint, ledger
from consent.errors import CheckpointInvalid
from consent.tables import ledger_batch, ledger_checkpoint

SECOND = 1_000_000  # microseconds
LEAST = 60.0  # seconds that an entry may wait to be published, however short the publisher's rhythm is
RHYTHMS = 5  # of the publisher, which may miss a few

_SIGNED = (
    select(ledger_checkpoint.c.size)
    .where(ledger_checkpoint.c.log_id == ledger.LOG_ID)
    .order_by(ledger_checkpoint.c.size.desc())
    .limit(1)
)


@dataclass(frozen=True)
class Publication:
    """Sizes: of the ledger, of its last recorded checkpoint, of the one in the public folder (None: none can be read).

    `newest` is the time of the last entry, `waiting_since` of the first one that is not published yet, None when all are;
    in microseconds.
    """

    size: int
    signed: int
    public: int | None
    newest: int
    waiting_since: int | None

    def late(self, now: int, every: float) -> float | None:
        """Return for how many seconds an entry has waited too long, None when none has; `every`: the publisher's rhythm."""
        if self.waiting_since is None:
            return None
        waited = (now - self.waiting_since) / SECOND
        return waited if waited > max(LEAST, RHYTHMS * every) else None


def public_size(folder: Path) -> int | None:
    """Return the size that the checkpoint in a folder says, None when there is none that can be read. Reads a file."""
    try:
        return checkpoint.read((folder / "checkpoint").read_bytes())[0].size
    except (OSError, CheckpointInvalid):
        return None


def look(tx: Tx, public: int | None) -> Publication:
    """Compare the committed ledger with what is signed and with the size in the public folder."""
    head = ledger.head(tx)
    signed = tx.execute(_SIGNED).scalar_one_or_none() or 0
    done = min(signed, public or 0)
    waiting = (
        select(ledger_batch.c.ts)
        .where(ledger_batch.c.log_id == ledger.LOG_ID, ledger_batch.c.size > done)
        .order_by(ledger_batch.c.size)
        .limit(1)
    )
    since = tx.execute(waiting).scalar_one_or_none() if done < head.size else None
    return Publication(head.size, signed, public, head.ts, since)
