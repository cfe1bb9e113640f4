"""Raw signatures."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys import algorithms
from keys.errors import InvalidKey, InvalidSignature

ALGS = ["ES256", "PS256", "RS256", "EdDSA", "Ed25519", "ML-DSA-44"]
SIZES = {
    "ES256": (64, 64),
    "PS256": (384, 384),
    "RS256": (384, 384),
    "EdDSA": (32, 64),
    "Ed25519": (32, 64),
    "ML-DSA-44": (1312, 2420),
}


@pytest.mark.parametrize("alg", ALGS)
def test_a_signature_holds_for_its_message_and_key_only(alg):
    pair, other = algorithms.generate(alg), algorithms.generate(alg)
    signature = pair.sign(b"message")
    assert (len(pair.public_bytes()), len(signature)) == SIZES[alg]
    algorithms.verify(alg, pair.public_bytes(), b"message", signature)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    for public, message, given in [
        (pair.public_bytes(), b"massage", signature),
        (other.public_bytes(), b"message", signature),
        (pair.public_bytes(), b"message", flipped),
        (pair.public_bytes(), b"message", b""),
        (pair.public_bytes(), b"message", bytes(len(signature))),
    ]:
        with pytest.raises(InvalidSignature):
            algorithms.verify(alg, public, message, given)


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_comes_back_from_its_seed_and_its_public_jwk(alg):
    pair = algorithms.generate(alg)
    again = algorithms.from_seed(alg, pair.seed())
    assert again.public_bytes() == pair.public_bytes() == algorithms.public_bytes(pair.public_jwk())
    assert (len(pair.seed()) == 32) is (alg not in {"PS256", "RS256"})
    assert algorithms.from_seed(alg, pair.seed()).sign(b"x")


def test_an_rsa_key_of_another_size_or_kind_is_none_of_ours():
    small = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for foreign in (small, ec.generate_private_key(ec.SECP256R1())):
        der = foreign.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(InvalidKey):
            algorithms.from_seed("RS256", der)


def test_the_two_rsa_paddings_are_not_each_other():  # RFC 7518 §3.3, §3.5
    pair = algorithms.generate("PS256")
    with pytest.raises(InvalidSignature):
        algorithms.verify("RS256", pair.public_bytes(), b"message", pair.sign(b"message"))


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_does_not_show_itself(alg):
    assert repr(algorithms.generate(alg)) == f"KeyPair({alg})"


@pytest.mark.parametrize(
    ("alg", "seed"),
    [
        ("ES256", b""),
        ("ES256", bytes(32)),
        ("ES256", b"\xff" * 32),
        ("Ed25519", bytes(31)),
        ("HS256", bytes(32)),
        ("RS256", bytes(32)),
        ("PS256", b""),
    ],
)
def test_no_key_from(alg, seed):
    with pytest.raises(InvalidKey):
        algorithms.from_seed(alg, seed)


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("public", [b"", bytes(7)])
def test_bytes_that_are_no_public_key(alg, public):
    with pytest.raises(InvalidKey):
        algorithms.verify(alg, public, b"message", bytes(64))


@pytest.mark.parametrize("key", [{}, {"kty": "EC", "x": "AA"}, {"kty": "OKP", "x": "!"}, {"kty": "OKP", "x": 5}])
def test_a_jwk_without_a_public_key(key):
    with pytest.raises(InvalidKey):
        algorithms.public_bytes(key)
