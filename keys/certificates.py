"""Client certificates: read from a proxy's header, compared by name or thumbprint, traced to an authority (RFC 9440 §2, RFC 8705 §2, RFC 5280 §6).

Whoever holds a certificate's key has shown it in the TLS handshake, before anything here is asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keys import base64url
from keys.errors import InvalidCertificate, Malformed, Mismatch

Name = Literal["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]

MAX_DER = 8 * 1024  # bytes
MAX_CHAIN = 4  # certificates between a client's and an authority's
MAX_NAME = 1024  # characters
REMEMBERED = 1000  # chains
USES = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
_BYTES = re.compile(r":([A-Za-z0-9+/]+={0,2}):", re.ASCII)  # a byte sequence (RFC 8941 §3.3.5)
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
RARE = {
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "serialNumber": NameOID.SERIAL_NUMBER,
}
_SANS: dict[str, Any] = {
    "san_dns": x509.DNSName,
    "san_uri": x509.UniformResourceIdentifier,
    "san_ip": x509.IPAddress,
    "san_email": x509.RFC822Name,
}


@dataclass(frozen=True)
class Certificate:
    """A certificate with those that came along to trace it to an authority; nothing of it was checked yet."""

    thumbprint: str  # base64url SHA-256 of its DER form: `x5t#S256` (RFC 8705 §3.1)
    parsed: x509.Certificate = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)

    def require_time(self, now: int) -> None:
        """Return when the certificate is valid now (microseconds); raises `InvalidCertificate`."""
        instant = datetime.fromtimestamp(now // 1_000_000, UTC)
        if not self.parsed.not_valid_before_utc <= instant <= self.parsed.not_valid_after_utc:
            raise InvalidCertificate("the client certificate has expired or is not valid yet")

    def require_name(self, kind: Name, expected: str) -> None:
        """Return when the certificate carries exactly this name (RFC 8705 §2.1.2); raises `Mismatch`."""
        wanted = _name(kind, expected)
        if kind == "subject_dn":
            carried: list[Any] = [self.parsed.subject]
        else:
            carried = _alternative_names(self.parsed, _SANS[kind])
        if wanted not in carried:
            raise Mismatch("the client certificate carries another name")


@dataclass(frozen=True)
class Authorities:
    """The certification authorities that vouch for clients' names.

    A chain that was followed once is remembered with the time in which all of it is valid: its signatures do not change.
    """

    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    _followed: dict[Certificate, tuple[datetime, datetime]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, pem: bytes) -> Authorities:
        """Read their certificates from PEM text; raises `InvalidCertificate` for text without any."""
        try:
            return cls(tuple(x509.load_pem_x509_certificates(pem)))
        except ValueError as problem:
            raise InvalidCertificate("no certificates of authorities in PEM form") from problem

    def verify(self, certificate: Certificate, now: int) -> None:
        """Return when a chain leads from the certificate to one of these, all valid now (microseconds).

        Raises `InvalidCertificate`. A certificate that names uses must name authentication of clients.
        """
        instant = datetime.fromtimestamp(now // 1_000_000, UTC)
        known = self._followed.get(certificate)
        if known is not None and known[0] <= instant <= known[1]:
            return
        builder = (
            verification.PolicyBuilder()
            .store(verification.Store(list(self.certificates)))
            .time(instant)
            .max_chain_depth(MAX_CHAIN)
            .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=_clients())
        )
        try:
            chain = builder.build_client_verifier().verify(certificate.parsed, list(certificate.chain)).chain
        except (verification.VerificationError, ValueError) as problem:
            raise InvalidCertificate("no authority known here vouches for the client certificate") from problem
        if len(self._followed) >= REMEMBERED:
            self._followed.clear()
        begins, ends = max(one.not_valid_before_utc for one in chain), min(one.not_valid_after_utc for one in chain)
        self._followed[certificate] = begins, ends


def from_header(value: str, chain: str = "") -> Certificate:
    """Read the values of `Client-Cert` and `Client-Cert-Chain` (RFC 9440 §2.2, §2.3); raises `Malformed`.

    Certificates of the chain beyond `MAX_CHAIN` are refused.
    """
    following = [one.strip(" \t") for one in chain.split(",")] if chain else []
    if len(following) > MAX_CHAIN:
        raise Malformed("too many certificates")
    first, *others = (_parsed(_sequence(text)) for text in [value, *following])
    return Certificate(first.thumbprint, first.parsed, tuple(one.parsed for one in others))


def check_name(kind: Name, expected: str) -> None:
    """Return when a registered name can be compared to a certificate's (RFC 8705 §2.1.2); raises `Malformed`."""
    _name(kind, expected)


