"""Client secrets: made here, high in entropy, kept as one fast hash; and how they are sent (RFC 6749 §2.3.1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import unquote_plus

from keys import base64url, opaque

MAX_HEADER = 2048  # characters
HASH = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
#: What an unknown client's secret is compared with, so that it takes as long.
NOBODY = base64url.encode(opaque.digest(opaque.token()))
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~*+-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def make() -> tuple[str, str]:
    """Return a new secret (256 bits) and what is kept of it."""
    secret = opaque.token()
    return secret, kept(secret)


def kept(secret: str) -> str:
    """Return what is kept of a secret: base64url of its SHA-256. Enough because nobody chose it (`make`)."""
    return base64url.encode(opaque.digest(secret))


def verify(secret: str, kept_hash: str | None) -> None:
    """Return when a secret is the one kept; raises `keys.errors.Mismatch`. Compared in constant time."""
    opaque.equal(kept(secret), kept_hash or NOBODY)


def basic(headers: Sequence[str]) -> tuple[str, str]:
    """Return client id and secret of the one `Authorization: Basic` header; `ValueError` for anything else.

    Both are form-encoded before they are joined and encoded (RFC 6749 §2.3.1); characters that would not survive being
    read twice are refused, so that no two readers see two clients.
    """
    if len(headers) != 1 or len(headers[0]) > MAX_HEADER:
        raise ValueError("exactly one Authorization header is needed")
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        raise ValueError("the scheme must be Basic")
    try:
        text = base64.b64decode(encoded.strip(" "), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise ValueError("the header cannot be read") from problem
    client_id, colon, secret = text.partition(":")
    if not colon or not _ESCAPED.fullmatch(client_id) or not _ESCAPED.fullmatch(secret):
        raise ValueError("the header cannot be read")
    return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
