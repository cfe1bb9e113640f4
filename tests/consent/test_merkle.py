"""The tree against a naive recursion written from RFC 6962 alone, and every proof against one changed bit."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import merkle
from consent.errors import ProofInvalid


def leaf(i: int) -> bytes:
    return hashlib.sha256(b"\x00" + i.to_bytes(4, "big")).digest()


LEAVES = [leaf(i) for i in range(301)]


def mth(d: list[bytes]) -> bytes:
    """RFC 6962 §2.1, over leaf hashes."""
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return d[0]
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def audit_path(m: int, d: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(d) <= 1:
        return []
    k = split(len(d))
    if m < k:
        return [*audit_path(m, d[:k]), mth(d[k:])]
    return [*audit_path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    """RFC 6962 §2.1.2."""
    if m == len(d):
        return [] if b else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def node(height: int, index: int) -> bytes:
    return mth(LEAVES[index << height : (index + 1) << height])


def test_every_size_to_300_has_the_naive_root():
    frontier = merkle.Frontier()
    for size in range(301):
        assert frontier.size == size
        assert frontier.root() == mth(LEAVES[:size]) == merkle.root_of(LEAVES[:size])
        assert merkle.Frontier.from_bytes(size, frontier.to_bytes()).root() == frontier.root()
        if size:
            assert merkle.subtree_root(0, size, node) == frontier.root()
        frontier.append(LEAVES[size])


def test_append_names_the_subtrees_it_completes():
    frontier = merkle.Frontier()
    for i in range(256):
        for height, index, root in frontier.append(LEAVES[i]):
            assert root == node(height, index)
            assert (index + 1) << height == i + 1


@pytest.mark.parametrize(
    ("size", "data"), [(3, b"\0" * 32), (1, b"\0" * 31), (0, b"\0" * 32), (-1, b""), (2, b"\0" * 33)]
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size, data):
    with pytest.raises(ProofInvalid):
        merkle.Frontier.from_bytes(size, data)


sizes = st.integers(1, 300)


@given(size=sizes, data=st.data())
def test_inclusion_proofs_are_the_naive_ones_and_verify(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, node)
    assert proof == audit_path(index, LEAVES[:size])
    merkle.verify_inclusion(index, size, LEAVES[index], proof, mth(LEAVES[:size]))


@settings(max_examples=300)
@given(size=sizes, data=st.data())
def test_an_edited_inclusion_proof_does_not_verify(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof, root, at = merkle.inclusion_proof(index, size, node), mth(LEAVES[:size]), LEAVES[index]
    parts = [at, root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flip(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(size=st.integers(2, 300), data=st.data())
def test_an_inclusion_proof_of_another_shape_does_not_verify(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof, root = merkle.inclusion_proof(index, size, node), mth(LEAVES[:size])
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    for bad_index, bad_proof in [(other, proof), (index, [*proof, LEAVES[0]]), (index, proof[:-1]), (size, proof)]:
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(bad_index, size, LEAVES[index], bad_proof, root)


@given(second=sizes, data=st.data())
def test_consistency_proofs_are_the_naive_ones_and_verify(second, data):
    first = data.draw(st.integers(1, second))
    proof = merkle.consistency_proof(first, second, node)
    assert proof == subproof(first, LEAVES[:second], True)
    merkle.verify_consistency(first, second, mth(LEAVES[:first]), mth(LEAVES[:second]), proof)


@settings(max_examples=300)
@given(second=sizes, data=st.data())
def test_an_edited_consistency_proof_does_not_verify(second, data):
    first = data.draw(st.integers(1, second))
    parts = [mth(LEAVES[:first]), mth(LEAVES[:second]), *merkle.consistency_proof(first, second, node)]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flip(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(first, second, parts[0], parts[1], parts[2:])


def test_the_empty_tree_is_the_beginning_of_every_tree_and_of_nothing_else():
    merkle.verify_consistency(0, 5, merkle.EMPTY_ROOT, mth(LEAVES[:5]), [])
    for first_root, proof in [(LEAVES[0], []), (merkle.EMPTY_ROOT, [LEAVES[0]])]:
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(0, 5, first_root, mth(LEAVES[:5]), proof)
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(5, 4, mth(LEAVES[:5]), mth(LEAVES[:4]), [])


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