def registered(key: Mapping[str, Any]) -> str | None:
    """Return the thumbprint of the certificate that a public JWK brings in `x5c` (RFC 8705 §2.2.2, RFC 7517 §4.7).

    None where there is none, or one of another key.
    """
    listed = key.get("x5c")
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], str):
        return None
    try:
        certificate = _parsed(_decoded(listed[0]))
        members = _members(certificate.parsed.public_key())
    except (Malformed, ValueError):
        return None
    return certificate.thumbprint if all(key.get(name) == value for name, value in members.items()) else None


def _sequence(text: str) -> bytes:
    found = _BYTES.fullmatch(text)
    if found is None:
        raise Malformed("not a byte sequence")
    return _decoded(found[1])


def _decoded(text: str) -> bytes:
    if len(text) > MAX_DER * 4 // 3 + 4:
        raise Malformed("the certificate is too large")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise Malformed("not base64") from problem


@lru_cache(maxsize=256)
def _parsed(der: bytes) -> Certificate:
    if len(der) > MAX_DER:
        raise Malformed("the certificate is too large")
    try:
        parsed = x509.load_der_x509_certificate(der)
        parsed.public_key()
        _ = parsed.subject, parsed.extensions  # read lazily otherwise
    except Exception as problem:
        raise Malformed("not a certificate") from problem
    return Certificate(base64url.encode(hashlib.sha256(der).digest()), parsed)


@lru_cache(maxsize=1024)
def _name(kind: Name, text: str) -> Any:
    """A registered name in the form in which a certificate carries it."""
    if not 1 <= len(text) <= MAX_NAME:
        raise Malformed("the name is empty or too long")
    try:
        if kind == "subject_dn":
            return _distinguished(text)
        if kind == "san_ip":
            return ipaddress.ip_address(text)
    except (ValueError, TypeError) as problem:
        raise Malformed("the name cannot be read") from problem
    if not text.isascii() or not text.isprintable():
        raise Malformed("the name cannot be read")
    return text.lower() if kind == "san_dns" else text


def _distinguished(text: str) -> x509.Name:
    """A distinguished name from its text (RFC 4514), where the value of a rare attribute may be `#` and its DER form."""
    name = x509.Name.from_rfc4514_string(text, RARE)
    if not list(name):
        raise ValueError("an empty name")
    return x509.Name(
        x509.RelativeDistinguishedName(x509.NameAttribute(one.oid, _plain(one.value)) for one in part)
        for part in name.rdns
    )


def _plain(value: str | bytes) -> str:
    """A value without the tag and length of a short UTF8String, PrintableString or IA5String."""
    if isinstance(value, bytes):
        raise TypeError("a value that is no text")
    if value[:1] in {"\x0c", "\x13", "\x16"} and ord(value[1:2] or "\x00") == len(value[2:].encode()):
        return value[2:]
    return value


def _alternative_names(parsed: x509.Certificate, kind: Any) -> list[Any]:
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    values = names.get_values_for_type(kind)
    return [value.lower() for value in values] if kind is x509.DNSName else list(values)


def _clients() -> verification.ExtensionPolicy:
    """What a client's own certificate may say of itself: an authority's does not sign in, a server's neither."""
    some = verification.Criticality.AGNOSTIC
    policy = verification.ExtensionPolicy.permit_all()
    policy = policy.may_be_present(x509.BasicConstraints, some, _no_authority)
    return policy.may_be_present(x509.ExtendedKeyUsage, some, _signs_in)


def _no_authority(_policy: verification.Policy, _one: x509.Certificate, said: x509.BasicConstraints | None) -> None:
    if said is not None and said.ca:
        raise ValueError("an authority's certificate")


def _signs_in(_policy: verification.Policy, _one: x509.Certificate, said: x509.ExtendedKeyUsage | None) -> None:
    if said is not None and not USES & set(said):
        raise ValueError("not for authentication of clients")


def _members(key: object) -> dict[str, str]:
    """The members of a public key's JWK (RFC 7518 §6, RFC 8037 §2)."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        point, size = key.public_numbers(), (key.key_size + 7) // 8
        where = {name: base64url.encode(value.to_bytes(size)) for name, value in (("x", point.x), ("y", point.y))}
        return {"kty": "EC", "crv": _CURVES[key.curve.name], **where}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    raise Malformed("a kind of key that we do not use")


def _number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))
