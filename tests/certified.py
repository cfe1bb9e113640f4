"""Certificates for tests: an authority, whom it vouches for, and those who vouch for themselves."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

AT = datetime(2026, 11, 21, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Certified:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any = field(repr=False)
    chain: tuple[Certified, ...] = ()  # what is sent along in a TLS handshake

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def header(self) -> str:
        """As a proxy hands it on (RFC 9440 §2.2)."""
        return f":{base64.b64encode(self.der).decode()}:"

    @property
    def x5t(self) -> str:
        """The certificate's thumbprint (RFC 8705 §3.1)."""
        return base64.urlsafe_b64encode(self.certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as an agency registers it, with the certificate (RFC 8705 §2.2.2)."""
        point = self.key.public_key().public_numbers()
        where = {
            n: base64.urlsafe_b64encode(v.to_bytes(32)).rstrip(b"=").decode()
            for n, v in (("x", point.x), ("y", point.y))
        }
        return {"kty": "EC", "crv": "P-256", **where, "x5c": [base64.b64encode(self.der).decode()]}

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Keep certificate and key as PEM files; returns their paths."""
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{name}.pem").write_bytes(b"".join(one.pem for one in (self, *self.chain)))
        (folder / f"{name}.key").write_bytes(self.key.private_bytes(serialization.Encoding.PEM, *form))
        return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


def make(
    subject: str,
    by: Certified | None = None,
    *,
    ca: bool = False,
    names: tuple[x509.GeneralName, ...] = (),
    use: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
    start: datetime = AT - YEAR,
    end: datetime = AT + YEAR,
    key: Any = None,
) -> Certified:
    """Make a certificate, vouched for by `by` or by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    above = (by.key if by else key).public_key()
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    if ca:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
        )
        usage |= dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
    elif use is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Certified(builder.sign(by.key if by else key, hashes.SHA256()), key)
