"""The publisher: committed entries become static files, a signed checkpoint says how far (C2SP tlog-tiles, tlog-checkpoint).

Files are derived from committed rows alone, so a path always has the same bytes; one that would get others is an alarm, never
a rewrite. The order: tiles and bundles, proof that the last signed tree is their beginning, signatures, the row that counts,
the checkpoint's file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from broker import telemetry
from broker.database import Database, Tx
from broker.ledger_clock import LedgerClock
from broker.publication_failure import LastFailure
from consent import audit, checkpoint, ledger, merkle, published, published_state, tiles
from consent.checkpoint import Checkpoint, Signer
from consent.errors import AlarmRaised, LedgerBroken, ProofInvalid, TileInvalid
from consent.ledger_alarm import LedgerAlarm
from consent.published_folder import PublishedFolder
from consent.published_state import PublishedState
from consent.tables import ledger_checkpoint, ledger_leaf, ledger_tile
from consent.tiles import ENTRIES, WIDTH, Tile

LOCK_CLASS = 0x5E3E2


@dataclass(frozen=True)
class Signed:
    """A checkpoint that is signed and not yet recorded, and the size that was signed before it."""

    checkpoint: Checkpoint
    note: bytes
    before: int
    at: int


class Publisher:
    """Writes the ledger's public files below `folder` and signs their root; the only holder of the ledger's signing keys.

    `clock` gives microseconds since 1970, and `judge` says whether that is believed. What breaks the ledger raises the alarm beside the folder, and while that stands
    nothing is signed, also by the next process.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        signers: Sequence[Signer],
        *,
        clock: Callable[[], int],
        log_id: int = ledger.LOG_ID,
        judge: LedgerClock | None = None,
    ) -> None:
        self._database, self._signers, self._clock, self._log_id = database, tuple(signers), clock, log_id
        self._folder = PublishedFolder(folder)
        self._clock_judge = judge
        self._keys = [signer.key for signer in signers]
        self._whole = False  # whether this process has seen every file of the last signed size
        self._recorded = 0  # the largest size this process knows to be signed
        self._tidied = 0  # the size up to which no tile has both its full and partial files
        self.alarm = LedgerAlarm(folder)
        self.last_failure = LastFailure(folder)

    def publish_once(self) -> None:
        """Publish whatever was committed since the last checkpoint.

        Raises `LedgerBroken` when the committed tree does not begin with the signed one or a published file differs from the
        rows: then nothing is signed, now or later, until the alarm is lifted (`AlarmRaised`).
        """
        signed = self.prepare()
        if signed is not None:
            self.record(signed)
        self.show()

    async def run(self, every: float) -> None:
        """Publish every so many seconds until cancelled. A failure is logged, kept, and tried again; files go out in a thread."""
        while True:
            try:
                signed = await asyncio.to_thread(self.prepare)
                if signed is not None:
                    self.record(signed)
                await asyncio.to_thread(self.show)
                await asyncio.to_thread(self.last_failure.clear)
            except Exception as problem:  # noqa: BLE001 - the ledger goes on; readiness and the doctor say what is wrong
                telemetry.failure("publish", problem)
                await asyncio.to_thread(self._keep, problem)
            await asyncio.sleep(every)

    def _keep(self, problem: Exception) -> None:
        """Keep why a publication failed; the publisher outlives whatever goes wrong with that, such as a clock that fails."""
        try:
            self.last_failure.record(problem, self._clock())
        except Exception as lost:  # noqa: BLE001 - the failure itself is in the log already
            telemetry.failure("publish", lost)

    def prepare(self) -> Signed | None:
        """Write the files of the committed size and sign it; None when it is signed already. Only reads the database."""
        with self._alarmed():
            return self._prepare()

    def _prepare(self) -> Signed | None:
        self.alarm.check()
        # The folder before the rows, and what is signed before what is there: others commit, sign and show meanwhile.
        public = published_state.read(self._folder.path, files=not self._whole)
        with self._database.read() as tx:
            last = self._newest(tx)
            head = ledger.head(tx, self._log_id)
            public.check(self._keys, head.size, partial(audit.signed_root, tx, self._log_id))
        size, root = (last.size, last.root) if last is not None else (0, merkle.EMPTY_ROOT)
        if max(size, self._recorded) > head.size or size < self._recorded:
            most = max(size, self._recorded)
            raise LedgerBroken(f"{most} entries were signed, the database holds {head.size}: an older state of it")
        self._recorded = size
        if not self._whole:
            self._begin(size)
        for tile in tiles.for_size(head.size, since=size) if size < head.size else ():
            self._write(tile)
        self._whole = True
        if size == head.size:
            return None
        self._verify(head, size, root)
        signing, now = Checkpoint(head.origin, head.size, head.root), self._clock()
        if self._clock_judge is not None:  # what is signed says when, too (C2SP tlog-cosignature)
            self._clock_judge.check(now, head.ts)
        return Signed(signing, checkpoint.sign(signing, self._signers, now), size, now)

    def _begin(self, size: int) -> None:
        """Mend what a predecessor did not finish, and hold what it wrote beyond the signed size against the rows."""
        self._folder.sweep()
        for tile in tiles.for_size(size):
            if not self._folder.has(tile.path):
                self._write(tile)
        for tile in self._folder.beyond(size):
            self._write(tile)

    def record(self, signed: Signed) -> None:
        """Make a signed checkpoint the one that counts; does nothing when another publisher was first."""
        with self._database.write() as tx:
            if not self._lock(tx):
                return
            last = self._newest(tx)
            if (last.size if last is not None else 0) != signed.before:
                return
            row = {"log_id": self._log_id, "size": signed.checkpoint.size, "root": signed.checkpoint.root}
            tx.execute(insert(ledger_checkpoint).values(**row, note=signed.note, signed_at=signed.at))

    def show(self) -> None:
        """Put the newest recorded checkpoint and the verifier keys where they are served; it never goes back.

        Then the partial files of the tiles that it completed are removed.
        """
        with self._alarmed(), self._folder.alone():
            note = self._folder.read("checkpoint")  # before the row: nobody else moves it while we are alone
            with self._database.read() as tx:
                last = self._newest(tx)
                PublishedState(note).check(self._keys, 0, partial(audit.signed_root, tx, self._log_id))
            if last is None:
                return
            self._folder.replace("vkeys", checkpoint.encode_vkeys(self._keys))
            self._folder.replace("checkpoint", last.note)
        self._tidy(last.size)

    @contextmanager
    def _alarmed(self) -> Iterator[None]:
        """Raise the alarm for whatever breaks the ledger."""
        try:
            yield
        except AlarmRaised:
            raise
        except LedgerBroken as broken:
            with suppress(OSError):  # on a disk that takes nothing the cause itself stands
                self.alarm.raise_(str(broken), self._clock())
            raise

    def _tidy(self, size: int) -> None:
        """Remove partial files of tiles that are full at a shown size; a process that starts looks for all of them."""
        if not self._tidied:
            done = [tile for tile in self._folder.partials() if tiles.reaches(size, Tile(tile.level, tile.index))]
        else:
            done = [tile for tile in tiles.for_size(size, since=self._tidied) if tile.width == WIDTH]
        for tile in done:
            self._folder.drop_partials(tile)
        self._tidied = size

    def _newest(self, tx: Tx) -> Any:
        newest = select(ledger_checkpoint).where(ledger_checkpoint.c.log_id == self._log_id)
        return tx.execute(newest.order_by(ledger_checkpoint.c.size.desc()).limit(1)).one_or_none()

    def _lock(self, tx: Tx) -> bool:
        if tx.dialect.name != "postgresql":
            return True
        query = text("SELECT pg_try_advisory_xact_lock(:class, :log_id)")
        return bool(tx.execute(query, {"class": LOCK_CLASS, "log_id": self._log_id}).scalar_one())

    def _verify(self, head: ledger.Head, size: int, root: bytes) -> None:
        """Check, from the files themselves, that they give the head's root and only add to what was signed last."""
        node = published.nodes(head.size, self._folder.read)
        try:
            if merkle.subtree_root(0, head.size, node) != head.root:
                raise LedgerBroken("the published tiles do not give the committed root")
            merkle.verify_consistency(size, head.size, root, head.root, merkle.consistency_proof(size, head.size, node))
        except (ProofInvalid, TileInvalid) as error:
            raise LedgerBroken("the committed tree does not begin with the one that was signed") from error

    def _write(self, tile: Tile) -> None:
        """Write a file once; `LedgerBroken` when it is there with other bytes."""
        self._folder.add(tile.path, self._derive(tile))

    def _derive(self, tile: Tile) -> bytes:
        """Return a file's bytes from committed rows; `LedgerBroken` when some are missing."""
        if tile.level in {ENTRIES, 0}:
            number, part = ledger_leaf.c.seq, ledger_leaf.c.leaf if tile.level == ENTRIES else ledger_leaf.c.leaf_hash
            where = ledger_leaf.c.log_id == self._log_id
        else:
            number, part = ledger_tile.c.idx, ledger_tile.c.root
            where = (ledger_tile.c.log_id == self._log_id) & (ledger_tile.c.level == int(tile.level) - 1)
        first = tile.index * WIDTH
        rows = select(part).where(where, number >= first, number < first + tile.width).order_by(number)
        with self._database.read() as tx:
            parts = list(tx.execute(rows).scalars())
        if len(parts) != tile.width:
            raise LedgerBroken(f"the rows of {tile.path} are missing")
        return tiles.encode_entries(parts) if tile.level == ENTRIES else tiles.encode_hashes(parts)
