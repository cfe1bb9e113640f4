"""Ledger signatures over raw bytes: Ed25519 (RFC 8032) and ML-DSA-44 with empty context (FIPS 204); C2SP signed-note keys."""

from keys import algorithms
from keys.algorithms import Alg
from keys.keyring import SigningKey


def public_key(signer: SigningKey) -> bytes:
    """Return a signer's raw public key: 32 bytes for Ed25519, 1312 for ML-DSA-44."""
    return algorithms.public_bytes(signer.public_jwk)


def sign(signer: SigningKey, message: bytes) -> bytes:
    """Return the raw signature over `message`: 64 bytes for Ed25519, 2420 for ML-DSA-44."""
    return signer.sign(message)


def verify(alg: Alg, public: bytes, message: bytes, signature: bytes) -> None:
    """Return when the signature holds; raises `InvalidSignature`, or `InvalidKey` for bytes that are no public key."""
    algorithms.verify(alg, public, message, signature)


def from_seed(alg: Alg, seed: bytes) -> SigningKey:
    """Return a ledger signer made from 32 seed bytes: for published vectors and for witnesses with a key of their own."""
    return SigningKey.of(algorithms.from_seed(alg, seed), purpose="ledger", stage="signing")
