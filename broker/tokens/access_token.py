"""Access tokens: signed, short, bound to a key and to the permission they act under (RFC 9068, RFC 9449 §6.1)."""

from dataclasses import dataclass

from broker.errors import Wire
from keys import errors as keys_errors
from keys import jws, opaque
from keys.algorithms import Alg
from keys.keyring import Keyring

ALG: Alg = "ES256"
LIFETIME = 300  # seconds
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class AccessToken:
    """What a token says. `grant_id` is the permission it acts under, `family` all tokens that came of one code."""

    subject: str
    client_id: str
    scope: tuple[str, ...]
    acr: str
    jkt: str
    grant_id: str
    family: str
    expires: int
    jti: str


def mint(
    keyring: Keyring,
    *,
    issuer: str,
    subject: str,
    client_id: str,
    scope: tuple[str, ...],
    acr: str,
    jkt: str,
    grant_id: str,
    family: str,
    now: int,
    lifetime: int = LIFETIME,
) -> str:
    """Sign an access token for this server and no other audience; `subject` is the pairwise one, `lifetime` in seconds.

    No row is written for it: the permission and the family it names are read at every use.
    """
    issued = now // SECOND
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": subject,
        "client_id": client_id,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": opaque.token(),
        "scope": " ".join(scope),
        "acr": acr,
        "cnf": {"jkt": jkt},
        "grant_id": grant_id,
        "family": family,
    }
    return jws.sign(keyring.signer(purpose="token", alg=ALG), claims, typ="at+jwt")


def verify(text: str, keyring: Keyring, *, issuer: str, now: int) -> AccessToken:
    """Return what a token says when it is ours and in time; raises `Wire` `invalid_token` (401, RFC 6750 §3.1)."""
    try:
        claims = jws.verify(
            jws.ACCESS_TOKEN, text, keys=keyring.verification_keys("token"), issuer=issuer, audience=issuer, now=now
        )
        return AccessToken(
            subject=claims["sub"],
            client_id=claims["client_id"],
            scope=tuple(claims["scope"].split()),
            acr=claims["acr"],
            jkt=claims["cnf"]["jkt"],
            grant_id=claims["grant_id"],
            family=claims["family"],
            expires=int(claims["exp"]) * SECOND,
            jti=claims["jti"],
        )
    except (keys_errors.KeysError, KeyError, TypeError, AttributeError) as refused:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401) from refused
