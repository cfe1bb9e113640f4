"""JSON Web Keys: thumbprints (RFC 7638), public keys and key sets of others, bounded (RFC 7517, RFC 7518 §6)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from joserfc import jwk as jose
from joserfc.errors import JoseError

from keys import base64url, canonical, certificates
from keys.errors import InvalidKey, Malformed

#: Members that make the key (RFC 7638 §3.2; RFC 8037 §2; AKP: ML-DSA for JOSE).
MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "RSA": ("e", "kty", "n"),
    "OKP": ("crv", "kty", "x"),
    "AKP": ("alg", "kty", "pub"),
}
ABOUT = ("kid", "use", "alg", "key_ops")
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"})
#: What verifies for us: joserfc's algorithm, key type, curve.
VERIFIES = {
    "ES256": ("ES256", "EC", "P-256"),
    "PS256": ("PS256", "RSA", None),
    "RS256": ("RS256", "RSA", None),
    "EdDSA": ("Ed25519", "OKP", "Ed25519"),
    "Ed25519": ("Ed25519", "OKP", "Ed25519"),
}
#: What a key that is encrypted to may be for (RFC 7517 §4.3).
ENCRYPTS = ("encrypt", "wrapKey", "deriveKey", "deriveBits")
MAX_KEYS = 32
MAX_SET = 128 * 1024  # bytes
MAX_ABOUT = 256  # characters of kid, use, alg
P256_BYTES = 32  # of a coordinate
RSA_BYTES = (256, 512)  # 2048 to 4096 bits


@dataclass(frozen=True)
class KeySet:
    """Public keys that may verify, in the order they were given; `encryption` are those that may be encrypted to.

    `certificates` are the thumbprints of the certificates that came with keys, for TLS (RFC 8705 §2.2.2). `unusable` counts the
    keys that were left out; `trouble` says why a newer set could not be had, if it could not.
    """

    keys: tuple[Mapping[str, Any], ...]
    certificates: frozenset[str] = frozenset()
    encryption: tuple[Mapping[str, Any], ...] = ()
    unusable: int = 0
    trouble: str = ""

    def find(self, alg: str, kid: str | None) -> tuple[Mapping[str, Any], ...]:
        """Return the keys that can verify `alg`: those named `kid`, or without a name all of them."""
        _, kty, crv = VERIFIES[alg]
        return tuple(
            key
            for key in self.keys
            if (key["kty"], key.get("crv")) == (kty, crv)
            and (kid is None or key.get("kid") == kid)
            and key.get("use", "sig") == "sig"
            and "verify" in key.get("key_ops", ("verify",))
            and VERIFIES.get(key.get("alg", alg)) == VERIFIES[alg]
        )

    def lacks(self, alg: str) -> str:
        """Say, for the developer whose key was not found, what may be wrong with the set."""
        said = [f"no key of the set has this kid and fits {alg}"]
        if self.unusable:
            said.append(f"{self.unusable} of its keys are of a type, curve or size not used here")
        return "; ".join([*said, self.trouble] if self.trouble else said)

    def recipient(self, alg: str, kty: str) -> Mapping[str, Any] | None:
        """Return the key to encrypt to with `alg`: one made for that algorithm before one that names none; None without any."""
        fitting = [
            key
            for key in self.encryption
            if (key["kty"], key.get("crv")) in {(kty, None), (kty, "P-256")}
            and key.get("alg", alg) == alg
            and ("key_ops" not in key or any(use in key["key_ops"] for use in ENCRYPTS))
        ]
        return next((key for key in fitting if "alg" in key), fitting[0] if fitting else None)


def public(key: object) -> Mapping[str, Any]:
    """Return a public key cut down to the members we know, checked and unchangeable.

    Raises `InvalidKey` for a private or symmetric key (one private member is enough), an unknown type or curve, a member
    of another form, and an RSA key below 2048 or above 4096 bits.
    """
    if not isinstance(key, dict) or str(key.get("kty")) not in MEMBERS or PRIVATE & key.keys():
        raise InvalidKey("not a public key")
    known = {name: key[name] for name in (*MEMBERS[key["kty"]], *ABOUT) if name in key}
    about = [known[name] for name in ("kid", "use", "alg") if name in known]
    operations = known.get("key_ops", [])
    if not all(isinstance(text, str) and len(text) <= MAX_ABOUT for text in about) or not isinstance(operations, list):
        raise InvalidKey("not a public key")
    thumbprint(known)
    if key["kty"] != "AKP":
        imported(known)
    return MappingProxyType(known)


def thumbprint(key: Mapping[str, Any]) -> str:
    """Return the base64url SHA-256 thumbprint of a key's required members (RFC 7638 §3); raises `InvalidKey`."""
    return _thumbprint(_required(key))


