"""The bytes of an event: a leaf that says nothing and proves all, and the box only its stream's key opens.

From the stream's ledger key come, for its n-th entry, a tag (where the entry stands), a salt (with which the leaf commits to
the body), a private salt (with which the body commits to the private part) and a data key (which encrypts both).
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from consent.errors import EntryInvalid
from consent.ledger_entry import EVENT, EVENT_LEAF_BYTES, VERSION, Entry, Stream, instant
from keys import base64url, canonical, sealing
from keys.errors import KeysError

PART_LIMIT = 32_768  # bytes of a body, and of a private part


@dataclass(frozen=True)
class SealedEntry:
    """An entry as it is stored: the public leaf, what opens it, and the encrypted box."""

    leaf: bytes
    tag: bytes
    salt: bytes = field(repr=False)
    psalt: bytes = field(repr=False)
    body: bytes = field(repr=False)
    private: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ct: bytes = field(repr=False)


@dataclass(frozen=True)
class Opened:
    """An entry read back by somebody who holds its stream's key; both parts were checked against the leaf."""

    body: bytes = field(repr=False)
    private: bytes = field(repr=False)


def seal(entry: Entry, n: int, origin: str, ts: int) -> SealedEntry:
    """Return the bytes of the `n`-th entry of its stream at `ts` microseconds. `EntryInvalid` when it is too long."""
    tag, salt, psalt, dek = derive(entry.stream.key, origin, n)
    private = canonical.dumps({**entry.private, "n": n})
    members = {
        **entry.body,
        "id": entry.id,
        "private": base64url.encode(_mac(psalt, private)),
        "ts": instant(ts),
        "type": entry.type,
        "v": VERSION,
    }
    for name in ("party", "purpose", "permission"):
        if (value := getattr(entry, name)) is not None:
            members[name] = value
    body = canonical.dumps(members)
    if max(len(body), len(private)) > PART_LIMIT:
        raise EntryInvalid("the entry is too long")
    leaf = bytes([EVENT]) + tag + _mac(salt, body)
    box = sealing.encrypt(dek, body + b"\n" + private)
    return SealedEntry(leaf, tag, salt, psalt, body, private, box[:12], box[12:])


def open_(stream: Stream, n: int, origin: str, leaf: bytes, box: bytes) -> Opened:
    """Return what the `n`-th leaf of a stream hides; `box` is nonce and ciphertext. `EntryInvalid` unless all agrees."""
    tag, salt, psalt, dek = derive(stream.key, origin, n)
    try:
        body, _, private = sealing.decrypt(dek, box).partition(b"\n")
        members, hidden = canonical.loads(body), canonical.loads(private)
    except KeysError as error:
        raise EntryInvalid("the entry's box does not open") from error
    if leaf != bytes([EVENT]) + tag + _mac(salt, body):
        raise EntryInvalid("the leaf does not commit to this body")
    if members.get("private") != base64url.encode(_mac(psalt, private)) or hidden.get("n") != n:
        raise EntryInvalid("the body does not commit to this private part")
    return Opened(body, private)


def derive(key: bytes, origin: str, n: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return tag, salt, private salt and data key of the `n`-th entry of the stream with this ledger key."""
    context = b"\x00" + hashlib.sha256(origin.encode()).digest() + n.to_bytes(8, "big")
    tag, salt, psalt, dek = (
        _mac(key, b"semel/" + label + b"/v1" + context) for label in (b"tag", b"salt", b"private", b"dek")
    )
    return tag, salt, psalt, dek


def tag_of(key: bytes, origin: str, n: int) -> bytes:
    """Return the pseudonym under which the `n`-th entry of a stream stands in the log."""
    return _mac(key, b"semel/tag/v1\x00" + hashlib.sha256(origin.encode()).digest() + n.to_bytes(8, "big"))


def counter_of(key: bytes) -> str:
    """Return the name under which a stream's entries are counted: only its key says whose they are."""
    return base64url.encode(_mac(key, b"semel/counter/v1"))


def receipt_mac(key: bytes, origin: str, client_id: str) -> bytes:
    """Return what lets the person, who holds the ledger key, recognise an agency's receipt as one of theirs."""
    return _mac(key, b"semel/receipt/v1\x00" + hashlib.sha256(origin.encode()).digest() + client_id.encode())


def commits(leaf: bytes, salt: bytes, body: bytes) -> None:
    """Check, as an agency with its receipt can, that the leaf commits to the body; raises `EntryInvalid`."""
    if len(leaf) != EVENT_LEAF_BYTES or leaf[0] != EVENT or not hmac.compare_digest(leaf[33:], _mac(salt, body)):
        raise EntryInvalid("the leaf does not commit to this body")


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
