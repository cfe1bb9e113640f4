"""Algorithms: making keys, signing and verifying raw signatures (RFC 7518 §3, RFC 8037, RFC 9864, FIPS 204); keys to encrypt to (§4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keys import base64url
from keys.errors import InvalidKey, InvalidSignature, Malformed

Alg = Literal["ES256", "PS256", "RS256", "EdDSA", "Ed25519", "ML-DSA-44", "ECDH-ES", "RSA-OAEP-256"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey

SEED = 32  # bytes: the P-256 scalar, the Ed25519 seed, the ML-DSA seed
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ES256_HASH = ec.ECDSA(hashes.SHA256())
RSA_BITS = 3072  # 128 bits of security; 2048 is what others may still bring
RSA_PADDING: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32),  # RFC 7518 §3.5: as long as the hash
}
ENCRYPTION: tuple[Alg, ...] = ("ECDH-ES", "RSA-OAEP-256")  # what others encrypt to us with; they sign nothing
ON_P256: tuple[Alg, ...] = ("ES256", "ECDH-ES")


@dataclass(frozen=True)
class KeyPair:
    """A private key with its algorithm; signs raw, never shows itself."""

    alg: Alg
    private: PrivateKey

    def __repr__(self) -> str:
        return f"KeyPair({self.alg})"

    def seed(self) -> bytes:
        """Return what `from_seed` makes this key of again, 32 bytes or an RSA key's PKCS #8; only to be sealed."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.private_numbers().private_value.to_bytes(SEED, "big")
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        return self.private.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature: r || s of 64 bytes for ES256 (RFC 7518 §3.4), else the scheme's own bytes.

        Raises `InvalidKey` for a key that is there to be encrypted to.
        """
        if self.alg in ENCRYPTION:
            raise InvalidKey("this key signs nothing")
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(message, ES256_HASH))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, RSA_PADDING[self.alg], hashes.SHA256())
        return self.private.sign(message)

    def public_bytes(self) -> bytes:
        """Return the raw public key: 32 bytes (Ed25519), 1312 (ML-DSA-44), 64 (P-256: x || y), the modulus (RSA)."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            point = self.private.public_key().public_numbers()
            return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.public_key().public_numbers().n.to_bytes(RSA_BITS // 8, "big")
        return self.private.public_key().public_bytes_raw()

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as the required members of a JWK (RFC 7517; AKP for ML-DSA)."""
        raw = self.public_bytes()
        if self.alg in ON_P256:
            return {"kty": "EC", "crv": "P-256", "x": base64url.encode(raw[:32]), "y": base64url.encode(raw[32:])}
        if isinstance(self.private, rsa.RSAPrivateKey):
            return {"kty": "RSA", "n": base64url.encode(raw), "e": "AQAB"}
        if self.alg in {"EdDSA", "Ed25519"}:
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(raw)}
        return {"kty": "AKP", "alg": "ML-DSA-44", "pub": base64url.encode(raw)}


def generate(alg: Alg) -> KeyPair:
    """Return a new random key pair. An RSA one takes a tenth of a second or three, off the interpreter's lock."""
    match alg:
        case "ES256" | "ECDH-ES":
            return KeyPair(alg, ec.generate_private_key(ec.SECP256R1()))
        case "PS256" | "RS256" | "RSA-OAEP-256":
            return KeyPair(alg, rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))
        case "EdDSA" | "Ed25519":
            return KeyPair(alg, ed25519.Ed25519PrivateKey.generate())
        case "ML-DSA-44":
            return KeyPair(alg, mldsa.MLDSA44PrivateKey.generate())
        case _:
            raise InvalidKey("unknown algorithm")


def from_seed(alg: Alg, seed: bytes) -> KeyPair:
    """Return the key pair of what `KeyPair.seed` gave; raises `InvalidKey` for anything else.

    It comes out of a box that only this server seals, so an RSA key's primes are not proven again (100 ms each time).
    """
    if alg in RSA_PADDING or alg == "RSA-OAEP-256":
        return _rsa_pair(alg, seed)
    if len(seed) != SEED:
        raise InvalidKey("a seed is 32 bytes")
    match alg:
        case "ES256" | "ECDH-ES":
            scalar = int.from_bytes(seed, "big")
            if not 0 < scalar < P256_ORDER:
                raise InvalidKey("not a P-256 scalar")
            return KeyPair(alg, ec.derive_private_key(scalar, ec.SECP256R1()))
        case "EdDSA" | "Ed25519":
            return KeyPair(alg, ed25519.Ed25519PrivateKey.from_private_bytes(seed))
        case "ML-DSA-44":
            return KeyPair(alg, mldsa.MLDSA44PrivateKey.from_seed_bytes(seed))
        case _:
            raise InvalidKey("unknown algorithm")


def _rsa_pair(alg: Alg, pkcs8: bytes) -> KeyPair:
    try:
        private = serialization.load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError) as error:
        raise InvalidKey("not a PKCS #8 key") from error
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size != RSA_BITS:
        raise InvalidKey("not an RSA key of ours")
    return KeyPair(alg, private)


def verify(alg: Alg, public: bytes, message: bytes, signature: bytes) -> None:
    """Return when `signature` is `alg`'s over `message` by the raw public key (as `KeyPair.public_bytes` gives it).

    Raises `InvalidSignature`, or `InvalidKey` when the public key is none.
    """
    try:
        if alg in RSA_PADDING:
            key = rsa.RSAPublicNumbers(65537, int.from_bytes(public, "big")).public_key()
            key.verify(signature, message, RSA_PADDING[alg], hashes.SHA256())
        elif alg in {"EdDSA", "Ed25519"}:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        elif alg == "ML-DSA-44":
            mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            _verify_es256(public, message, signature)
    except NotSigned as error:
        raise InvalidSignature("the signature does not fit") from error
    except ValueError as error:
        raise InvalidKey("not a public key") from error


def _verify_es256(public: bytes, message: bytes, signature: bytes) -> None:
    if len(public) != 64:
        raise ValueError
    if len(signature) != 64:
        raise NotSigned
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    point.verify(encode_dss_signature(r, s), message, ES256_HASH)


def public_bytes(jwk: Mapping[str, Any]) -> bytes:
    """Return the raw public key of one of our own public JWKs (the inverse of `KeyPair.public_jwk`)."""
    try:
        members = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n",), "AKP": ("pub",)}[jwk["kty"]]
        return b"".join(base64url.decode(jwk[member]) for member in members)
    except (KeyError, Malformed, TypeError) as error:
        raise InvalidKey("not a public key") from error
