"""Reads a square code off a picture of the screen, as a phone's camera would (PNG, ISO/IEC 15948; QR, ISO/IEC 18004)."""

import struct
import zlib

import zxingcpp

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}  # colour type: bytes a pixel


def read(picture: bytes) -> str:
    """The text of the one square code in a PNG; ValueError when there is none, or more than one."""
    width, height, grey = pixels(picture)
    found = zxingcpp.read_barcodes(memoryview(grey).cast("B", shape=[height, width]), zxingcpp.BarcodeFormat.QRCode)
    if len(found) != 1:
        raise ValueError(f"{len(found)} square codes in the picture")
    return found[0].text


def pixels(picture: bytes) -> tuple[int, int, bytes]:
    """Width, height and the green of every pixel of an 8-bit, non-interlaced PNG, as screenshots are."""
    assert picture.startswith(SIGNATURE)
    at, header, packed = len(SIGNATURE), b"", b""
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        body = picture[at + 8 : at + 8 + length]
        header, packed = (body, packed) if kind == b"IHDR" else (header, packed + body if kind == b"IDAT" else packed)
        at += length + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert (depth, interlaced) == (8, 0)
    step = CHANNELS[colour]
    raw, stride, above, grey = zlib.decompress(packed), width * step, bytes(width * step), bytearray()
    for row in range(height):
        start = row * (stride + 1)
        above = unfilter(raw[start], raw[start + 1 : start + 1 + stride], above, step)
        grey += above[1::step]
    return width, height, bytes(grey)


def unfilter(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    """One line of pixels from its filtered bytes (PNG §9)."""
    out = bytearray(line)
    for i in range(len(line)):
        left, up = out[i - step] if i >= step else 0, above[i]
        corner = above[i - step] if i >= step else 0
        guess = (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]
        out[i] = (line[i] + guess) & 0xFF
    return bytes(out)


def paeth(left: int, up: int, corner: int) -> int:
    """The neighbour that is nearest to left + up - corner."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))
