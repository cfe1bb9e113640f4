"""Ledger signatures."""

import base64
import hashlib

import pytest

from keys import notes
from keys.errors import InvalidSignature

NOTE = "ledger.example.gov/consent/2026\n3\n7ZLWW+XigQiNQNrfIt7MNBvL1NHCDphEr0G3zwQvR3o=\n"
SIGNATURE = "hjoISmXoF1F8n/eqoDF56BDbeF8qlhff85Mcl5uaGqTxUB8BBp561itrDmPhFaC9Zy1JQaNx/1GdXap7IPmmO1w5QQY="


def test_the_published_checkpoint_signature_is_reproduced():
    signer = notes.from_seed("Ed25519", hashlib.sha256(b"demo-seed").digest())
    key_id = hashlib.sha256(b"ledger.example.gov/consent/2026\n\x01" + notes.public_key(signer)).digest()[:4]
    assert base64.b64decode(SIGNATURE) == key_id + notes.sign(signer, NOTE.encode())
    assert key_id.hex() == "863a084a"


@pytest.mark.parametrize("alg", ["Ed25519", "ML-DSA-44"])
def test_a_note_signature_holds_for_its_bytes_only(alg):
    signer = notes.from_seed(alg, bytes(32))
    signature = notes.sign(signer, NOTE.encode())
    notes.verify(alg, notes.public_key(signer), NOTE.encode(), signature)
    with pytest.raises(InvalidSignature):
        notes.verify(alg, notes.public_key(signer), NOTE.encode() + b"\n", signature)
