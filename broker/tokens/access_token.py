"""Access tokens: signed, short, bound to a key and to the permission they act under (RFC 9068, RFC 9449 §6.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import Wire
from keys import errors as keys_errors
from keys import jws, opaque
from keys.algorithms import Alg
from keys.jws import Claims
from keys.keyring import Keyring

ALG: Alg = "ES256"
LIFETIME = 300  # seconds
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class AccessToken:
    """What a token says. `grant_id` is the permission it acts under, `family` all tokens that came of one code.

    `jkt` is the key it is bound to, None for one that whoever holds it may use; `narrowed`: it was asked for without the
    scope of its data, and opens none.
    """

    subject: str
    client_id: str
    scope: tuple[str, ...]
    acr: str
    jkt: str | None
    grant_id: str
    family: str
    expires: int
    jti: str
    narrowed: bool = False

    @property
    def scheme(self) -> str:
        """How it is sent (RFC 9449 §7.1, RFC 6750 §2.1)."""
        return scheme(self.jkt)


def scheme(jkt: object) -> str:
    """Name the token type: bound to a key (anything but None), or a bearer token."""
    return "Bearer" if jkt is None else "DPoP"


def mint(
    keyring: Keyring,
    *,
    issuer: str,
    subject: str,
    client_id: str,
    scope: tuple[str, ...],
    acr: str,
    jkt: str | None,
    grant_id: str,
    family: str,
    now: int,
    lifetime: int = LIFETIME,
    narrowed: bool = False,
) -> str:
    """Sign an access token for this server and no other audience; `subject` is the pairwise one, `lifetime` in seconds.

    No row is written for it: the permission and the family it names are read at every use.
    """
    claims: dict[str, Any] = {"acr": acr, "grant_id": grant_id, "family": family}
    if narrowed:
        claims["narrowed"] = True
    whom = Whom(issuer, subject, client_id, scope, jkt)
    return _sign(keyring, whom, claims, opaque.token(), now=now, lifetime=lifetime)


def mint_for(
    keyring: Keyring,
    *,
    issuer: str,
    audience: str,
    subject: str,
    client_id: str,
    scope: tuple[str, ...],
    jkt: str | None,
    now: int,
    lifetime: int = LIFETIME,
    jti: str,
    **claims: str,
) -> str:
    """Sign an access token that opens no personal data here: for another server, or for a client about itself (RFC 8707 §2.2).

    It names no permission and no item, and lives at most `LIFETIME`; further `claims` as given.
    """
    whom = Whom(issuer, subject, client_id, scope, jkt)
    return _sign(keyring, whom, {**claims, "aud": audience}, jti, now=now, lifetime=min(lifetime, LIFETIME))


@dataclass(frozen=True)
class Whom:
    """Who vouches for whom, to which client, bound to which key."""

    issuer: str
    subject: str
    client_id: str
    scope: tuple[str, ...]
    jkt: str | None


def _sign(keyring: Keyring, whom: Whom, further: Mapping[str, Any], jti: str, *, now: int, lifetime: int) -> str:
    issued = now // SECOND
    claims = {
        "iss": whom.issuer,
        "aud": whom.issuer,
        "sub": whom.subject,
        "client_id": whom.client_id,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": jti,
        **further,
    }
    if whom.scope:
        claims["scope"] = " ".join(whom.scope)
    if whom.jkt is not None:
        claims["cnf"] = {"jkt": whom.jkt}
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
            jkt=claims["cnf"]["jkt"] if "cnf" in claims else None,
            grant_id=claims["grant_id"],
            family=claims["family"],
            expires=int(claims["exp"]) * SECOND,
            jti=claims["jti"],
            narrowed=claims.get("narrowed", False),
        )
    except (keys_errors.KeysError, KeyError, TypeError, AttributeError) as refused:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401) from refused


def issued(text: str, keyring: Keyring, *, issuer: str, now: int) -> Claims | None:
    """Return the claims of an access token that this server signed for whatever audience; None for anything else.

    For who asks about a token (RFC 7662) or ends it (RFC 7009): a token shown at a resource is for `verify`.
    """
    try:
        audience = jws.unverified_claims(text).get("aud")
        if not isinstance(audience, str):
            return None
        return jws.verify(
            jws.ACCESS_TOKEN, text, keys=keyring.verification_keys("token"), issuer=issuer, audience=audience, now=now
        )
    except keys_errors.KeysError:
        return None
