"""User codes: what a person carries from a device's screen to their browser (RFC 8628 §6.1).

Eight letters of an alphabet without vowels and look-alikes: 20^8 of them, nearly 35 bits, which nobody guesses at the rate that is
allowed. Kept as a keyed code, since so few bits could be found again from a plain hash.
"""

import secrets

from broker.sign_in import typed_code
from keys.keyring import RootKeyring

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8
MAX_TYPED = 40  # characters that are looked at


def new() -> str:
    """Return a new code, without its dash."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def told(code: str) -> str:
    """Write a code as people read it: `WDJB-MJHT`."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read(typed: str) -> str | None:
    """Return the code that somebody typed, in any case, with any marks and spaces; None for what is no code."""
    code = "".join(letter for letter in typed_code.plain(typed[:MAX_TYPED]) if letter.isalnum())
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else None


def macs(roots: RootKeyring, code: str) -> tuple[bytes, ...]:
    """Return what is stored of a code, one under every root, the newest first."""
    return roots.ring("pepper").macs(b"semel/user-code/v1\x00" + code.encode())
