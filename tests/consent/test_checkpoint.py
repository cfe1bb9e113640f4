"""Checkpoints: the published vector byte for byte, both signatures, and one changed byte anywhere."""

import hashlib
import json
from pathlib import Path

import pytest

from consent import checkpoint
from consent.checkpoint import Checkpoint, Signer
from consent.errors import CheckpointInvalid
from keys import notes

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "semel-ledger-three-entries.json").read_text())
ORIGIN = "ledger.example.gov/consent/2026"
CHECKPOINT = Checkpoint(ORIGIN, 3, bytes.fromhex(VECTOR["root"]))
SEED = hashlib.sha256(VECTOR["seed_of"].encode()).digest()
ED25519 = notes.from_seed("Ed25519", SEED)
ML_DSA = notes.from_seed("ML-DSA-44", SEED)
SIGNERS = [Signer.of(ORIGIN, ED25519), Signer.of(ORIGIN, ML_DSA)]
VKEYS = [signer.key for signer in SIGNERS]
NOW = 1_795_294_800_123_456
NOTE = checkpoint.sign(CHECKPOINT, SIGNERS, NOW)


def test_the_vector_byte_for_byte():
    signers = [Signer.of(ORIGIN, ED25519)]
    note = checkpoint.sign(CHECKPOINT, signers, NOW)
    assert str(signers[0].key) == VECTOR["vkey"]
    assert note.decode() == VECTOR["checkpoint"]
    assert len(note) == 209
    assert checkpoint.verify(note, [checkpoint.parse_vkey(VECTOR["vkey"])]) == CHECKPOINT


def test_both_signatures_are_made_and_both_are_needed():
    assert [key.kind for key in VKEYS] == [checkpoint.ED25519, checkpoint.ML_DSA_44]
    assert checkpoint.verify(NOTE, VKEYS) == CHECKPOINT
    lines = NOTE.decode().splitlines(keepends=True)
    for missing in (4, 5):
        with pytest.raises(CheckpointInvalid):
            checkpoint.verify("".join(lines[:missing] + lines[missing + 1 :]).encode(), VKEYS)


def test_the_ml_dsa_message_is_that_of_the_specification():
    name = ORIGIN.encode()
    message = b"subtree/v1\n\x00" + bytes([len(name)]) + name + (NOW // 10**6).to_bytes(8, "big")
    message += bytes([len(name)]) + name + bytes(8) + (3).to_bytes(8, "big") + CHECKPOINT.root
    seen = []
    checkpoint.sign(CHECKPOINT, [Signer(VKEYS[1], lambda m: seen.append(m) or bytes(2420))], NOW)
    assert seen == [message]


def test_a_witness_line_is_passed_over():
    witness = "\u2014 witness.example AAAAAAAA\n".encode()
    assert checkpoint.verify(NOTE + witness, VKEYS) == CHECKPOINT


def test_one_changed_byte_anywhere_is_refused():
    for position in range(0, len(NOTE), 1 if len(NOTE) < 5000 else 7):
        changed = bytearray(NOTE)
        changed[position] ^= 1 << position % 8
        with pytest.raises(CheckpointInvalid):
            checkpoint.verify(bytes(changed), VKEYS)


def test_one_changed_byte_of_the_verifier_keys_is_refused():
    published = checkpoint.encode_vkeys(VKEYS)
    assert checkpoint.parse_vkeys(published) == tuple(VKEYS)
    for position in range(len(published)):
        changed = bytearray(published)
        changed[position] ^= 1 << position % 8
        with pytest.raises(CheckpointInvalid):
            checkpoint.parse_vkeys(bytes(changed))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("o\n03\n{root}\n", "signed-note: a size has one spelling"),
        ("o\n-3\n{root}\n", "tlog-checkpoint: size"),
        ("o\n٣\n{root}\n", "tlog-checkpoint: ASCII decimal"),
        ("o\n3\nAAAA\n", "tlog-checkpoint: the root is a hash"),
        ("o\n3\n{root}\nextension\n", "no extension lines: ML-DSA would not sign them"),
        ("o o\n3\n{root}\n", "signed-note: a key name has no spaces"),
        ("o+o\n3\n{root}\n", "signed-note: a key name has no plus"),
        ("\n3\n{root}\n", "tlog-checkpoint: an origin"),
    ],
)
def test_malformed_checkpoints_are_refused(text, why):
    root = VECTOR["checkpoint"].split("\n")[2]
    tail = NOTE.decode().split("\n\n", 1)[1]
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify((text.replace("{root}", root) + "\n" + tail).encode(), VKEYS)


def test_no_key_verifies_nothing():
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(NOTE, [])


def test_another_logs_key_does_not_count():
    other = [Signer.of("other.example/ledger", ED25519)]
    note = checkpoint.sign(CHECKPOINT, other, NOW)
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(note, [other[0].key])


def test_a_huge_note_is_refused_before_it_is_parsed():
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(NOTE + b"\n" * 64_000, VKEYS)
