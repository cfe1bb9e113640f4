"""Merkle tree of a log: hashes, the right edge, inclusion and consistency proofs (RFC 6962 §2.1, RFC 9162 §2.1)."""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from consent.errors import ProofInvalid

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

#: Gives the hash of a complete subtree: `node(height, index)` covers leaves [index * 2^height, (index + 1) * 2^height).
Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first. All that appending needs."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count() or any(len(h) != HASH_BYTES for h in hashes):
            raise ProofInvalid("a frontier has one hash for each bit of its size")
        self.size = size
        self._hashes = list(hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read back `to_bytes`; the size is kept beside it. Raises `ProofInvalid` when they do not belong together."""
        return cls(size, [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)])

    def to_bytes(self) -> bytes:
        """Return the hashes, largest subtree first."""
        return b"".join(self._hashes)

    def append(self, node: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf hash. Return every subtree this completes, as (height, index, root), lowest first."""
        completed = []
        height, index = 0, self.size
        while index & 1:
            node = node_hash(self._hashes.pop(), node)
            height, index = height + 1, index >> 1
            completed.append((height, index, node))
        self._hashes.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes (or over the roots of equally large subtrees) in order."""
    frontier = Frontier()
    for each in hashes:
        frontier.append(each)
    return frontier.root()


def subtree_root(start: int, end: int, node: Node) -> bytes:
    """Return the root over leaves [start, end), whose start is aligned as RFC 6962's splitting leaves it."""
    width = end - start
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return node(height, start >> height)
    split = start + _split(width)
    return node_hash(subtree_root(start, split, node), subtree_root(split, end, node))


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the audit path of a leaf, from the leaf up (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        raise ProofInvalid("no such leaf in a tree of this size")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(start, middle, node))
            start = middle
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash stands at `index` of the tree with this root (RFC 9162 §2.1.3.2), else `ProofInvalid`."""
    if not 0 <= index < size:
        raise ProofInvalid("no such leaf in a tree of this size")
    fn, sn, computed = index, size - 1, leaf
    for step in proof:
        if sn == 0 or len(step) != HASH_BYTES:
            raise ProofInvalid("the inclusion proof is too long or holds no hashes")
        if fn & 1 or fn == sn:
            computed = node_hash(step, computed)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            computed = node_hash(computed, step)
        fn, sn = fn >> 1, sn >> 1
    if sn or computed != root:
        raise ProofInvalid("the inclusion proof does not lead to the root")


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """Return the proof that a tree of `second` leaves begins with the one of `first` (RFC 6962 §2.1.2)."""
    if not 0 <= first <= second:
        raise ProofInvalid("a tree is never consistent with a larger one")
    if first in {0, second}:
        return []
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(start, middle, node))
            start, whole = middle, False
    if not whole:
        path.append(subtree_root(start, end, node))
    return path[::-1]


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the larger tree only added to the smaller one (RFC 9162 §2.1.4.2), else `ProofInvalid`."""
    if not 0 <= first <= second or any(len(step) != HASH_BYTES for step in proof):
        raise ProofInvalid("not a consistency proof between these sizes")
    if first in {0, second}:
        same = first_root == (second_root if first else EMPTY_ROOT)
        if proof or not same:
            raise ProofInvalid("trees of the same size have one root, and nothing is to prove")
        return
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path or (first_root, second_root) != _two_roots(first - 1, second - 1, path):
        raise ProofInvalid("the consistency proof does not lead to both roots")


def _two_roots(fn: int, sn: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Fold a consistency path into the older and the newer root; None when its length is not that of the two trees."""
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for step in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    return None if sn else (old, new)


def _split(width: int) -> int:
    """Return the largest power of two below the width."""
    return 1 << ((width - 1).bit_length() - 1)
