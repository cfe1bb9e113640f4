"""Setting up an authenticator app: a new secret, its QR code, and the first code that proves that the app has it (RFC 6238).

Between the two pages nothing is stored: the secret travels in the form, sealed for this server, this browser and this purpose.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import pyotp
import qrcode  # type: ignore[import-untyped]  # it ships no types

from broker.sign_in import one_time_code
from keys import canonical, opaque
from keys.errors import KeysError
from keys.keyring import RootKeyring

LIFETIME = 900_000_000  # microseconds
QUIET = 4  # modules of white around a QR code (ISO/IEC 18004 §9.1)


@dataclass(frozen=True)
class Setup:
    """What is being set up: the app's secret in base32, the sealed hash of a new password if there is one.

    `name` is what the app calls the account.
    """

    secret: str = field(repr=False)
    name: str = field(repr=False)
    password_hash: str | None = field(default=None, repr=False)


def begin(name: str, password_hash: str | None = None) -> Setup:
    """Begin with a new secret."""
    return Setup(one_time_code.new_secret(), name, password_hash)


def seal(roots: RootKeyring, setup: Setup, bound: bytes, now: int) -> str:
    """Return a form's text that `open_` reads again; `bound` is what it belongs to. `now` in microseconds."""
    told = canonical.dumps(asdict(setup) | {"expires": now + LIFETIME})
    return base64.urlsafe_b64encode(roots.ring("cookie").seal(told, _context(bound))).decode()


def open_(roots: RootKeyring, text: str, bound: bytes, now: int) -> Setup | None:
    """Return what was sealed for the same purpose; None for anything else, and after fifteen minutes."""
    try:
        told = canonical.loads(roots.ring("cookie").open(base64.urlsafe_b64decode(text), _context(bound)))
    except (KeysError, binascii.Error, ValueError):
        return None
    return Setup(**told) if told.pop("expires") > now else None


def address(setup: Setup, issuer: str) -> str:
    """Return what the QR code holds: the `otpauth` address of authenticator apps, named by our host."""
    host = urlsplit(issuer).hostname or issuer
    return pyotp.TOTP(setup.secret).provisioning_uri(name=setup.name, issuer_name=host)


def spelled(secret: str) -> str:
    """Write a secret in groups of four letters, for people who type it."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def modules(text: str) -> tuple[int, str]:
    """Draw a text as a QR code: its width in modules, quiet zone included, and the dark ones as an SVG path."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=QUIET)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, one in enumerate(row) if one)
    return len(rows), "".join(dark)


def bound(*parts: str | bytes) -> bytes:
    """Return what a setup belongs to: the digest of these."""
    return b"".join(opaque.digest(part) for part in parts)


def _context(belongs: bytes) -> bytes:
    return b"semel/authenticator/v1\x00" + belongs
