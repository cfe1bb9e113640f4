"""Proof key for code exchange, S256 only (RFC 7636 §4.2, §4.6; RFC 9700 §2.1.1)."""

import base64
import hashlib
import re

from keys import opaque

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def check_challenge(challenge: str | None, method: str | None) -> str:
    """Return a challenge that can be met; `ValueError` for a missing one, another method, or one that is no SHA-256.

    A method left out means `plain` (RFC 7636 §4.3) and is refused as such.
    """
    if challenge is None:
        raise ValueError("code_challenge is required")
    if method != METHOD:
        raise ValueError("code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise ValueError("code_challenge is not the base64url of a SHA-256")
    return challenge


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def verify(verifier: str | None, challenge: str | None) -> None:
    """Return when the verifier meets the challenge, compared in constant time; without a challenge there must be no verifier.

    `ValueError` when it is missing, malformed or not asked for (RFC 9700 §4.8.2), `keys.errors.Mismatch` when it belongs to
    another challenge.
    """
    if challenge is None:
        if verifier is not None:
            raise ValueError("the request had no code_challenge")
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        raise ValueError("code_verifier must be 43 to 128 unreserved characters")
    opaque.equal(challenge_of(verifier), challenge)
