"""An access token presented at a resource of this server (RFC 9449 §7.1, RFC 8705 §3, RFC 6750 §2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.database import Tx
from broker.errors import Wire
from broker.tokens import access_token, dpop
from broker.tokens.access_token import AccessToken
from broker.tokens.dpop import VerifiedProof
from keys import errors as keys_errors
from keys.certificates import Certificate
from keys.keyring import Keyring, SealingRing

MAX_TOKEN = 4096  # characters


@dataclass(frozen=True)
class Presented:
    """A verified token with the proof that whoever sent it holds its key; no proof for a token bound to no DPoP key.

    `text` is the token as sent: the handle of what is sealed to it. What the caller still owes, in its act: spend the proof
    (`spend(tx)`), read the rows that say whether the token still counts (`standing.read`).
    """

    token: AccessToken
    text: str
    proof: VerifiedProof | None

    def spend(self, tx: Tx) -> None:
        """Let the proof count once."""
        if self.proof is not None:
            self.proof.spend(tx)


def verify(
    authorization: Sequence[str],
    proofs: Sequence[str],
    *,
    method: str,
    url: str | Sequence[str],
    keyring: Keyring,
    ring: SealingRing,
    issuer: str,
    now: int,
    certificate: Certificate | None = None,
    own: bool = False,
) -> Presented:
    """Check the `Authorization` and `DPoP` headers of a request to a resource; raises `Wire` (401).

    `url` is issuer and path, or all addresses of the resource; `certificate` the one shown in the TLS handshake. A bound token sent as Bearer is refused (RFC 9449 §7.1: no downgrade), and an unbound one
    sent with a proof; the scheme's case is free. `own`: the token of a client that acts for itself, and no other.
    """
    if len(authorization) != 1:
        raise Wire("invalid_token", "exactly one Authorization header is needed", status=401)
    scheme, _, text = authorization[0].partition(" ")
    if scheme.lower() not in {"dpop", "bearer"}:
        raise Wire("invalid_token", "the access token must be sent with the DPoP scheme", status=401)
    if not 1 <= len(text) <= MAX_TOKEN or not text.isascii():
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401)
    token = access_token.verify(text, keyring, issuer=issuer, now=now, own=own)
    if scheme.lower() != token.scheme.lower():
        raise Wire("invalid_token", f"the access token must be sent with the {token.scheme} scheme", status=401)
    if token.x5t is not None:
        _check_certificate(token.x5t, certificate, now)
    if token.jkt is None:
        return Presented(token, text, None)
    proof = dpop.verify(proofs, method=method, url=url, ring=ring, now=now, access_token=text, jkt=token.jkt)
    return Presented(token, text, proof)


def _check_certificate(x5t: str, certificate: Certificate | None, now: int) -> None:
    """The certificate of this request is the one the token is bound to (RFC 8705 §3)."""
    why = "the access token is bound to another client certificate"
    try:
        if certificate is None:
            why = "the access token is bound to a client certificate"
        else:
            certificate.require_time(now)
            if certificate.thumbprint == x5t:
                return
    except keys_errors.InvalidCertificate as problem:
        why = str(problem)
    raise Wire("invalid_token", why, status=401)
