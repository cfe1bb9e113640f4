"""A client's logo made anew: a small PNG of its pixels alone, out of bytes that nobody trusts (RFC 7591 §2 `logo_uri`).

PNG and JPEG are read, by their own beginnings and not by what was said of them; never SVG, which is a program. WebP is left
out: its reader reserves the whole picture before its size can be refused.
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

SIDE: Final = 96  # pixels of the square that is shown, at half of that on a page
MOST_PIXELS: Final = 4_000_000
LONGEST: Final = 4_096  # pixels, of a side
SCANS: Final = 64  # of a JPEG file: each one is work for all its pixels
FORMATS: Final = ("PNG", "JPEG")
_SCAN: Final = b"\xff\xda"


class UnusableImage(ValueError):
    """What was fetched is no picture that can be shown."""


def remake(content: bytes) -> bytes:
    """Return a PNG of `SIDE` pixels a side, the picture in the middle of white, without a word of what else the file held.

    Slow arithmetic: call it in a thread. Raises `UnusableImage` for another format, a broken file, too many pixels.
    """
    if content.count(_SCAN) > SCANS:
        raise UnusableImage("too many scans")
    try:
        return _square(content)
    except UnusableImage:
        raise
    except Exception as problem:  # readers of pictures raise whatever a broken file makes them raise
        raise UnusableImage(type(problem).__name__) from problem


def _square(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:  # reads the size alone
        width, height = picture.size
        if not (0 < width <= LONGEST and 0 < height <= LONGEST and width * height <= MOST_PIXELS):
            raise UnusableImage("too many pixels")
        picture.draft("RGB", (SIDE, SIDE))  # a JPEG file is read at the size that is needed
        colours = picture.convert("RGBA")
    colours.thumbnail((SIDE, SIDE))
    square = Image.new("RGBA", (SIDE, SIDE), "white")
    square.alpha_composite(colours, ((SIDE - colours.width) // 2, (SIDE - colours.height) // 2))
    made = io.BytesIO()
    square.convert("RGB").save(made, "PNG", optimize=True)
    return made.getvalue()
