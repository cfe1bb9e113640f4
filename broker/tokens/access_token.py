"""Access tokens: signed, short, bound to a key and to the permission they act under (RFC 9068, RFC 9449 §6.1, RFC 8705 §3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.errors import Wire
from broker.tokens import revoked
from keys import base64url, jws, opaque
from keys import errors as keys_errors
from keys.algorithms import Alg
from keys.jws import Claims
from keys.keyring import Keyring

ALG: Alg = "ES256"
LIFETIME = 300  # seconds
SECOND = 1_000_000  # microseconds
UNBOUND: Mapping[str, str] = MappingProxyType({})
BINDINGS = frozenset({"jkt", "x5t#S256"})


@dataclass(frozen=True)
class AccessToken:
    """What a token says. `grant_id` is the permission it acts under, `family` all tokens that came of one code.

    `cnf` is what it is bound to (RFC 7800 §3.1): a DPoP key, a client certificate, both, or nothing for one that whoever
    holds it may use; `narrowed`: it was asked for without the scope of its data, and opens none. A client's token for
    itself (`verify` with `own`) names no permission, no family, no `acr`. `act` is the client when it acts for another one
    (RFC 8693 §4.1), `came_of` then the trace of the token this one was exchanged for.
    """

    subject: str
    client_id: str
    scope: tuple[str, ...]
    acr: str
    cnf: Mapping[str, str]
    grant_id: str
    family: str
    expires: int
    jti: str
    narrowed: bool = False
    act: str | None = None
    came_of: bytes | None = field(default=None, repr=False)

    @property
    def jkt(self) -> str | None:
        """The thumbprint of the DPoP key it is bound to, if any."""
        return self.cnf.get("jkt")

    @property
    def x5t(self) -> str | None:
        """The thumbprint of the client certificate it is bound to, if any (RFC 8705 §3.1)."""
        return self.cnf.get("x5t#S256")

    @property
    def scheme(self) -> str:
        """How it is sent (RFC 9449 §7.1, RFC 6750 §2.1)."""
        return scheme(self.cnf)


def scheme(cnf: Mapping[str, Any]) -> str:
    """Name the token type: bound to a DPoP key, or sent as a bearer token, which one bound to a certificate is too."""
    return "DPoP" if "jkt" in cnf else "Bearer"


def mint(
    keyring: Keyring,
    *,
    issuer: str,
    subject: str,
    client_id: str,
    scope: tuple[str, ...],
    acr: str,
    cnf: Mapping[str, str],
    grant_id: str,
    family: str,
    now: int,
    lifetime: int = LIFETIME,
    narrowed: bool = False,
    came_of: str | None = None,
) -> str:
    """Sign an access token for this server and no other audience; `subject` is the pairwise one, `lifetime` in seconds.

    With `came_of`, the `jti` of the token it is exchanged for, its client acts for another (RFC 8693 §4.1).
    No row is written for it: the permission and the family it names are read at every use.
    """
    claims: dict[str, Any] = {"acr": acr, "grant_id": grant_id, "family": family}
    if narrowed:
        claims["narrowed"] = True
    if came_of is not None:
        claims |= {"act": {"sub": client_id}, "came_of": base64url.encode(revoked.trace(came_of))}
    whom = Whom(issuer, subject, client_id, scope, cnf)
    return _sign(keyring, whom, claims, opaque.token(), now=now, lifetime=lifetime)


def mint_for(
    keyring: Keyring,
    *,
    issuer: str,
    audience: str,
    subject: str,
    client_id: str,
    scope: tuple[str, ...],
    cnf: Mapping[str, str],
    now: int,
    lifetime: int = LIFETIME,
    jti: str,
    **claims: str,
) -> str:
    """Sign an access token that opens no personal data here: for another server, or for a client about itself (RFC 8707 §2.2).

    It names no permission and no item, and lives at most `LIFETIME`; further `claims` as given.
    """
    whom = Whom(issuer, subject, client_id, scope, cnf)
    return _sign(keyring, whom, {**claims, "aud": audience}, jti, now=now, lifetime=min(lifetime, LIFETIME))


@dataclass(frozen=True)
class Whom:
    """Who vouches for whom, to which client, bound to what."""

    issuer: str
    subject: str
    client_id: str
    scope: tuple[str, ...]
    cnf: Mapping[str, str]


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
    if whom.cnf:
        claims["cnf"] = dict(whom.cnf)
    return jws.sign(keyring.signer(purpose="token", alg=ALG), claims, typ="at+jwt")


def verify(text: str, keyring: Keyring, *, issuer: str, now: int, own: bool = False) -> AccessToken:
    """Return what a token says when it is ours and in time; raises `Wire` `invalid_token` (401, RFC 6750 §3.1).

    `own`: one that a client got for itself (RFC 6749 §4.4), and none about a person.
    """
    try:
        claims = jws.verify(
            jws.ACCESS_TOKEN, text, keys=keyring.verification_keys("token"), issuer=issuer, audience=issuer, now=now
        )
        if own:
            return _own(claims)
        return AccessToken(
            subject=claims["sub"],
            client_id=claims["client_id"],
            scope=tuple(claims["scope"].split()),
            acr=claims["acr"],
            cnf=_binding(claims),
            grant_id=claims["grant_id"],
            family=claims["family"],
            expires=int(claims["exp"]) * SECOND,
            jti=claims["jti"],
            narrowed=claims.get("narrowed", False),
            **_acting(claims),
        )
    except (keys_errors.KeysError, KeyError, TypeError, AttributeError) as refused:
        raise Wire("invalid_token", "the access token is not valid or has expired", status=401) from refused


def _acting(claims: Claims) -> dict[str, Any]:
    """Who acts, where a token is an exchanged one: its client, and nobody behind it."""
    if "act" not in claims:
        return {}
    if claims["act"] != {"sub": claims["client_id"]}:
        raise TypeError("nobody else acts with this token")
    return {"act": claims["client_id"], "came_of": base64url.decode(claims["came_of"])}


def _binding(claims: Claims) -> Mapping[str, str]:
    """What a token is bound to; one that is bound to something unknown here must not pass for one bound to nothing."""
    cnf = claims.get("cnf", {})
    if not cnf.keys() <= BINDINGS or ("cnf" in claims and not cnf):
        raise TypeError("bound in a way that is not known here")
    return MappingProxyType(cnf)


def _own(claims: Claims) -> AccessToken:
    """What a token says that names nobody but its client; `KeyError` for another."""
    if claims["sub"] != claims["client_id"] or not claims.keys().isdisjoint({"grant_id", "family", "ref"}):
        raise KeyError
    return AccessToken(
        subject=claims["sub"],
        client_id=claims["client_id"],
        scope=tuple(claims.get("scope", "").split()),
        acr="",
        cnf=_binding(claims),
        grant_id="",
        family="",
        expires=int(claims["exp"]) * SECOND,
        jti=claims["jti"],
    )


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
