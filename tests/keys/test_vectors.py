"""Documents others publish: thumbprints, signatures and proofs of the RFCs."""

import hashlib
import json
from pathlib import Path

import pytest

from keys import algorithms, base64url, jwk, jws
from keys.errors import InvalidSignature, InvalidToken

VECTORS = Path(__file__).parents[1] / "vectors"
SECOND = 1_000_000


def vector(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def public_half(key):
    return {name: value for name, value in key.items() if name != "d"}


@pytest.mark.parametrize("name", ["rfc7638-s3.1", "rfc8037-a4"])
def test_thumbprint(name):
    published = vector(name)
    assert jwk.thumbprint(published["jwk"]) == published["thumbprint"]


def test_rfc7515_a3_verifies_under_a_purpose_made_for_it():
    published = vector("rfc7515-a3")
    purpose = jws.Purpose(
        "rfc7515", frozenset({"ES256"}), frozenset({None}), frozenset({"iss", "exp"}), 1000, audience=False
    )
    keys = jwk.parse_set({"keys": [public_half(published["jwk"])]})
    before = 1_300_819_379 * SECOND
    assert dict(jws.verify(purpose, published["token"], keys=keys, issuer="joe", now=before)) == published["claims"]
    with pytest.raises(InvalidToken, match="expired"):
        jws.verify(purpose, published["token"], keys=keys, issuer="joe", now=before + SECOND)


def test_rfc7515_a3_key_makes_signatures_that_its_public_half_verifies():
    key = vector("rfc7515-a3")["jwk"]
    pair = algorithms.from_seed("ES256", base64url.decode(key["d"]))
    assert pair.public_jwk() == public_half(key)
    algorithms.verify("ES256", pair.public_bytes(), b"message", pair.sign(b"message"))


def test_rfc8037_a4_is_reproduced_byte_for_byte():
    published = vector("rfc8037-a4")
    pair = algorithms.from_seed("Ed25519", base64url.decode(published["jwk"]["d"]))
    signed, _, signature = published["token"].rpartition(".")
    assert pair.public_jwk() == public_half(published["jwk"])
    assert base64url.encode(pair.sign(signed.encode())) == signature
    with pytest.raises(InvalidSignature):
        algorithms.verify("Ed25519", pair.public_bytes(), signed.encode() + b".", base64url.decode(signature))


@pytest.mark.parametrize("name", ["rfc9449-s4.1", "rfc9449-s7.1"])
def test_dpop_proof(name):
    published = vector(name)
    claims = published["claims"]
    proof = jws.verify(jws.DPOP_PROOF, published["proof"], now=claims["iat"] * SECOND, htm=claims["htm"])
    assert dict(proof) == claims
    assert proof.thumbprint() == vector("rfc9449-s4.1")["jkt"]


def test_dpop_token_hash():
    published = vector("rfc9449-s7.1")
    digest = hashlib.sha256(published["access_token"].encode()).digest()
    assert base64url.encode(digest) == published["claims"]["ath"]
