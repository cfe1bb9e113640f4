"""Proof of possession of a key, and the nonces that keep proofs fresh (RFC 9449 §4.3, §8, §9).

The plan of §4.3; the code carries the numbers:
(1) one header · (2) a single well-formed JWT · (3) all required claims · (4) `typ` · (5) an asymmetric algorithm we allow
(6) the signature verifies with the `jwk` of the header · (7) which holds no private key · (8) `htm` · (9) `htu`
(10) the nonce is one we gave · (11) fresh · (12) at a resource: `ath`, and the key is the token's.
What the caller still owes: `VerifiedProof.spend` in its act, so that a proof counts once.
"""

import hashlib
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from broker import freshness
from broker.database import Tx
from broker.errors import Wire
from broker.tokens import replay
from keys import base64url, jws, opaque
from keys import errors as keys_errors
from keys.jws import Claims
from keys.keyring import SealingRing

HEADER = "DPoP-Nonce"
SECOND = 1_000_000  # microseconds
_DEFAULT_PORT = {"https": 443, "http": 80}
MAX_HTU = 2048  # characters
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_ESCAPED = re.compile("%[0-9A-Fa-f]{2}")


@dataclass(frozen=True)
class VerifiedProof:
    """A proof that passed every check: the key's thumbprint, and what must be remembered of it until `expires`."""

    jkt: str
    id_hash: bytes
    expires: int
    at_resource: bool

    @property
    def marker(self) -> replay.Marker:
        """What is remembered of it."""
        return "dpop_at_resource" if self.at_resource else "dpop_proof", self.id_hash, self.expires

    def spend(self, tx: Tx) -> None:
        """Let the proof count once; raises `replay.Replayed` when it came before, on any worker."""
        replay.spend_all(tx, self.marker)


def offer(ring: SealingRing, now: int) -> dict[str, str]:
    """Return the header that offers the next nonce (RFC 9449 §8.2)."""
    return {HEADER: freshness.make(ring, now)}


def verify(
    headers: Sequence[str],
    *,
    method: str,
    url: str | Sequence[str],
    ring: SealingRing,
    now: int,
    access_token: str | None = None,
    jkt: str | None = None,
) -> VerifiedProof:
    """Check the request's `DPoP` headers and return the evidence.

    `url` is built from the issuer, never from the request's Host; several are one resource under all its names. At a resource give the token's text and the thumbprint it
    is bound to. Raises `Wire`: `invalid_dpop_proof` or `use_dpop_nonce` (with a nonce to use), 400 at the authorization
    server and 401 at a resource.
    """
    status = 400 if access_token is None else 401
    try:
        claims = _signed(headers, now)
        _check_request(claims, method, (url,) if isinstance(url, str) else url)
        if access_token is not None:
            _check_bound(claims, access_token, jkt)
    except (ValueError, keys_errors.KeysError) as refused:
        why = str(refused) if isinstance(refused, ValueError) else f"the DPoP proof is refused: {refused}"
        raise Wire("invalid_dpop_proof", why, status=status) from refused
    try:
        freshness.check(
            ring, claims.get("nonce"), now
        )  # (10), last: a nonce is offered to a proof that is otherwise good
    except keys_errors.Mismatch as refused:
        raise Wire("use_dpop_nonce", "use the nonce given", status=status, headers=offer(ring, now)) from refused
    id_hash = opaque.digest(f"{claims.thumbprint()}.{claims['jti']}")
    return VerifiedProof(claims.thumbprint(), id_hash, now + 3 * freshness.WINDOW * SECOND, access_token is not None)


def _signed(headers: Sequence[str], now: int) -> Claims:
    """(1) to (7) and (11): one header, and a proof that verifies with the public key it brings."""
    if len(headers) != 1:
        raise ValueError("exactly one DPoP header is needed")
    return jws.verify(jws.DPOP_PROOF, headers[0], now=now)


def _check_request(claims: Claims, method: str, urls: Sequence[str]) -> None:
    """(8), (9): this request."""
    if claims["htm"] != method:
        raise ValueError(f"htm is not the method of this request, {method}")
    if _normal(claims["htu"]) not in map(_normal, urls):
        raise ValueError(f"htu is not the address of this request, {' or '.join(urls)}")


def _check_bound(claims: Claims, access_token: str, jkt: str | None) -> None:
    """(12): this token, and the key it is bound to."""
    digest = hashlib.sha256(access_token.encode()).digest()
    if claims.get("ath") != base64url.encode(digest):
        raise ValueError("ath is not the hash of the access token")
    if jkt != claims.thumbprint():
        raise ValueError("the access token is bound to another key")


def _normal(address: object) -> tuple[str, str, str]:
    """Scheme, host with port, and path of an address; query and fragment do not count (RFC 3986 §6.2.2, §6.2.3)."""
    if not isinstance(address, str) or not address.isascii() or len(address) > MAX_HTU:
        raise ValueError("htu is not an address")
    try:
        parts = urlsplit(address)
        given = parts.port
    except ValueError:  # what the library says of it would repeat the sender's words in our answer and our log
        raise ValueError("htu is not an address") from None
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname or "@" in parts.netloc or given == 0:
        raise ValueError("htu is not an address")
    port = given or _DEFAULT_PORT[parts.scheme]
    return parts.scheme, f"{parts.hostname}:{port}", _ESCAPED.sub(_plain, parts.path) or "/"


def _plain(escaped: re.Match[str]) -> str:
    """Write an escape the one normal way: unreserved characters plain, the others in upper case."""
    character = chr(int(escaped[0][1:], 16))
    return character if character in _UNRESERVED else escaped[0].upper()
