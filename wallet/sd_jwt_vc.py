"""A verifiable credential as SD-JWT: its claims, its header, its signature (SD-JWT VC draft-25 §3; format `dc+sd-jwt`).

The envelope is in clear and says nothing about the person. Times are coarse, so that they do not tell two copies apart:
`iat` is the day, `exp` the full hour at which the lifetime has passed or is about to.
"""

from collections.abc import Mapping
from typing import Any

from keys import base64url, canonical, jws
from keys.keyring import SigningKey
from wallet import sd_jwt
from wallet.credential_type import CredentialType
from wallet.errors import InvalidSdJwt

TYP = "dc+sd-jwt"
DAY = 86_400
HOUR = 3_600
SECOND = 1_000_000


def envelope(kind: CredentialType, *, issuer: str, holder: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return the claims that are never selectively disclosable; `holder` is the public key the wallet proved."""
    seconds = now // SECOND
    return {
        "iss": issuer,
        "vct": kind.vct,
        "iat": seconds - seconds % DAY,
        "exp": expires(kind, now),
        "cnf": {"jwk": dict(holder)},
    }


def expires(kind: CredentialType, now: int) -> int:
    """Return the end of a credential made now, in seconds: at most the type's lifetime away, on the hour."""
    end = now // SECOND + kind.lifetime
    return end - end % HOUR


def sign(signer: SigningKey, claims: Mapping[str, Any]) -> str:
    """Hide what is marked `Hidden`, sign, and return the compact SD-JWT with all its disclosures.

    The header's `kid` names one of the issuer's few published keys, never a copy or a person.
    What was made is read again before it leaves; raises `InvalidSdJwt` when it does not say what it was made from.
    """
    payload, disclosures = sd_jwt.conceal(claims)
    compact = sd_jwt.combine(jws.sign(signer, payload, typ=TYP), disclosures)
    if read(compact) != _plain(claims):
        raise InvalidSdJwt("the credential does not read back as it was made")
    return compact


def read(compact: str) -> dict[str, Any]:
    """Return the claims of our own SD-JWT without checking its signature; raises `InvalidSdJwt`."""
    parts = sd_jwt.split(compact)
    payload = canonical.loads(base64url.decode(parts.jwt.split(".")[1]))
    return sd_jwt.reveal(payload, parts.disclosures)


def _plain(value: Any) -> Any:
    if isinstance(value, sd_jwt.Hidden):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
