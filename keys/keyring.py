"""The root keyring and the rings derived from it, and the loaded set of signing keys (RFC 5869, RFC 7517 §5)."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwk as jose
from sqlalchemy import Connection

from keys import base64url, jwe, jwk, sealing
from keys.algorithms import Alg, KeyPair
from keys.errors import InvalidKey, Malformed, Mismatch, NoSuchKey, SealBroken, UnknownRoot

Use = Literal[
    "signing", "ledger", "totp", "cookie", "dpop-nonce", "c-nonce", "pepper", "form", "token", "outbox", "signals",
    "attestation", "holder-key",
]  # fmt: skip
Purpose = Literal["token", "ledger", "credential", "encryption"]
Stage = Literal["upcoming", "signing", "retiring"]

DISTINCT = 16  # different bytes, and different steps between them, in 32 random ones: about thirty
ROOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class Root:
    """One 32-byte root secret under its id."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class RootKeyring:
    """The server's root secrets: the first seals, all of them open; every sealed box names the root it was made with."""

    roots: tuple[Root, ...]

    @classmethod
    def parse(cls, text: str) -> "RootKeyring":
        """Read lines `id base64url(32 bytes)`; empty lines and lines starting with `#` do not count.

        Raises `Malformed` (naming the line, never its content) for another form, a repeated id, or no root at all.
        """
        roots: list[Root] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            words = line.split()
            secret = base64url.decode(words[1].rstrip("=")) if len(words) == 2 else b""
            if len(secret) != sealing.KEY or not ROOT_ID.fullmatch(words[0]):
                raise Malformed(f"line {number} of the root keyring is not `id base64url(32 bytes)`")
            if any(root.id == words[0] for root in roots):
                raise Malformed(f"line {number} of the root keyring repeats an id")
            roots.append(Root(words[0], secret))
        if not roots:
            raise Malformed("the root keyring is empty")
        return cls(tuple(roots))

    @classmethod
    def generate(cls) -> "RootKeyring":
        """Return a keyring of one new random root."""
        return cls((Root(f"r{secrets.token_hex(4)}", sealing.new_key()),))

    def text(self) -> str:
        """Return the lines that `parse` reads; a secret, to be written to a file of mode 0600."""
        return "".join(f"{root.id} {base64url.encode(root.secret)}\n" for root in self.roots)

    def weakness(self) -> str | None:
        """Say why a root is no secret (a pattern, a text somebody typed, one twice); None for random bytes.

        Random bytes are refused less than once in 10^13 keyrings.
        """
        for root in self.roots:
            steps = {(after - before) % 256 for before, after in pairwise(root.secret)}
            if len(set(root.secret)) < DISTINCT or len(steps) < DISTINCT:
                return f"root {root.id} is a pattern, not random bytes"
            if all(0x20 <= byte < 0x7F for byte in root.secret):
                return f"root {root.id} is a text, not random bytes"
        if len({root.secret for root in self.roots}) < len(self.roots):
            return "two roots are the same secret"
        return None

    def ring(self, use: Use) -> "SealingRing":
        """Return the keys of one use, derived by HKDF from every root; rings of two uses share nothing."""
        return _derive(self, use)


@dataclass(frozen=True)
class SealingRing:
    """The keys of one use: sealing of what rests in the database, and authentication codes."""

    use: Use
    keys: tuple[tuple[str, bytes, bytes], ...] = field(repr=False)  # root id, sealing key, authentication key

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return a box that only this use opens and only with the same `aad` (what the box belongs to)."""
        root, key, _ = self.keys[0]
        name = root.encode()
        head = bytes([len(name)]) + name
        return head + sealing.encrypt(key, plaintext, head + aad)

    def open(self, box: bytes, aad: bytes) -> bytes:
        """Return what was sealed; raises `UnknownRoot` when its root is gone, `SealBroken` when it does not open."""
        if not box or len(box) < 1 + box[0]:
            raise SealBroken("not a box")
        head = box[: 1 + box[0]]
        for root, key, _ in self.keys:
            if root.encode() == head[1:]:
                return sealing.decrypt(key, box[len(head) :], head + aad)
        raise UnknownRoot("sealed with a root that the keyring does not hold")

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 (32 bytes) under the first root."""
        return hmac.digest(self.keys[0][2], message, hashlib.sha256)

    def macs(self, message: bytes) -> tuple[bytes, ...]:
        """Return the code under every root, the first root's first: to find a row by a code made before a rotation."""
        return tuple(hmac.digest(key, message, hashlib.sha256) for _, _, key in self.keys)

    def verify_mac(self, message: bytes, tag: bytes) -> None:
        """Return when `tag` is a code over `message` under any root; raises `Mismatch`."""
        if sum(hmac.compare_digest(expected, tag) for expected in self.macs(message)) == 0:
            raise Mismatch("not our authentication code")


