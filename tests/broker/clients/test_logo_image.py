"""Logos made anew: what is let in, what is refused before it costs anything, and what does not come through."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from broker.clients import logo_image
from broker.clients.logo_image import LONGEST, SCANS, SIDE, UnusableImage


def drawn(form: str = "PNG", size: tuple[int, int] = (120, 60), mode: str = "RGB", **how: Any) -> bytes:
    held = io.BytesIO()
    Image.new(mode, size, "teal" if mode in {"RGB", "RGBA", "P"} else 0).save(held, form, **how)
    return held.getvalue()


def opened(made: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(made))
    picture.load()
    return picture


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims, and would unpack to, this many white pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
BROKEN = drawn()

# fmt: off
REFUSED = [
    ("an SVG",                              SVG),
    ("an SVG behind a declaration",         b'<?xml version="1.0"?>' + SVG),
    ("a GIF",                               drawn("GIF", mode="P")),
    ("a WebP",                              drawn("WEBP")),
    ("a BMP",                               drawn("BMP")),
    ("a TIFF",                              drawn("TIFF")),
    ("a PostScript file",                   b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n"),
    ("nothing",                             b""),
    ("text",                                b"<html>not here</html>"),
    ("a picture cut short",                 BROKEN[: len(BROKEN) // 2]),
    ("a signature alone",                   b"\x89PNG\r\n\x1a\n"),
    ("no width",                            bomb(0, 10)),
    ("a pixel bomb",                        bomb(4000, 4000)),
    ("a pixel bomb of a larger kind",       bomb(50_000, 50_000)),
    ("one very long line",                  bomb(LONGEST + 1, 1)),
    ("a JPEG of very many scans",           drawn("JPEG") + b"\xff\xda" * SCANS),
]
# fmt: on


@pytest.mark.parametrize("content", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(content: bytes) -> None:
    with pytest.raises(UnusableImage):
        logo_image.remake(content)


@pytest.mark.parametrize(
    "content",
    [
        drawn(),
        drawn("JPEG", (1200, 400), quality=60),
        drawn("JPEG", (900, 900), progressive=True),
        drawn(mode="RGBA"),
        drawn(mode="P"),
        drawn(mode="L"),
        drawn(mode="1"),
        drawn("JPEG", mode="CMYK"),
        drawn(size=(1, 1)),
        drawn(size=(1, 2000)),
    ],
)
def test_every_picture_becomes_a_small_square_png(content: bytes) -> None:
    made = logo_image.remake(content)
    picture = opened(made)
    assert (picture.format, picture.size, picture.mode) == ("PNG", (SIDE, SIDE), "RGB")
    assert len(made) < 3 * SIDE * SIDE + 1000


def test_nothing_but_pixels_comes_through() -> None:
    """No text, place, profile or trailing program of the file: only what is seen."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "SECRET-NOTE")
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    for content in (
        drawn(pnginfo=note, exif=exif, icc_profile=b"SECRET-PROFILE" * 20),
        drawn("JPEG", exif=exif, comment=b"SECRET-NOTE", icc_profile=b"SECRET-PROFILE" * 20),
    ):
        assert b"SECRET" in content
        made = logo_image.remake(content + b"<script>SECRET</script>")
        assert b"SECRET" not in made
        assert b"<script" not in made
        assert opened(made).info == {}


def test_what_is_transparent_is_white() -> None:
    """On a dark page a dark logo is still seen."""
    clear = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(clear, "PNG")
    made = opened(logo_image.remake(clear.getvalue()))
    assert made.getpixel((48, 48)) == (255, 255, 255)
    assert opened(logo_image.remake(drawn())).getpixel((48, 48)) == (0, 128, 128)
