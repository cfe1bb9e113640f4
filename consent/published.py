"""The published ledger against its signed root: every file is proven from above, or named (C2SP tlog-tiles).

Trust comes down from the root: the partial tiles of the right edge must give it, a full tile must give the hash that stands for
it one level up, an entry bundle must hash to its tile, and a partial file of an older size must be the beginning of what
came after. So a wrong file is told from the right ones around it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from consent import tiles
from consent.errors import TileInvalid
from consent.merkle import Frontier, Node, leaf_hash, root_of
from consent.tiles import ENTRIES, HEIGHT, WIDTH, Level, Tile

Fetch = Callable[[str], bytes | None]
Hashes = list[bytes]
STAGING = ".stage"  # where a publisher writes files before they have their names; no part of what is published
MOST = 1000  # findings; a size that nothing stands behind would otherwise keep a reader busy for ever


class _Enough(Exception):
    """So much is wrong that looking further tells nothing more."""


@dataclass(frozen=True)
class Source:
    """Where published files are read: `read(path)` gives None for what is absent; `paths` is None when there is no list."""

    read: Fetch
    paths: Callable[[], Iterator[str]] | None = None


def folder(path: Path) -> Source:
    """Return the files below a folder."""
    return Source(lambda name: _read(path / name), lambda: _listed(path))


def _listed(path: Path) -> Iterator[str]:
    for here, _, names in os.walk(path):
        for name in names:
            file = Path(here, name).relative_to(path).as_posix()
            if not file.startswith(f"{STAGING}/"):
                yield file


def nodes(size: int, read: Fetch) -> Node:
    """Return the hashes of complete subtrees as the tiles of a log of this size give them (for proofs)."""

    def node(height: int, index: int) -> bytes:
        level, part = divmod(height, HEIGHT)
        start = index << part
        at = start // WIDTH
        tile = Tile(level, at, min(WIDTH, (size >> HEIGHT * level) - at * WIDTH))
        hashes = tiles.decode_hashes(read(tile.path) or b"", tile.width)
        return root_of(hashes[start % WIDTH : start % WIDTH + (1 << part)])

    return node


@dataclass
class Walk:
    """One check of every file: `findings` maps a file to what is wrong with it, `ahead` are files of no signed size yet."""

    source: Source
    size: int
    root: bytes
    seen: Callable[
        [int, list[bytes]], str | None
    ]  # given each proven bundle: first number, entries; says what is wrong
    findings: dict[str, str] = field(default_factory=dict)
    files: int = 0
    ahead: list[str] = field(default_factory=list)
    _older: dict[tuple[Level, int], list[int]] = field(default_factory=dict)

    def run(self) -> None:
        """Check everything, from the root down; a log in which far too much is wrong is not looked at to its end."""
        try:
            self._run()
        except _Enough:
            self.findings["tile"] = f"more than {MOST} files are missing or wrong; the others were not looked at"

    def _run(self) -> None:
        self._sort_listing()
        edge = self._edge()
        for level in reversed(tiles.levels(self.size)):
            at, width = divmod(self.size >> HEIGHT * level, WIDTH)
            if width:
                self._descend(level, at, self._below(level, at, edge.get(level), width))
        for (name, at), widths in self._older.items():  # whatever has nothing signed to be held against
            self.ahead += [Tile(name, at, width).path for width in widths]

    def _descend(self, level: int, index: int, hashes: Sequence[bytes | None]) -> None:
        """Check the full tiles that a tile stands on, each with all below it before the next: in the entries' order."""
        if level == 0:
            return
        for child, expected in enumerate(hashes, index * WIDTH):
            proven = self._full(Tile(level - 1, child), expected)
            self._descend(level - 1, child, self._below(level - 1, child, proven, WIDTH))

    def _sort_listing(self) -> None:
        """Put aside what the signed size does not reach itself: older partial files, newer ones, strangers."""
        for path in self.source.paths() if self.source.paths is not None else ():
            tile = tiles.parse(path)
            if tile is not None and not tiles.reaches(self.size, tile):
                self._older.setdefault((tile.level, tile.index), []).append(tile.width)
            elif tile is None and path not in {"checkpoint", "vkeys"}:
                self._wrong(path, "not a file of a published ledger")

    def _edge(self) -> dict[int, Hashes]:
        """Return the partial tiles of the right edge that give the signed root; name those that had to be replaced."""
        partial = list(tiles.edge(self.size))
        files = {tile: self._hashes(tile) for tile in partial}
        whole = {int(tile.level): hashes for tile, hashes in files.items() if hashes is not None}
        if len(whole) == len(partial) and _edge_root(self.size, whole) == self.root:
            return whole
        choices = [[h for h in (files[tile], self._derived(tile)) if h is not None] for tile in partial]
        for chosen in product(*choices):
            edge = {int(tile.level): hashes for tile, hashes in zip(partial, chosen, strict=True)}
            if _edge_root(self.size, edge) == self.root:
                for tile in partial:
                    if edge[int(tile.level)] != files[tile]:
                        self._wrong(tile.path, "does not lead to the signed root")
                return edge
        for tile in partial:
            self._wrong(tile.path, "no reading of this tile leads to the signed root")
        if not partial:
            self._wrong("checkpoint", "an empty log has another root")
        return whole

    def _full(self, tile: Tile, expected: bytes | None) -> Hashes | None:
        """Return a full tile's hashes once they give the hash above; else what lies below, if that gives it."""
        hashes = self._hashes(tile)
        if expected is None:
            self._wrong(tile.path, "nothing above proves this file")
            return None
        if hashes is not None and root_of(hashes) == expected:
            return hashes
        self._wrong(tile.path, "is not the tile that the level above stands for")
        derived = self._derived(tile)
        return derived if derived is not None and root_of(derived) == expected else None

    def _derived(self, tile: Tile) -> Hashes | None:
        """Return a tile as the files below it give it: its entries' hashes, or the roots of its child tiles."""
        if tile.level == 0:
            entries = self._entries(Tile(ENTRIES, tile.index, tile.width), quiet=True)
            return None if entries is None else _hashed(entries)
        first, level = tile.index * WIDTH, int(tile.level) - 1
        children = [self._hashes(Tile(level, first + i), quiet=True) for i in range(tile.width)]
        return [root_of(c) for c in children if c is not None] if None not in children else None

    def _below(self, level: int, index: int, hashes: Hashes | None, width: int) -> Sequence[bytes | None]:
        """Check what hangs on one tile: its older partial files and, at level 0, its entries. Return its hashes."""
        self._others(level, index, hashes)
        if level == 0:
            tile = Tile(ENTRIES, index, width)
            entries = self._entries(tile)
            if entries is None or hashes is None or _hashed(entries) != hashes:
                self._wrong(tile.path, "its entries are not those of the tree")
            elif fault := self.seen(index * WIDTH, entries):
                self._wrong(tile.path, fault)
            self._others(ENTRIES, index, hashes)
        return hashes if hashes is not None else [None] * width

    def _others(self, level: Level, index: int, proven: Hashes | None) -> None:
        """Hold a tile's files of other sizes against the proven hashes: an older one is their beginning."""
        for width in self._older.pop((level, index), ()):
            tile = Tile(level, index, width)
            entries = self._entries(tile) if level == ENTRIES else None
            hashes = self._hashes(tile) if level != ENTRIES else None if entries is None else _hashed(entries)
            if hashes is None or proven is None or hashes[: len(proven)] != proven[:width]:
                self._wrong(tile.path, "is not the beginning of what was signed later")
            if proven is not None and width > len(proven):
                self.ahead.append(tile.path)

    def _hashes(self, tile: Tile, *, quiet: bool = False) -> Hashes | None:
        return self._decode(tile, tiles.decode_hashes, quiet=quiet)

    def _entries(self, tile: Tile, *, quiet: bool = False) -> list[bytes] | None:
        return self._decode(tile, tiles.decode_entries, quiet=quiet)

    def _decode(self, tile: Tile, decode: Callable[[bytes, int], list[bytes]], *, quiet: bool) -> list[bytes] | None:
        whole = Tile(tile.level, tile.index)
        data, width = self.source.read(tile.path), tile.width
        if data is None and tile != whole:  # removed since the checkpoint was read: the tile is full now
            data, width = self.source.read(whole.path), WIDTH
        if not quiet:
            self.files += 1
            if data is None:
                self._wrong(tile.path, "is missing")
        if data is None:
            return None
        try:
            return decode(data, width)[: tile.width]
        except TileInvalid as error:
            if not quiet:
                self._wrong(tile.path, str(error))
            return None

    def _wrong(self, path: str, what: str) -> None:
        self.findings.setdefault(path, what)
        if len(self.findings) > MOST:
            raise _Enough


def _hashed(entries: list[bytes]) -> Hashes:
    return [leaf_hash(entry) for entry in entries]


def _edge_root(size: int, edge: dict[int, Hashes]) -> bytes:
    """Return the root that the partial tiles of the right edge give."""
    return Frontier(size, list(_edge_subtrees(edge))).root()


def _edge_subtrees(edge: dict[int, Hashes]) -> Iterator[bytes]:
    for level in sorted(edge, reverse=True):
        rest = edge[level]
        for bit in reversed(range(HEIGHT)):
            if len(rest) >> bit & 1:
                yield root_of(rest[: 1 << bit])
                rest = rest[1 << bit :]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
