"""Proof that the wallet holds the key a credential will be bound to (OpenID4VCI 1.0 §8.2.1.1, Appendix F.1, F.4).

1. The header names its key in exactly one way, and that way is `jwk`.
2. `typ` is `openid4vci-proof+jwt`; `alg` is asymmetric and one that the configuration lists.
3. The key is public, of that algorithm's curve, its point on the curve.
4. The signature is by that key.
5. `aud` is this credential issuer, as one string.
6. `iat` is at most 300 s old and at most 60 s ahead.
7. `iss` is absent: the access token came from a pre-authorized code without client authentication.
8. `nonce` is there, ours, and still good.
The caller still owes: that the nonce is spent in the change that issues (`nonce.spend`),
and that the key holds no credential yet (`holder_key.spend`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from keys import jws
from keys.errors import KeysError
from keys.keyring import SealingRing
from wallet import nonce
from wallet.errors import InvalidProof


@dataclass(frozen=True)
class VerifiedProof:
    """A proof that passed: the public key to bind to, and the nonce that must now be spent."""

    jwk: Mapping[str, Any] = field(repr=False)
    nonce: str = field(repr=False)
    nonce_expires: int


def verify(token: str, *, issuer: str, algorithms: Collection[str], ring: SealingRing, now: int) -> VerifiedProof:
    """Check a proof of type `jwt` and return what it proves; `now` in microseconds.

    Raises `InvalidProof` for whatever is wrong with the proof itself, and `InvalidNonce` when only its nonce is.
    """
    try:
        header = jws.unverified_header(token)
        if "jwk" not in header or {"kid", "x5c"} & header.keys():  # 1
            raise InvalidProof("the header must hold the key in jwk, and in no other way")
        claims = jws.verify(  # 2 to 6
            jws.CREDENTIAL_PROOF, token, audience=issuer, algorithms=algorithms, now=now
        )
    except KeysError as problem:
        raise InvalidProof("the proof is not valid") from problem
    if "iss" in claims:  # 7
        raise InvalidProof("iss must be left out where the client was not authenticated")
    given = claims.get("nonce")
    if not isinstance(given, str) or not given:  # 8
        raise InvalidProof("the proof must hold a nonce")
    expires = nonce.check(given, ring, issuer=issuer, now=now)
    return VerifiedProof(_bare(claims.key), given, expires)


def _bare(key: Mapping[str, Any]) -> dict[str, Any]:
    """Only the members that make the key: names a wallet gave it would follow the person from verifier to verifier."""
    return {name: key[name] for name in ("kty", "crv", "x", "y") if name in key}
