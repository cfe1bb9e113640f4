"""What a published folder says before anybody signs over it: its checkpoint, and how far its files go (C2SP tlog-tiles).

An absent checkpoint and one that cannot be read are two things: the first is an installation that has published nothing, the
second a history that nobody may sign over. So is a folder whose files go further than the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consent import checkpoint, tiles
from consent.checkpoint import Checkpoint, VerifierKey
from consent.errors import CheckpointInvalid, LedgerBroken
from consent.tiles import ENTRIES, WIDTH


@dataclass(frozen=True)
class PublishedState:
    """A folder's checkpoint as it stands there (None: there is no such file), and how many entries its bundles reach."""

    note: bytes | None = None
    reach: int = 0

    def checkpoint(self, keys: Sequence[VerifierKey]) -> Checkpoint | None:
        """Return the checkpoint once all of these keys have signed it, None when there is none, else `LedgerBroken`."""
        if self.note is None:
            return None
        try:
            return checkpoint.verify(self.note, keys)
        except CheckpointInvalid as why:
            raise LedgerBroken(f"a checkpoint is published that cannot be read ({why})") from why

    def check(self, keys: Sequence[VerifierKey], size: int, signed: Callable[[int], bytes | None]) -> None:
        """Return when a database of this size may go on from here; `LedgerBroken` when it is not what was published.

        `signed` gives the root that the database has signed at a size, None when it has signed none.
        """
        public = self.checkpoint(keys)
        if public is not None and (root := signed(public.size)) != public.root:
            what = "an older state of it" if root is None else "another history"
            raise LedgerBroken(f"{public.size} entries are published, the database has not signed them: {what}")
        if self.reach > size:
            raise LedgerBroken(
                f"files of {self.reach} entries are published, the database holds {size}: an older state of it"
            )


def read(folder: Path, *, files: bool = True) -> PublishedState:
    """Look into a folder, before the database is asked: what is published was committed first.

    Without `files` only its checkpoint is read. Raises `OSError` when the disk does not give what is there.
    """
    try:
        note = (folder / "checkpoint").read_bytes()
    except FileNotFoundError:
        note = None
    return PublishedState(note, _reach(folder) if files else 0)


def _reach(folder: Path) -> int:
    """Return how many entries the bundles of a folder reach by their names."""
    reach = 0
    for here, _, names in os.walk(folder / "tile" / ENTRIES, onerror=_unreadable):
        for name in names:
            tile = tiles.parse(Path(here, name).relative_to(folder).as_posix())
            if tile is not None:
                reach = max(reach, tile.index * WIDTH + tile.width)
    return reach


def _unreadable(problem: OSError) -> None:
    if not isinstance(problem, FileNotFoundError):
        raise problem
