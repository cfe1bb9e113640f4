"""Mutual TLS: what the operator offers of it, and whether a certificate is a client's (RFC 8705 §2).

The certificate was shown in a TLS handshake that a trusted proxy ended; that proxy handed it on (RFC 9440).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broker.clients.metadata import ClientMetadata
from keys import errors as keys_errors
from keys.certificates import Authorities, Certificate
from keys.jwk import KeySet

PKI, SELF_SIGNED = "tls_client_auth", "self_signed_tls_client_auth"
METHODS = (PKI, SELF_SIGNED)


@dataclass(frozen=True)
class MutualTls:
    """Where clients are asked for certificates (an origin), and who vouches for the names in them, if anybody does."""

    origin: str
    authorities: Authorities | None = None

    @classmethod
    def load(cls, origin: str, authorities: Path | None) -> MutualTls | None:
        """Read the authorities' certificates (PEM); None where no origin asks for certificates.

        Raises `keys.errors.InvalidCertificate` for a file that cannot be used.
        """
        if not origin:
            return None
        try:
            return cls(origin, None if authorities is None else Authorities.parse(authorities.read_bytes()))
        except OSError as problem:
            raise keys_errors.InvalidCertificate(f"SEMEL_CLIENT_CA_FILE: {problem.strerror}") from problem

    @property
    def methods(self) -> tuple[str, ...]:
        """The ways of authenticating that are offered: by name only where somebody vouches for names."""
        return (SELF_SIGNED,) if self.authorities is None else METHODS


def lacking(client: ClientMetadata, offered: MutualTls | None) -> str:
    """Name the setting without which a client of the operator's can do nothing here; empty when there is none."""
    needs_names = client.token_endpoint_auth_method == PKI
    if offered is None and (
        client.token_endpoint_auth_method in METHODS or client.tls_client_certificate_bound_access_tokens
    ):
        return "SEMEL_MTLS_ORIGIN"
    return "SEMEL_CLIENT_CA_FILE" if needs_names and offered is not None and offered.authorities is None else ""


def check_named(offered: MutualTls, client: ClientMetadata, certificate: Certificate, now: int) -> None:
    """Return when an authority vouches for the certificate, and it carries the client's one name (RFC 8705 §2.1).

    Raises `ValueError`, or a `keys.errors.KeysError` that says what does not fit.
    """
    if offered.authorities is None:
        raise ValueError("no authority is known here")
    certificate.require_time(now)
    offered.authorities.verify(certificate, now)
    ((kind, name),) = client.certificate_names
    certificate.require_name(kind, name)


def check_registered(keys: KeySet, certificate: Certificate, now: int) -> None:
    """Return when the certificate is one that the client registered with its keys (RFC 8705 §2.2); raises as above."""
    certificate.require_time(now)
    if certificate.thumbprint not in keys.certificates:
        raise keys_errors.Mismatch("not a certificate that the client registered")
