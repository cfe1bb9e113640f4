"""The publisher: committed entries become static files, a signed checkpoint says how far (C2SP tlog-tiles, tlog-checkpoint).

Files are derived from committed rows alone, so a path always has the same bytes; one that would get others is an alarm, never
a rewrite. The order: tiles and bundles, proof that the last signed tree is their beginning, signatures, the row that counts,
the checkpoint's file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from broker import telemetry
from broker.database import Database, Tx
from consent import checkpoint, ledger, merkle, published, tiles
from consent.checkpoint import Checkpoint, Signer
from consent.errors import LedgerBroken, ProofInvalid, TileInvalid
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

    `clock` gives microseconds since 1970. Beside the folder, in `<folder>.new`, files are written before they get their name.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        signers: Sequence[Signer],
        *,
        clock: Callable[[], int],
        log_id: int = ledger.LOG_ID,
    ) -> None:
        self._database, self._folder, self._signers, self._clock = database, folder, tuple(signers), clock
        self._log_id = log_id
        self._whole = False  # whether this process has seen every file of the last signed size
        self._staging = folder.with_name(folder.name + ".new")

    def publish_once(self) -> None:
        """Publish whatever was committed since the last checkpoint.

        Raises `LedgerBroken` when the committed tree does not begin with the signed one or a published file differs from the
        rows: then nothing is signed.
        """
        signed = self.prepare()
        if signed is not None:
            self.record(signed)
        self.show()

    async def run(self, every: float) -> None:
        """Publish every so many seconds until cancelled. A failure is logged and tried again; files go out in a thread."""
        while True:
            try:
                signed = await asyncio.to_thread(self.prepare)
                if signed is not None:
                    self.record(signed)
                await asyncio.to_thread(self.show)
            except Exception as problem:  # noqa: BLE001 - the ledger goes on; the alarm is the log and the checkpoint's age
                telemetry.failure("publish", problem)
            await asyncio.sleep(every)

    def prepare(self) -> Signed | None:
        """Write the files of the committed size and sign it; None when it is signed already. Only reads the database."""
        public = published.signed_size(self._folder)  # before the rows: a checkpoint is recorded first, then shown
        with self._database.read() as tx:
            last = self._newest(tx)
            head = ledger.head(
                tx, self._log_id
            )  # after it: another publisher may sign what is committed between the two
        size, root = (last.size, last.root) if last is not None else (0, merkle.EMPTY_ROOT)
        if public > size:
            raise LedgerBroken(f"{public} entries are published, the database signed {size}: an older state of it")
        if size > head.size:
            raise LedgerBroken(f"{size} entries were signed, the database holds {head.size}: an older state of it")
        if not self._whole:  # a process that starts mends what its predecessor did not finish
            for tile in tiles.for_size(size):
                if not (self._folder / tile.path).exists():
                    self._write(tile)
        for tile in tiles.for_size(head.size, since=size) if size < head.size else ():
            self._write(tile)
        self._whole = True
        if size == head.size:
            return None
        self._verify(head, size, root)
        signing, now = Checkpoint(head.origin, head.size, head.root), self._clock()
        return Signed(signing, checkpoint.sign(signing, self._signers, now), size, now)

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
        """Put the newest recorded checkpoint and the verifier keys where they are served."""
        with self._database.read() as tx:
            last = self._newest(tx)
        if last is None:
            return
        self._replace("vkeys", checkpoint.encode_vkeys(signer.key for signer in self._signers))
        self._replace("checkpoint", last.note)

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
        node = published.nodes(head.size, lambda path: (self._folder / path).read_bytes())
        try:
            if merkle.subtree_root(0, head.size, node) != head.root:
                raise LedgerBroken("the published tiles do not give the committed root")
            merkle.verify_consistency(size, head.size, root, head.root, merkle.consistency_proof(size, head.size, node))
        except (ProofInvalid, TileInvalid) as error:
            raise LedgerBroken("the committed tree does not begin with the one that was signed") from error

    def _write(self, tile: Tile) -> None:
        """Write a file once; `LedgerBroken` when it is there with other bytes."""
        path, data = self._folder / tile.path, self._derive(tile)
        if path.exists():
            if path.read_bytes() != data:
                raise LedgerBroken(f"{tile.path} was published with other bytes")
            return
        self._place(data, path)

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

    def _replace(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if not path.exists() or path.read_bytes() != data:
            self._place(data, path)

    def _place(self, data: bytes, path: Path) -> None:
        """Give bytes their name in one step, once they are on the disk: no reader sees half a file."""
        self._staging.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = self._staging / str(os.getpid())
        with staged.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
