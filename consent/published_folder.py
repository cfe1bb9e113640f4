"""The folder of published files, as its one writer sees it: a file appears whole, under a name that had none before.

A file is written and flushed inside the folder itself, which may be a mount of its own, under a random name that is nobody
else's; then it is linked to its own name, and the directory flushed too (rename(2), link(2), fsync(2)).
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from consent import tiles
from consent.errors import LedgerBroken
from consent.published import STAGING
from consent.tiles import ENTRIES, WIDTH, Tile

LINKLESS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}  # file systems without hard links
ABANDONED = 3600  # seconds after which nobody is still writing a staged file


class PublishedFolder:
    """Writes below `path`; every method raises `OSError` when the disk does not take or give what it should."""

    def __init__(self, path: Path, *, fsync: Callable[[int], None] = os.fsync) -> None:
        self.path, self._fsync = path, fsync
        self._staging = path / STAGING

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None when there is no such file."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).exists()

    def add(self, name: str, data: bytes) -> None:
        """Give bytes a name for ever; `LedgerBroken` when the name has other bytes already, and they stay."""
        if not self._same(name, data):
            self._place(name, data, anew=True)

    def replace(self, name: str, data: bytes) -> None:
        """Give a name these bytes in one step, whatever it had before."""
        if self.read(name) != data:
            self._place(name, data, anew=False)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one publisher, of all on this folder, that moves its checkpoint, until the end of the block (flock(2))."""
        self._make(self.path)
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def drop_partials(self, tile: Tile) -> None:
        """Remove the partial files of a tile that is there in full: they are its beginning (C2SP tlog-tiles, "Partial Tiles")."""
        full = self.path / Tile(tile.level, tile.index).path
        partial = full.with_name(full.name + ".p")
        if not full.exists() or not partial.is_dir():
            return
        for file in partial.iterdir():
            file.unlink(missing_ok=True)
        with suppress(OSError):  # another publisher writes one just now
            partial.rmdir()

    def partials(self) -> Iterator[Tile]:
        """Yield every tile that has partial files, at the width of one of them."""
        for here, _, names in os.walk(self.path / "tile"):
            if here.endswith(".p") and names:
                tile = tiles.parse(Path(here, names[0]).relative_to(self.path).as_posix())
                if tile is not None and tile.width < WIDTH:
                    yield tile

    def beyond(self, size: int) -> Iterator[Tile]:
        """Yield every bundle that holds entries after the first `size`: written for a size that was never recorded."""
        for here, _, names in os.walk(self.path / "tile" / ENTRIES):
            for name in names:
                tile = tiles.parse(Path(here, name).relative_to(self.path).as_posix())
                if tile is not None and tile.index * WIDTH + tile.width > size:
                    yield tile

    def sweep(self) -> None:
        """Remove what a publisher that died has left where files are staged; also where earlier versions staged them."""
        self._make(self._staging)
        now = self._stage(b"")  # the file system's own clock, which also gives the files their times
        try:
            for file in self._staging.iterdir():
                if file != now and now.stat().st_mtime - file.stat().st_mtime > ABANDONED:
                    file.unlink(missing_ok=True)
        finally:
            now.unlink()
        earlier = self.path.with_name(self.path.name + ".new")
        if earlier.is_dir():
            for file in earlier.iterdir():
                file.unlink(missing_ok=True)
            with suppress(OSError):
                earlier.rmdir()

    def _same(self, name: str, data: bytes) -> bool:
        """Whether a name has just these bytes; False when it has none."""
        there = self.read(name)
        if there is not None and there != data:
            raise LedgerBroken(f"{name} was published with other bytes")
        return there is not None

    def _place(self, name: str, data: bytes, *, anew: bool) -> None:
        path = self.path / name
        self._make(self._staging)
        self._make(path.parent)
        staged = self._stage(data)
        try:
            if anew:
                self._link(staged, name, data)
            else:
                staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
        self._flush(path.parent)

    def _stage(self, data: bytes) -> Path:
        """Write and flush bytes under a random name that did not exist."""
        staged = self._staging / secrets.token_hex(16)
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb") as file:
            try:
                file.write(data)
                file.flush()
                self._fsync(file.fileno())
            except OSError:
                staged.unlink()
                raise
        return staged

    def _link(self, staged: Path, name: str, data: bytes) -> None:
        """Link a staged file to its name, or find that another publisher has given it the same bytes."""
        try:
            (self.path / name).hardlink_to(staged)
        except FileExistsError:
            if not self._same(name, data):
                raise
        except OSError as problem:
            if problem.errno not in LINKLESS:
                raise
            if not self._same(name, data):
                staged.replace(self.path / name)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it; each new one is flushed into the one it stands in."""
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            self._flush(each.parent)

    def _flush(self, folder: Path) -> None:
        """Have a directory's names reach the disk (fsync(2): a file's flush does not flush its name)."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._fsync(handle)
        finally:
            os.close(handle)
