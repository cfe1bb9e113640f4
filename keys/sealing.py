"""Sealing: to a key both sides hold (AES-256-GCM), and to a holder who is not present (X25519, HKDF; RFC 7748, RFC 5869)."""

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import InvalidKey, SealBroken

KEY = 32
NONCE = 12


def new_key() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(KEY)


def derive(secret: bytes, label: str) -> bytes:
    """Return 32 bytes derived from a high-entropy secret for one labelled use (HKDF-SHA256, no salt)."""
    return HKDF(hashes.SHA256(), KEY, None, label.encode()).derive(secret)


def encrypt(key: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
    """Return nonce || ciphertext || tag by AES-256-GCM with a random nonce; opens only with the same `aad`."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + _cipher(key).encrypt(nonce, plaintext, aad)


def decrypt(key: bytes, box: bytes, aad: bytes = b"") -> bytes:
    """Return the plaintext of `encrypt`; raises `SealBroken` for another key, other `aad` or changed bytes."""
    try:
        return _cipher(key).decrypt(box[:NONCE], box[NONCE:], aad)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the box does not open") from error


@dataclass(frozen=True)
class Holder:
    """Whoever keeps a handle: `public` (32 bytes) is stored when the handle is made, `open` opens what is sealed to it."""

    public: bytes
    _private: X25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, handle: bytes) -> "Holder":
        """Return the holder of a handle of at least 32 bytes."""
        if len(handle) < KEY:
            raise InvalidKey("a handle is at least 32 bytes")
        private = X25519PrivateKey.from_private_bytes(derive(handle, "semel/holder/v1"))
        return cls(private.public_key().public_bytes_raw(), private)

    def open(self, mix: bytes, box: bytes) -> bytes:
        """Return the secret sealed to this holder; raises `SealBroken` when handle, mix or box do not fit."""
        if len(box) <= KEY + NONCE:
            raise SealBroken("the box does not open")
        try:
            key = _shared_key(self._private, box[:KEY], mix, box[:KEY] + self.public)
        except InvalidKey as error:
            raise SealBroken("the box does not open") from error
        return decrypt(key, box[KEY:])


def public_of(handle: bytes) -> bytes:
    """Return the X25519 public key (32 bytes) that belongs to a handle of at least 32 bytes."""
    return Holder.of(handle).public


def seal_to(public: bytes, mix: bytes, secret: bytes) -> bytes:
    """Return a box for the holder of the handle behind `public`.

    `mix` (at least 32 bytes: the day's preview key) is needed as well to open it, so that once it is destroyed the handle
    alone opens nothing. Raises `InvalidKey` for a public key that is none.
    """
    ephemeral = X25519PrivateKey.generate()
    head = ephemeral.public_key().public_bytes_raw()
    return head + encrypt(_shared_key(ephemeral, public, mix, head + public), secret)


def open_with(handle: bytes, mix: bytes, box: bytes) -> bytes:
    """Return the secret sealed to a handle's public key; raises as `Holder.open`."""
    return Holder.of(handle).open(mix, box)


def _shared_key(private: X25519PrivateKey, public: bytes, mix: bytes, context: bytes) -> bytes:
    if len(mix) < KEY:
        raise InvalidKey("the mixed key is at least 32 bytes")
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise InvalidKey("not an X25519 public key") from error
    return HKDF(hashes.SHA256(), KEY, mix, b"semel/seal-to/v1" + context).derive(shared)


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY:
        raise InvalidKey("a key is 32 bytes")
    return AESGCM(key)
