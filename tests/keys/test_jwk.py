"""Public keys and key sets of others."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys import algorithms, base64url, canonical, jwk
from keys.errors import InvalidKey

EC_KEY = algorithms.from_seed("ES256", b"\x01" * 32).public_jwk()
OKP_KEY = algorithms.from_seed("Ed25519", b"\x01" * 32).public_jwk()


def number(value):
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rsa_key(bits=2048, exponent=65537):
    numbers = rsa.generate_private_key(exponent, bits).public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}


RSA_KEY = rsa_key()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()


@pytest.mark.parametrize("key", [EC_KEY, OKP_KEY, RSA_KEY])
def test_a_public_key_keeps_what_we_know_and_nothing_else(key):
    checked = jwk.public({**key, "kid": "k1", "x5c": ["secret?"], "unknown": 1})
    assert dict(checked) == {**key, "kid": "k1"}
    with pytest.raises(TypeError):
        checked["kid"] = "k2"


def test_a_thumbprint_counts_only_the_required_members():
    assert jwk.thumbprint({**EC_KEY, "kid": "k1", "use": "sig"}) == jwk.thumbprint(EC_KEY)


@pytest.mark.parametrize(
    "key",
    [
        None,
        [],
        "key",
        {},
        {"kty": "oct", "k": "AAAA"},  # RFC 9449 §4.2: never symmetric
        {**EC_KEY, "d": "AA"},  # never private
        {**EC_KEY, "k": "AA"},
        {**RSA_KEY, "p": "AA"},
        {**EC_KEY, "x": OKP_KEY["x"]},  # not on the curve
        {**EC_KEY, "x": EC_KEY["x"] + "="},
        {**EC_KEY, "x": base64url.encode(b"\0" + base64url.decode(EC_KEY["x"]))},  # RFC 7518 §6.2.1.2: 32 octets
        {**EC_KEY, "y": base64url.encode(b"\0" + base64url.decode(EC_KEY["y"]))},
        {**EC_KEY, "x": 5},
        {**EC_KEY, "crv": "P-384"},
        {"kty": "EC", "crv": "P-384", "x": number(P384.x), "y": number(P384.y)},
        {**EC_KEY, "crv": "secp256k1"},
        {**OKP_KEY, "crv": "Ed448"},
        {**OKP_KEY, "crv": "X25519"},
        {**OKP_KEY, "x": "AA"},
        {name: value for name, value in EC_KEY.items() if name != "y"},
        rsa_key(1024),  # RFC 7518 §3.3: at least 2048 bits
        {**RSA_KEY, "e": "AQ"},
        {**RSA_KEY, "e": "Ag"},
        {**RSA_KEY, "e": ""},
        {**RSA_KEY, "e": "AAEAAQ"},  # RFC 7518 §2: no leading zero
        {**RSA_KEY, "n": base64url.encode(b"\xff" * 1024)},
        {**EC_KEY, "kid": 5},
        {**EC_KEY, "kid": "k" * 257},
        {**EC_KEY, "use": ["sig"]},
        {**EC_KEY, "key_ops": "verify"},
        {**EC_KEY, "kty": ["EC"]},
    ],
)
def test_not_a_public_key(key):
    with pytest.raises(InvalidKey):
        jwk.public(key)


def test_a_set_leaves_out_what_it_does_not_know():
    document = {
        "keys": [EC_KEY, {"kty": "NEW"}, {**RSA_KEY, "use": "enc"}, {**OKP_KEY, "kid": "k"}, {**EC_KEY, "x": "AA"}]
    }
    keys = jwk.parse_set(json.dumps(document))
    assert [dict(key) for key in keys.keys] == [EC_KEY, {**OKP_KEY, "kid": "k"}]
    assert jwk.parse_set(document) == keys == jwk.parse_set(json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        '{"keys":{}}',
        '{"keys":[],"keys":[]}',
        '{"keys":[5]}',
        b"\xff",
        {"keys": [{**EC_KEY, "d": "AA"}]},
        {"keys": [EC_KEY, {"kty": "oct", "k": "AAAA"}]},
        {"keys": [EC_KEY] * 33},
        json.dumps({"keys": [EC_KEY], "padding": "x" * 200_000}),
    ],
)
def test_not_a_key_set(document):
    with pytest.raises(InvalidKey):
        jwk.parse_set(document)


@pytest.mark.parametrize(
    ("about", "alg", "kid", "found"),
    [
        ({}, "ES256", None, 1),
        ({"kid": "a"}, "ES256", "a", 1),
        ({"kid": "a"}, "ES256", "b", 0),
        ({}, "ES256", "a", 0),
        ({"kid": "a"}, "PS256", "a", 0),
        ({"use": "sig", "alg": "ES256", "key_ops": ["verify"]}, "ES256", None, 1),
        ({"use": "enc"}, "ES256", None, 0),
        ({"alg": "ES384"}, "ES256", None, 0),
        ({"alg": "none"}, "ES256", None, 0),
        ({"key_ops": ["sign"]}, "ES256", None, 0),
    ],
)
def test_which_keys_may_verify(about, alg, kid, found):
    assert len(jwk.KeySet((jwk.public({**EC_KEY, **about}),)).find(alg, kid)) == found


def test_both_names_of_ed25519_mean_the_same_key():  # RFC 9864 §2.2
    keys = jwk.KeySet((jwk.public({**OKP_KEY, "alg": "EdDSA"}),))
    assert keys.find("Ed25519", None) == keys.find("EdDSA", None) != ()


def test_an_imported_key_is_remembered():
    assert jwk.imported(EC_KEY) is jwk.imported({**EC_KEY, "kid": "other"})


def test_our_own_ledger_key_has_a_thumbprint():
    public = algorithms.from_seed("ML-DSA-44", bytes(32)).public_jwk()
    assert len(jwk.thumbprint(public)) == 43
    assert jwk.public(public) == public
    assert canonical.dumps(public).startswith(b'{"alg":"ML-DSA-44","kty":"AKP","pub":"')


def test_a_set_says_what_may_be_wrong_with_it() -> None:
    """An error does not hide its cause: keys that were left out, and why there is no newer set."""
    weak = {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "a"}
    read = jwk.parse_set({"keys": [weak]})
    assert (read.keys, read.unusable) == ((), 1)
    assert "1 of its keys are of a type, curve or size not used here" in read.lacks("ES256")
    assert replace(read, trouble="it did not answer").lacks("ES256").endswith("; it did not answer")
