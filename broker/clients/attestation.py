"""Wallets that authenticate by attestation: the maker vouches for the instance, the instance proves its key (attestation-based
client authentication, draft 11, §5 to §7; HAIP 1.0 §4.4.1).

All instances of a wallet are one client: `client_id` is the attestation's `sub`. The client's registered keys are its maker's.
A certificate chain that comes along (`x5c`) is no source of keys. The instance's key tells instances apart, so nothing of it is
kept or logged but that its proof counts once, and, inside a refresh token's box, whose token it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker import freshness
from broker.errors import Wire
from keys import errors as keys_errors
from keys import jwk, jws, opaque
from keys.keyring import SealingRing

ATTESTATION, PROOF = "oauth-client-attestation", "oauth-client-attestation-pop"
CHALLENGE = "OAuth-Client-Attestation-Challenge"
UNPROVEN = (
    "the attestation or its proof is not signed with a key that vouches for this client"  # also for an unknown one
)
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Attested:
    """The two headers of a request, as they were sent, and what challenges are made with."""

    attestation: Sequence[str]
    proof: Sequence[str]
    ring: SealingRing

    @property
    def is_sent(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.attestation or self.proof)

    @property
    def kid(self) -> str | None:
        """Which of the maker's keys the attestation names; raises `Wire` for other than one token in each header (§6.1)."""
        if len(self.attestation) != 1 or len(self.proof) != 1:
            raise _refused("exactly one attestation and one proof of its key are needed")
        try:
            named = jws.unverified_header(self.attestation[0]).get("kid")
        except keys_errors.InvalidToken as refused:
            raise _refused(f"the attestation is refused: {refused.explanation}") from refused
        return named if isinstance(named, str) else None


def verify(client_id: str, sent: Attested, makers: jwk.KeySet, *, issuer: str, now: int) -> tuple[bytes, int, str]:
    """Check attestation and proof; return what is to be remembered of the proof, until when (microseconds), and the key's thumbprint.

    Raises `Wire` (400): `use_fresh_attestation` for one that has expired, `use_attestation_challenge` with a challenge to use,
    `invalid_client_attestation` for everything else.
    """
    try:
        vouched = jws.verify(jws.CLIENT_ATTESTATION, sent.attestation[0], keys=makers, now=now, sub=client_id)
        instance = jwk.KeySet((jwk.public(_key(vouched)),))
        proven = jws.verify(jws.CLIENT_ATTESTATION_POP, sent.proof[0], keys=instance, audience=issuer, now=now)
    except keys_errors.InvalidToken as refused:
        if str(refused) == "expired":
            raise Wire("use_fresh_attestation", "the attestation has expired") from refused
        if str(refused) in {"key", "unknown_key", "signature"}:
            raise _refused(UNPROVEN) from refused
        raise _refused(f"the attestation or its proof is refused: {refused.explanation}") from refused
    except keys_errors.KeysError as refused:
        raise _refused("the attestation names no key") from refused
    try:
        freshness.check(sent.ring, proven.get("challenge"), now)
    except keys_errors.Mismatch as refused:
        raise Wire("use_attestation_challenge", "use the challenge given", headers=offer(sent.ring, now)) from refused
    marker = opaque.digest(f"attestation\x00{proven.thumbprint()}\x00{proven['jti']}")
    return marker, now + 3 * freshness.WINDOW * SECOND, proven.thumbprint()


def offer(ring: SealingRing, now: int) -> dict[str, str]:
    """Return the header that offers a challenge (draft 11, §8)."""
    return {CHALLENGE: freshness.make(ring, now)}


def _key(vouched: jws.Claims) -> object:
    confirmed = vouched["cnf"]
    return confirmed.get("jwk") if isinstance(confirmed, dict) else None


def _refused(why: str) -> Wire:
    return Wire("invalid_client_attestation", why)
