"""Checkpoints: size and root as a note signed twice (C2SP tlog-checkpoint, signed-note, tlog-cosignature)."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from consent.errors import CheckpointInvalid
from consent.merkle import HASH_BYTES
from keys import notes
from keys.algorithms import Alg
from keys.errors import KeysError
from keys.keyring import SigningKey

ED25519 = 0x01
COSIGNATURE = 0x04  # Ed25519 of a witness, with its time (C2SP tlog-cosignature)
ML_DSA_44 = 0x06
ALGORITHMS: dict[int, Alg] = {ED25519: "Ed25519", ML_DSA_44: "ML-DSA-44"}
VERIFIED = {**ALGORITHMS, COSIGNATURE: ALGORITHMS[ED25519]}
PUBLIC_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}
SIGNATURE_BYTES = {ED25519: 64, COSIGNATURE: 8 + 64, ML_DSA_44: 8 + 2420}
NOTE_LIMIT = 64_000  # bytes; a few dozen witnesses fit
DASH = "\u2014 "


@dataclass(frozen=True)
class VerifierKey:
    """A public key that signs checkpoints, with the name it signs as (signed-note, "Verifier keys")."""

    name: str
    kind: int  # ED25519 or ML_DSA_44
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that a signature line repeats."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        typed = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{typed}"


@dataclass(frozen=True)
class Signer:
    """A verifier key and the function that signs bytes with its private half."""

    key: VerifierKey
    sign: Callable[[bytes], bytes]

    @classmethod
    def of(cls, origin: str, key: SigningKey) -> "Signer":
        """Return a ledger signing key (Ed25519 or ML-DSA-44) as a signer of this origin's checkpoints."""
        kinds = {alg: kind for kind, alg in ALGORITHMS.items()}
        return cls(VerifierKey(origin, kinds[key.alg], notes.public_key(key)), key.sign)


@dataclass(frozen=True)
class Checkpoint:
    """What a note says: the log's origin, its size and its root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Return the signed lines, the last line's end included."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key, `name+id+base64`; `CheckpointInvalid` unless every character is as it must be."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    typed = _decode(encoded)
    kind, public = (typed[0], typed[1:]) if typed else (0, b"")
    if PUBLIC_BYTES.get(kind) != len(public):
        raise CheckpointInvalid("a verifier key of unknown type or size")
    key = VerifierKey(_name(name), kind, public)
    if key.key_id.hex() != key_id:
        raise CheckpointInvalid("a verifier key whose id is not that of its key")
    return key


def encode_vkeys(keys: Iterable[VerifierKey]) -> bytes:
    """Return the published file of verifier keys, one a line."""
    return "".join(f"{key}\n" for key in keys).encode()


def parse_vkeys(data: bytes) -> tuple[VerifierKey, ...]:
    """Read the published file of verifier keys; `CheckpointInvalid` for anything but such lines, or none."""
    text = _text(data)
    if not text.endswith("\n"):
        raise CheckpointInvalid("the verifier keys do not end in a line's end")
    return tuple(parse_vkey(line) for line in text[:-1].split("\n"))


def sign(checkpoint: Checkpoint, signers: Sequence[Signer], now: int) -> bytes:
    """Return the note: the checkpoint signed by each, in order. `now` in microseconds; ML-DSA signs its second."""
    lines = [checkpoint.text().decode(), "\n"]
    for signer in signers:
        time = now // 1_000_000
        signature = signer.sign(_message(checkpoint, signer.key, time))
        if signer.key.kind == ML_DSA_44:
            signature = time.to_bytes(8, "big") + signature
        payload = base64.b64encode(signer.key.key_id + signature).decode()
        lines.append(f"{DASH}{signer.key.name} {payload}\n")
    return "".join(lines).encode()


def verify(note: bytes, vkeys: Sequence[VerifierKey]) -> Checkpoint:
    """Return what the note says once **every** given key has signed it, under its own name as origin.

    Lines of other keys (witnesses) are passed over, as signed-note asks. Raises `CheckpointInvalid`.
    """
    checkpoint, signatures = read(note)
    if not vkeys:
        raise CheckpointInvalid("no verifier key to check the checkpoint with")
    for key in vkeys:
        found = [s for name, key_id, s in signatures if (name, key_id) == (key.name, key.key_id)]
        if len(found) != 1 or key.name != checkpoint.origin or key.kind == COSIGNATURE:
            raise CheckpointInvalid(f"the checkpoint is not signed once by {key.name}+{key.key_id.hex()}")
        _verify_one(checkpoint, key, found[0])
    return checkpoint


def verify_cosignature(note: bytes, key: VerifierKey) -> Checkpoint:
    """Return what the note says once a witness has cosigned it, under the witness's own name. Raises `CheckpointInvalid`."""
    checkpoint, signatures = read(note)
    found = [s for name, key_id, s in signatures if (name, key_id) == (key.name, key.key_id)]
    if len(found) != 1 or key.kind == ED25519:
        raise CheckpointInvalid(f"the checkpoint is not cosigned once by {key.name}+{key.key_id.hex()}")
    _verify_one(checkpoint, key, found[0])
    return checkpoint


