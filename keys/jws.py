"""Signed tokens: one `verify` whose purpose fixes everything an attacker could choose (RFC 7515, RFC 7519, RFC 8725).

1. The size is bounded before anything is decoded; three parts of strict base64url; JSON without repeated members.
2. `alg` is one the purpose allows (never none, never a shared secret), `typ` is the purpose's, `crit` names nothing.
3. The key comes from the caller's set by `kid`; only a proof of possession brings its own, public, in `jwk`.
4. The signature.
5. Claims: the required are there; issuer, audience and whatever else the caller expects are equal; the time fits.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from keys import base64url, canonical, jwk, jwt_claims
from keys.errors import InvalidKey, InvalidToken, Malformed
from keys.jwt_claims import Purpose
from keys.keyring import SigningKey

MAX_HEADER = 8 * 1024  # characters; a proof with an RSA key or a certificate chain passes
MAX_TOKEN = 64 * 1024  # characters of a token that holds what its sender chose: as long as a request may be
MAX_TRIED = 4  # keys tried for one token
RESERVED = frozenset({"alg", "kid", "typ", "crit"})

ASYMMETRIC = frozenset({"ES256", "PS256", "EdDSA", "Ed25519"})
OURS = frozenset({"ES256"})
FOR_CLIENTS = ("ES256", "PS256", "EdDSA", "RS256")  # what a client may ask its ID tokens to be signed with

CLIENT_ASSERTION = Purpose(
    "client-assertion",
    ASYMMETRIC | {"RS256"},
    frozenset({None, "jwt", "client-authentication+jwt"}),
    frozenset({"iss", "sub", "aud", "exp", "jti"}),
    16_384,
    lifetime=600,
)
DPOP_PROOF = Purpose(
    "dpop-proof",
    ASYMMETRIC,
    frozenset({"dpop+jwt"}),
    frozenset({"jti", "htm", "htu", "iat"}),
    8_192,
    age=60,
    brings_key=True,
    audience=False,
)
ACCESS_TOKEN = Purpose(
    "access-token",
    OURS,
    frozenset({"at+jwt"}),
    frozenset({"iss", "aud", "sub", "client_id", "exp", "iat", "jti"}),
    8_192,
    lifetime=3600,
)
ID_TOKEN = Purpose(
    "id-token",
    frozenset(FOR_CLIENTS),
    frozenset({None, "jwt"}),
    frozenset({"iss", "aud", "sub", "exp", "iat"}),
    MAX_TOKEN,
    lifetime=3600,
)
ID_TOKEN_HINT = replace(ID_TOKEN, name="id-token-hint", expires=False, lifetime=None)
ACTOR_TOKEN = Purpose(
    "actor-token",
    ASYMMETRIC,
    frozenset({"actor-token+jwt"}),
    frozenset({"iss", "sub", "aud", "client_id", "exp", "jti", "cnf"}),
    8_192,
    lifetime=300,
)
CLIENT_ATTESTATION = Purpose(
    "client-attestation",
    ASYMMETRIC,
    frozenset({"oauth-client-attestation+jwt"}),
    frozenset({"sub", "exp", "cnf"}),
    16_384,
    lifetime=86_400,
    audience=False,
)
CLIENT_ATTESTATION_POP = Purpose(
    "client-attestation-pop",
    ASYMMETRIC,
    frozenset({"oauth-client-attestation-pop+jwt"}),
    frozenset({"aud", "jti", "iat"}),
    8_192,
    age=300,
)
REQUEST_OBJECT = Purpose(
    "request-object",
    ASYMMETRIC | {"RS256"},
    frozenset({None, "jwt", "oauth-authz-req+jwt"}),
    frozenset({"iss", "aud", "exp", "nbf", "client_id"}),
    MAX_TOKEN,
    audiences=True,
    window=3600,
)
PLAIN_REQUEST_OBJECT = replace(REQUEST_OBJECT, required=frozenset({"iss", "aud", "client_id"}))  # OIDC Core §6.1
BACKCHANNEL_REQUEST = Purpose(
    "backchannel-request",
    ASYMMETRIC | {"RS256"},
    frozenset({None, "jwt", "oauth-authz-req+jwt"}),
    frozenset({"iss", "aud", "exp", "iat", "nbf", "jti"}),
    MAX_TOKEN,
    audiences=True,
    window=3600,
)
CREDENTIAL_PROOF = Purpose(
    "credential-proof",
    ASYMMETRIC,
    frozenset({"openid4vci-proof+jwt"}),
    frozenset({"aud", "iat"}),
    8_192,
    age=300,
    skew=60,
    brings_key=True,
)
RECEIPT = Purpose(
    "receipt", OURS, frozenset({"prefill-receipt+jwt"}), frozenset({"iss", "iat"}), 65_536, audience=False
)
SOFTWARE_STATEMENT = Purpose(
    "software-statement", ASYMMETRIC | {"RS256"}, frozenset({None, "jwt"}), frozenset({"iss"}), 16_384, audience=False
)


@dataclass(frozen=True)
class Claims(Mapping[str, Any]):
    """The claims of a token that was verified for a purpose; only `verify` makes one."""

    purpose: str
    members: Mapping[str, Any] = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    key: Mapping[str, Any] = field(repr=False)  # the public key that verified it

    def __getitem__(self, name: str) -> Any:
        return self.members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def thumbprint(self) -> str:
        """Return the RFC 7638 thumbprint of the key that verified the token (`jkt`, RFC 9449 §6.1)."""
        return jwk.thumbprint(self.key)


def sign(key: SigningKey, claims: Mapping[str, Any], *, typ: str, header: Mapping[str, Any] | None = None) -> str:
    """Return the compact serialization of `claims` signed by `key`; `header` adds members, never replaces ours.

    Raises `Malformed` for claims that JSON cannot carry or a header member of ours.
    """
    extra = dict(header or {})
    if RESERVED & extra.keys():
        raise Malformed("alg, kid, typ and crit are not the caller's")
    head = {"alg": key.alg, "typ": typ, "kid": key.kid, **extra}
    signed = f"{_encode(head)}.{_encode(claims)}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


def unverified_header(token: str) -> Mapping[str, Any]:
    """Return a token's header as its sender wrote it, to choose what to verify it with; raises `InvalidToken`.

    Nothing in it may be believed.
    """
    head = token.partition(".")[0] if len(token) <= MAX_HEADER else token[: MAX_HEADER + 1].partition(".")[0]
    if len(head) > MAX_HEADER:
        raise InvalidToken("too_large")
    return MappingProxyType(_json(head))


def unverified_claims(token: str) -> Mapping[str, Any]:
    """Return a token's claims as its sender wrote them, to find whose keys verify it; raises `InvalidToken`.

    Nothing in them may be believed.
    """
    if len(token) > MAX_TOKEN:
        raise InvalidToken("too_large")
    return MappingProxyType(_json(_parts(token)[1]))


def verify(
    purpose: Purpose,
    token: str,
    *,
    keys: jwk.KeySet | None = None,
    issuer: str | None = None,
    audience: str | Sequence[str] | None = None,
    now: int,
    algorithms: Collection[str] | None = None,
    **expect: str,
) -> Claims:
    """Return the claims of a token that is good for `purpose`.

    `keys`: who may have signed (none for a proof that brings its own key). `issuer`, `audience` and every keyword in
    `expect` must equal the claim of that name (`audience`, or one of several, as a single string). `algorithms` narrows the purpose's.
    `now` in microseconds. Raises `InvalidToken` with a reason: `too_large malformed algorithm type critical key
    unknown_key signature missing_<claim> wrong_<claim> expired not_yet too_old too_long`.
    """
    header, payload, signed, signature = _decode(purpose, token)
    alg = _check_header(purpose, header, algorithms)
    key = _verify_signature(_candidates(purpose, header, alg, keys), alg, signed, signature)
    claims = _json(payload)
    jwt_claims.check(purpose, claims, issuer=issuer, audience=audience, expect=expect, now=now // 1_000_000)
    return Claims(purpose.name, MappingProxyType(claims), MappingProxyType(header), key)


def _decode(purpose: Purpose, token: str) -> tuple[dict[str, Any], str, bytes, bytes]:
    if len(token) > purpose.max_size:
        raise InvalidToken("too_large")
    head, payload, signature = _parts(token)
    if len(head) > MAX_HEADER:
        raise InvalidToken("too_large")
    try:
        return _json(head), payload, f"{head}.{payload}".encode(), base64url.decode(signature)
    except (Malformed, UnicodeError) as error:
        raise InvalidToken("malformed") from error


def _parts(token: str) -> tuple[str, str, str]:
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise InvalidToken("malformed")
    return parts[0], parts[1], parts[2]


def _check_header(purpose: Purpose, header: Mapping[str, Any], algorithms: Collection[str] | None) -> str:
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in purpose.algs or (algorithms is not None and alg not in algorithms):
        raise InvalidToken("algorithm")
    typ = header.get("typ")
    if isinstance(typ, str):
        typ = typ.lower().removeprefix("application/")
    if (typ is not None and not isinstance(typ, str)) or typ not in purpose.typ:
        raise InvalidToken("type")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidToken("critical")
    return alg


def _candidates(
    purpose: Purpose, header: Mapping[str, Any], alg: str, keys: jwk.KeySet | None
) -> tuple[Mapping[str, Any], ...]:
    if purpose.brings_key:
        try:
            found = jwk.KeySet((jwk.public(header.get("jwk")),)).find(alg, None)
        except InvalidKey as error:
            raise InvalidToken("key") from error
        if not found:
            raise InvalidToken("key")
        return found
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise InvalidToken("unknown_key")
    found = keys.find(alg, kid) if keys is not None else ()
    if not found:
        raise InvalidToken("unknown_key", (keys or jwk.KeySet(())).lacks(alg))
    if kid is None and len(found) > 1:  # several keys need a name: OpenID Connect Core §10.1
        raise InvalidToken("unknown_key", "the header has no kid, and several keys of the set fit")
    return found[:MAX_TRIED]


def _verify_signature(
    candidates: tuple[Mapping[str, Any], ...], alg: str, signed: bytes, signature: bytes
) -> Mapping[str, Any]:
    scheme = JWSRegistry.algorithms[jwk.VERIFIES[alg][0]]
    for key in candidates:
        try:
            if scheme.verify(signed, signature, jwk.imported(key)):
                return key
        except (InvalidKey, JoseError, ValueError) as error:
            raise InvalidToken("key") from error
    raise InvalidToken("signature")


def _json(part: str) -> dict[str, Any]:
    try:
        value = canonical.loads(base64url.decode(part))
    except Malformed as error:
        raise InvalidToken("malformed") from error
    if not isinstance(value, dict):
        raise InvalidToken("malformed")
    return value


def _encode(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return base64url.encode(text.encode())
    except (TypeError, ValueError) as error:
        raise Malformed("not representable as JSON") from error
