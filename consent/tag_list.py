"""Tags of a whole log, to find one that comes twice, in a bounded piece of memory: the rest lies in files until it is looked at."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

TAG_BYTES = 32
ROW = TAG_BYTES + 8  # a tag and its entry's number
PART = 8000  # bytes of one part that are held before they are written away


class TagList:
    """Tags in 256 parts by their first byte; tags are pseudorandom, so the parts are of one size."""

    def __init__(self) -> None:
        self._held = [bytearray() for _ in range(256)]
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, tag: bytes, number: int) -> None:
        """Take an entry's tag."""
        held = self._held[tag[0]]
        held += tag + number.to_bytes(8, "big")
        if len(held) >= PART:
            with self._file(tag[0]).open("ab") as file:
                file.write(held)
            held.clear()

    def repeated(self) -> Iterator[int]:
        """Yield the number of each entry whose tag an earlier one has."""
        for first, held in enumerate(self._held):
            written = self._file(first).read_bytes() if self._folder and self._file(first).exists() else b""
            rows, seen = written + bytes(held), set[bytes]()
            for at in range(0, len(rows), ROW):
                tag = rows[at : at + TAG_BYTES]
                if tag in seen:
                    yield int.from_bytes(rows[at + TAG_BYTES : at + ROW], "big")
                seen.add(tag)

    def _file(self, first: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="semel-")
        return Path(self._folder.name, str(first))

    def close(self) -> None:
        """Remove what was written away."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