def parse_set(document: bytes | str | Mapping[str, Any]) -> KeySet:
    """Return the public keys of a JWK Set (RFC 7517 §5).

    Keys of a type we do not know are left out as §5 says. Raises `InvalidKey` for text that is no set,
    more than `MAX_KEYS` keys, and a private key among them (its owner has published it: nothing of the set is trusted).
    """
    if isinstance(document, bytes | str) and len(document) > MAX_SET:
        raise InvalidKey("the key set is too large")
    try:
        value = canonical.loads(document) if isinstance(document, bytes | str) else document
    except Malformed as error:
        raise InvalidKey("not a key set") from error
    listed = value.get("keys") if isinstance(value, Mapping) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise InvalidKey("not a key set")
    usable = tuple(_usable(listed))
    return KeySet(
        tuple(key for key in usable if key.get("use", "sig") == "sig"),
        frozenset(_certified(listed)),
        tuple(key for key in usable if key.get("use", "enc") == "enc" and key["kty"] in {"EC", "RSA"}),
        len(listed) - len(usable),
    )


def _usable(listed: list[Any]) -> Iterable[Mapping[str, Any]]:
    for key in listed:
        if not isinstance(key, dict) or key.get("kty") == "oct" or PRIVATE & key.keys():
            raise InvalidKey("not a set of public keys")
        try:
            yield public(key)
        except InvalidKey:
            continue


def _certified(listed: list[Any]) -> Iterable[str]:
    return filter(None, (certificates.registered(key) for key in listed))


def imported(key: Mapping[str, Any]) -> jose.Key:
    """Return the key ready to verify; importing costs as much as a signature, so the last thousand are remembered."""
    return _import(_required(key))


@lru_cache(maxsize=1024)
def _thumbprint(required: bytes) -> str:
    return base64url.encode(hashlib.sha256(required).digest())


@lru_cache(maxsize=1024)
def _import(required: bytes) -> jose.Key:
    members = canonical.loads(required)
    try:
        if members["kty"] == "RSA":
            _check_rsa(members)
        elif (members["kty"], members["crv"]) not in {("EC", "P-256"), ("OKP", "Ed25519")}:
            raise InvalidKey("a curve that we do not use")
        elif members["kty"] == "EC" and any(len(base64url.decode(members[name])) != P256_BYTES for name in "xy"):
            raise InvalidKey("a coordinate of another length")  # RFC 7518 §6.2.1.2: else one key has many thumbprints
        return jose.import_key(members)
    except (JoseError, Malformed, ValueError, TypeError) as error:
        raise InvalidKey("not a public key") from error


def _check_rsa(members: Mapping[str, str]) -> None:
    modulus, exponent = base64url.decode(members["n"]), base64url.decode(members["e"])
    odd = bool(exponent) and exponent[0] > 0 and exponent[-1] & 1 == 1  # no leading zero: RFC 7518 §2
    if (
        not RSA_BYTES[0] <= len(modulus) <= RSA_BYTES[1]
        or modulus[0] < 0x80
        or not odd
        or not 1 < int.from_bytes(exponent, "big") < 2**32
    ):
        raise InvalidKey("an RSA key outside 2048 to 4096 bits, or an unusual exponent")


def _required(key: Mapping[str, Any]) -> bytes:
    try:
        members = {name: key[name] for name in MEMBERS[key["kty"]]}
    except (KeyError, TypeError) as error:
        raise InvalidKey("not a key") from error
    if not all(isinstance(value, str) and len(value) <= 4096 for value in members.values()):
        raise InvalidKey("not a key")
    return canonical.dumps(members)