def _verify_one(checkpoint: Checkpoint, key: VerifierKey, signature: bytes) -> None:
    if len(signature) != SIGNATURE_BYTES[key.kind]:
        raise CheckpointInvalid("a signature of the wrong size")
    stamp, raw = (b"", signature) if key.kind == ED25519 else (signature[:8], signature[8:])
    try:
        notes.verify(VERIFIED[key.kind], key.public, _message(checkpoint, key, int.from_bytes(stamp, "big")), raw)
    except KeysError as error:
        raise CheckpointInvalid(f"the signature of {key.name}+{key.key_id.hex()} does not hold") from error


def _message(checkpoint: Checkpoint, key: VerifierKey, time: int) -> bytes:
    """Return the bytes a key signs: the note's text, or the subtree message of tlog-cosignature (ML-DSA)."""
    if key.kind == ED25519:
        return checkpoint.text()
    if key.kind == COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n".encode() + checkpoint.text()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    start, end = (n.to_bytes(8, "big") for n in (0, checkpoint.size))
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            time.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            start,
            end,
            checkpoint.root,
        )
    )


def read(note: bytes) -> tuple[Checkpoint, list[tuple[str, bytes, bytes]]]:
    """Return what a note says, **unverified**, and its signatures (name, key id, signature). Raises `CheckpointInvalid`."""
    if len(note) > NOTE_LIMIT:
        raise CheckpointInvalid("the checkpoint is too long")
    text, blank, block = _text(note).partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) != 3 or not block.endswith("\n"):
        raise CheckpointInvalid("a checkpoint is three lines, an empty one and signatures")
    origin, size, root = lines
    if not (size.isascii() and size.isdecimal() and str(int(size[:19])) == size):
        raise CheckpointInvalid("the checkpoint's size is not a plain number")
    checkpoint = Checkpoint(_name(origin), int(size), _decode(root))
    if len(checkpoint.root) != HASH_BYTES:
        raise CheckpointInvalid("the checkpoint's root is not a hash")
    return checkpoint, [_signature(line) for line in block[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, payload = line.removeprefix(DASH).partition(" ")
    decoded = _decode(payload)
    if not line.startswith(DASH) or not space or len(decoded) < 5:
        raise CheckpointInvalid("not a signature line")
    return _name(name), decoded[:4], decoded[4:]


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointInvalid("not UTF-8") from error
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise CheckpointInvalid("control characters in a note")
    return text


def _name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() for c in name) or len(name.encode()) > 255:
        raise CheckpointInvalid("not a key name")
    return name


def _decode(text: str) -> bytes:
    """Decode base64 that has exactly one spelling: a changed padding bit is a changed file."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointInvalid("not base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise CheckpointInvalid("not base64 as it is written")
    return decoded
