"""base64url without padding, one text per byte string (RFC 7515 §2, RFC 4648 §3.5)."""

import base64
import binascii
import re

from keys.errors import Malformed

ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode(data: bytes) -> str:
    """Return bytes as base64url text without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of base64url text.

    Raises `Malformed` for padding, other characters, an impossible length, or trailing bits that are not zero: two texts
    never mean the same bytes.
    """
    if not ALPHABET.fullmatch(text):
        raise Malformed("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise Malformed("not base64url") from error
    if encode(data) != text:
        raise Malformed("not base64url")
    return data