@lru_cache(maxsize=64)
def _derive(roots: RootKeyring, use: Use) -> SealingRing:
    """Derive once a process: the roots do not change while it runs, and pages ask for a ring on every request."""
    return SealingRing(
        use,
        tuple(
            (
                one.id,
                sealing.derive(one.secret, f"semel/{use}/seal/v1"),
                sealing.derive(one.secret, f"semel/{use}/mac/v1"),
            )
            for one in roots.roots
        ),
    )


@dataclass(frozen=True)
class SigningKey:
    """A private key as the rest of the product sees it: an id, a public half, and a signature when asked.

    One of purpose `encryption` signs nothing: others encrypt to it, and `Keyring.decryption_keys` lets it be used.
    """

    kid: str
    alg: Alg
    purpose: Purpose
    stage: Stage
    public_jwk: Mapping[str, Any]
    pair: KeyPair = field(repr=False)

    @classmethod
    def of(cls, pair: KeyPair, *, purpose: Purpose, stage: Stage) -> "SigningKey":
        """Return the signing key of a key pair; its id is the RFC 7638 thumbprint of the public half."""
        public = pair.public_jwk()
        kid = jwk.thumbprint(public)
        full = public | {"kid": kid, "use": "enc" if purpose == "encryption" else "sig", "alg": pair.alg}
        return cls(kid, pair.alg, purpose, stage, MappingProxyType(full), pair)

    def sign(self, message: bytes) -> bytes:
        """Return the raw JOSE signature over `message` (RFC 7518 §3.4 for ES256)."""
        return self.pair.sign(message)


@dataclass(frozen=True)
class Keyring:
    """The signing keys loaded from a source; never changes, a rotation makes a new one."""

    keys: tuple[SigningKey, ...]

    def signer(self, purpose: Purpose = "token", alg: Alg = "ES256") -> SigningKey:
        """Return the key that signs now; raises `NoSuchKey` when there is none in stage `signing`."""
        for key in self.keys:
            if (key.purpose, key.alg, key.stage) == (purpose, alg, "signing"):
                return key
        raise NoSuchKey(f"no {alg} key signs for {purpose}")

    def verification_keys(self, purpose: Purpose) -> jwk.KeySet:
        """Return the public halves that may have signed for a purpose, every stage."""
        return jwk.KeySet(tuple(key.public_jwk for key in self.keys if key.purpose == purpose))

    def decryption_keys(self) -> tuple[jwe.DecryptionKey, ...]:
        """Return the keys that may open what was encrypted to us, every stage: somebody may have read an older set."""
        return tuple(_decryption_key(key) for key in self.keys if key.purpose == "encryption")

    def jwks(self, *purposes: Purpose) -> dict[str, list[dict[str, Any]]]:
        """Return the published JWK Set (RFC 7517 §5), ordered by id; without arguments all but the ledger's keys.

        A key to encrypt to is no longer shown once another took its place: nobody shall begin to use it.
        """
        chosen = purposes or ("token", "credential")
        shown = [
            key for key in self.keys if key.purpose in chosen and (key.purpose, key.stage) != ("encryption", "retiring")
        ]
        return {"keys": [dict(key.public_jwk) for key in sorted(shown, key=lambda key: key.kid)]}


@lru_cache(maxsize=64)
def _imported(kid: str, pair: KeyPair) -> jwe.DecryptionKey:
    if isinstance(pair.private, rsa.RSAPrivateKey):
        return jwe.DecryptionKey(kid, "RSA", jose.RSAKey(pair.private, pair.private))
    if isinstance(pair.private, ec.EllipticCurvePrivateKey):
        return jwe.DecryptionKey(kid, "EC", jose.ECKey(pair.private, pair.private))
    raise InvalidKey("nothing is encrypted to this key")


def _decryption_key(key: SigningKey) -> jwe.DecryptionKey:
    """Wrap the key once a process."""
    return _imported(key.kid, key.pair)


class KeySource(Protocol):
    """Where private signing keys live.

    A source keeps keys under the id that is the thumbprint of their public half. What it must promise: a key returned by
    one `load` signs the same in every process; a key in stage `signing` was `upcoming` before, for as long as the
    announce window, except the first of its purpose; a key that once signed stays loadable as `retiring` until nothing
    it signed is valid any more; private bytes leave the source only sealed. `load` raises `SealBroken` when a key cannot
    be opened and never returns a part of what it was asked for.
    """

    def load(self, tx: Connection, purposes: Collection[Purpose]) -> Keyring:
        """Return every key of these purposes, the newest of a stage first."""
        ...
