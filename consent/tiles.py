"""Tiles and entry bundles: a log as static files (C2SP tlog-tiles)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from consent.errors import TileInvalid
from consent.merkle import HASH_BYTES

WIDTH = 256
HEIGHT = 8  # of a full tile, in tree levels
ENTRY_LIMIT = 65_535  # bytes of one entry
ENTRIES: Literal["entries"] = "entries"

Level = int | Literal["entries"]

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, order=True)
class Tile:
    """Which tile (level 0 and up: hashes) or entry bundle (level `entries`); width 256 is a full one."""

    level: Level
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The file's path below the log's prefix; three-digit groups, `.p/<width>` for a partial one."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{name}{partial}"


def parse(path: str) -> Tile | None:
    """Return what a path names, or None when it is not exactly the path of a tile or bundle."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, name, width = match.groups()
    index = int(name.replace("x", "").replace("/", "")[:20])
    tile = Tile(ENTRIES if level == ENTRIES else int(level), index, int(width or WIDTH))
    return tile if tile.path == path and tile.width <= WIDTH else None


def levels(size: int) -> range:
    """Return the tile levels that a tree of this size has."""
    count = 0
    while size >> (HEIGHT * count):
        count += 1
    return range(count)


def for_size(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles and bundles a checkpoint of this size reaches; with `since`, without those full at that size."""
    for level in (ENTRIES, *levels(size)):
        shift = 0 if level == ENTRIES else HEIGHT * level
        hashes = size >> shift
        full, width = divmod(hashes, WIDTH)
        for index in range((since >> shift) // WIDTH, full):
            yield Tile(level, index)
        if width:
            yield Tile(level, full, width)


def edge(size: int) -> Iterator[Tile]:
    """Yield the partial tiles of hashes that a checkpoint of this size reaches, the lowest level first."""
    for level in levels(size):
        full, width = divmod(size >> HEIGHT * level, WIDTH)
        if width:
            yield Tile(level, full, width)


def reaches(size: int, tile: Tile) -> bool:
    """Whether a checkpoint of this size reaches a file, as `for_size` yields it."""
    if tile.level != ENTRIES and tile.level not in levels(size):
        return False
    full, width = divmod(size if tile.level == ENTRIES else size >> HEIGHT * int(tile.level), WIDTH)
    return (tile.index < full and tile.width == WIDTH) or (tile.index == full and tile.width == width > 0)


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return a tile's bytes."""
    return b"".join(hashes)


def decode_hashes(data: bytes, width: int) -> list[bytes]:
    """Return a tile's hashes; `TileInvalid` unless there are exactly `width`."""
    if len(data) != width * HASH_BYTES:
        raise TileInvalid(f"a tile of width {width} has {width * HASH_BYTES} bytes, not {len(data)}")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle's bytes: each entry after its length in two bytes. `TileInvalid` for one too long."""
    if any(len(entry) > ENTRY_LIMIT for entry in entries):
        raise TileInvalid("an entry is longer than a bundle can hold")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_entries(data: bytes, width: int) -> list[bytes]:
    """Return an entry bundle's entries; `TileInvalid` unless it holds exactly `width` and nothing else."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if position + 2 > len(data) or end > len(data):
            raise TileInvalid("the entry bundle ends inside an entry")
        entries.append(data[position + 2 : end])
        position = end
    if len(entries) != width:
        raise TileInvalid(f"the entry bundle holds {len(entries)} entries, not {width}")
    return entries
