"""Values that say that something was made a moment ago: nonces and challenges (RFC 9449 §8; attestation-based client authentication §8).

Derived from a secret of this server and the clock, so nothing is stored, and every process gives and takes the same ones.
"""

from keys import base64url
from keys import errors as keys_errors
from keys.keyring import SealingRing

WINDOW = 150  # seconds; a value is good in its window and the next: 150 to 300 s
SECOND = 1_000_000  # microseconds
MAX_LENGTH = 100  # characters


def make(ring: SealingRing, now: int) -> str:
    """Return the value of this moment; what it is good for is the use of the ring. `now` in microseconds."""
    window = (now // SECOND // WINDOW).to_bytes(8)
    return base64url.encode(window + ring.mac(window))


def check(ring: SealingRing, given: object, now: int) -> None:
    """Return when a value is ours and of this or a neighbouring window; `keys.errors.Mismatch` otherwise."""
    if not isinstance(given, str) or len(given) > MAX_LENGTH:
        raise keys_errors.Mismatch("not a nonce")
    try:
        box = base64url.decode(given)
        ring.verify_mac(box[:8], box[8:])
        age = now // SECOND // WINDOW - int.from_bytes(box[:8])
    except keys_errors.KeysError as foreign:
        raise keys_errors.Mismatch("not a nonce of this server") from foreign
    if age not in (-1, 0, 1):
        raise keys_errors.Mismatch("an old nonce")
