"""Certificates: which key of an agency's set brings which, whatever text is taken for one (RFC 8705 §2.2.2, RFC 9440 §2.2)."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from keys import certificates, jwk
from keys.errors import InvalidCertificate, Malformed
from tests.certified import make

KINDS: dict[str, tuple[Any, Any]] = {
    "RSA": (rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "P-256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "P-384": (ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
    "P-521": (ec.generate_private_key(ec.SECP521R1()), ECAlgorithm),
}
GOOD = make("CN=good")


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_a_key(kind: str) -> None:
    """Written by another library: its public key, and the certificate beside it."""
    private, algorithm = KINDS[kind]
    certified = make("CN=x", key=private)
    key = {**algorithm.to_jwk(private.public_key(), as_dict=True), "x5c": [base64.b64encode(certified.der).decode()]}
    assert certificates.registered(key) == certified.x5t
    assert jwk.parse_set({"keys": [key]}).certificates == {certified.x5t}
    assert certificates.registered({**key, "x5c": GOOD.jwk["x5c"]}) is None


def test_an_edwards_key() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key: Any = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    assert certificates.registered({**key, "x5c": GOOD.jwk["x5c"]}) is None


def test_certificates_of_keys_that_sign_nothing_here_count_too() -> None:
    """A key for TLS need not be one whose signatures we would take (`use`, curve)."""
    made = jwk.parse_set({"keys": [{**GOOD.jwk, "use": "enc"}]})
    assert (made.keys, made.certificates) == ((), {GOOD.x5t})


@given(st.text(max_size=200), st.text(max_size=100))
def test_whatever_is_sent(value: str, chain: str) -> None:
    with pytest.raises(Malformed):
        certificates.from_header(value, chain)


@given(st.integers(0, len(GOOD.der) - 1), st.integers(1, 255))
def test_whatever_is_changed(at: int, by: int) -> None:
    """A certificate with one other byte is another one or none; reading it ends either way."""
    der = bytearray(GOOD.der)
    der[at] ^= by
    try:
        read = certificates.from_header(f":{base64.b64encode(der).decode()}:")
    except Malformed:
        return
    assert read.thumbprint != GOOD.x5t


@given(st.sampled_from(["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]), st.text(max_size=60))
def test_whatever_is_registered(kind: certificates.Name, name: str) -> None:
    try:
        certificates.check_name(kind, name)
    except Malformed:
        return
    assert name


@pytest.mark.parametrize(
    "text", [b"", b"x", GOOD.der, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_no_authorities(text: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        certificates.Authorities.parse(text)
