"""Who calls the endpoints of the back channel, by the one method the client registered (RFC 6749 §2.3, RFC 7523 §3, FAPI 2.0 §5.3.2.1).

1. Exactly one way of authenticating is used, and it is the registered one; `none` is what a public client registered.
2. The client it names is known, not disabled, and keeps to its profile; `client_id`, when sent, is that client.
3. By certificate (RFC 8705 §2): the one name it is registered by, under an authority known here; or the very certificate.
   By assertion (rfc7523bis §4): the client's own keys, its own algorithm, the signature; `iss` = `sub` = the client; `aud` =
   the issuer as one string, or another address of ours where `Audiences` says so; `exp` at most ten minutes away. By secret: the one kept, not expired. By attestation: `attestation`.
4. An assertion's id is to be remembered by the caller, in its act (`AuthenticatedClient.assertion_id`).
All failures are `invalid_client`, 401. What is wrong with the request alone is told to everybody, before a client is looked for;
what is wrong with a proven client's request, to that client. Between the two there is one sentence, whether the client is
unknown, disabled, of another method or not proven: our log has the cause. Only a client whose key set is broken is told of it,
for it can prove nothing (`docs/decisions/0014-errors-that-say-their-cause.md`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker import telemetry
from broker.clients import attestation, mutual_tls, secret
from broker.clients.attestation import Attested
from broker.clients.key_sets import NoKeys
from broker.clients.profile import ATTESTED
from broker.clients.registry import Client, Registry
from broker.errors import Wire
from broker.parameters import Parameters
from keys import errors as keys_errors
from keys import jwk, jws, opaque
from keys.certificates import Certificate
from keys.jws import Claims

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KIND = "client_assertion"
METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none", ATTESTED)
MAX_SECRET = 256  # characters
SKEW = 10  # seconds
SECOND = 1_000_000  # microseconds
EDDSA = frozenset({"EdDSA", "Ed25519"})
UNPROVEN = "unknown client, another method than it registered, or not its credentials"
BEFORE_PROOF = frozenset({"algorithm", "key", "unknown_key", "signature"})  # the reasons that need a client's keys
TOLD = (ValueError, NoKeys, keys_errors.InvalidCertificate)
CHALLENGE = {"WWW-Authenticate": 'Basic realm="semel", charset="UTF-8"'}


class Unproven(Exception):
    """Nobody proved to be a client; the message is for our log, `client_id` only that of a client that exists."""

    def __init__(self, reason: str, client: Client | None = None) -> None:
        super().__init__(reason)
        self.client_id = "" if client is None else client.client_id


@dataclass(frozen=True)
class AuthenticatedClient:
    """A client that said who it is in the way it registered.

    An assertion counts once: the caller spends `assertion_id` under `KIND`; the other methods leave nothing to spend (None).
    `instance` is the thumbprint of the key of the wallet that was attested.
    """

    client: Client
    assertion_id: bytes | None = None
    assertion_expires: int = 0
    instance: str | None = None

    @property
    def client_id(self) -> str:
        """The client's id."""
        return self.client.client_id

    @property
    def marker(self) -> tuple[str, bytes, int] | None:
        """What is to be spent of how it authenticated, if anything."""
        return None if self.assertion_id is None else (KIND, self.assertion_id, self.assertion_expires)

    @property
    def confidential(self) -> bool:
        """Whether it proved who it is; a public client only said so (RFC 6749 §2.1)."""
        return self.client.authenticates


@dataclass(frozen=True)
class Audiences:
    """What an assertion may name instead of the issuer, by whom: our own addresses, each as one string.

    `baseline`: what a client of that profile may (OpenID Connect Core §9, RFC 9126 §2); `anyone`: what every client may where
    people are asked behind the front (CIBA Core §7.1).
    """

    baseline: tuple[str, ...] = ()
    anyone: tuple[str, ...] = ()

    def of(self, client: Client, issuer: str) -> tuple[str, ...]:
        """Return what a client's assertion may name, the issuer first."""
        more = (*self.baseline, *self.anyone) if client.profile == "baseline" else self.anyone
        return tuple(dict.fromkeys((issuer, *more)))


ISSUER_ALONE = Audiences()


def is_attempted(parameters: Parameters, authorization: Sequence[str], attested: Attested) -> bool:
    """Say whether a request carries client credentials of any kind."""
    return (
        bool(authorization)
        or attested.is_sent
        or any(name in parameters for name in ("client_assertion", "client_assertion_type", "client_secret"))
    )


def methods(registry: Registry) -> tuple[str, ...]:
    """Name the ways of authenticating that this server offers; certificates only where the operator asks for them."""
    return METHODS if registry.mutual_tls is None else (*METHODS, *registry.mutual_tls.methods)


async def authenticate(
    parameters: Parameters,
    authorization: Sequence[str],
    *,
    registry: Registry,
    issuer: str,
    now: int,
    certificate: Certificate | None = None,
    attested: Attested | None = None,
    audiences: Audiences = ISSUER_ALONE,
) -> AuthenticatedClient:
    """Find out who sent a request; `authorization` are its `Authorization` headers, `now` in microseconds.

    `certificate` is the one shown in its TLS handshake; of a client that registered another method it proves nothing.
    `attested` are the headers of a wallet; `audiences` what an assertion may name beside the issuer.

    Raises `Wire` `invalid_client` (401, with a challenge where one was answered: RFC 6749 §5.2), and what
    `attestation.verify` raises.
    """
    try:
        method = _attempted(parameters, authorization, attested)
        if method == ATTESTED and attested is not None:
            return await _by_attestation(parameters, attested, registry, issuer, now)
        if method == "private_key_jwt":
            return await _by_assertion(parameters, registry, audiences, issuer, now)
        if method == "none":
            return await _by_certificate_or_name(parameters, certificate, registry, now)
        return _by_secret(method, parameters, authorization, registry, now)
    except (keys_errors.KeysError, NoKeys, Unproven, ValueError) as refused:
        headers = CHALLENGE if authorization else {}
        raise Wire(
            "invalid_client", f"client authentication failed{_why(refused)}", status=401, headers=headers
        ) from refused


def _why(refused: Exception) -> str:
    """What the client's developer is told, after a colon."""
    if isinstance(refused, Unproven):
        telemetry.log("client not authenticated", client_id=refused.client_id, reason=str(refused))
        return f": {UNPROVEN}"
    if isinstance(refused, keys_errors.InvalidToken):
        return f": {refused.explanation}"
    return f": {refused}" if isinstance(refused, TOLD) else ""


def _attempted(parameters: Parameters, authorization: Sequence[str], attested: Attested | None) -> str:
    """Which method a request uses; two at once are refused (RFC 6749 §2.3)."""
    by_assertion = "client_assertion" in parameters or "client_assertion_type" in parameters
    used = [
        name
        for name, is_used in (
            ("client_secret_basic", bool(authorization)),
            ("client_secret_post", "client_secret" in parameters),
            ("private_key_jwt", by_assertion),
            (ATTESTED, attested is not None and attested.is_sent),
        )
        if is_used
    ]
    if len(used) > 1:
        raise ValueError("use one method and nothing else")
    return used[0] if used else "none"


def _by_secret(
    method: str, parameters: Parameters, authorization: Sequence[str], registry: Registry, now: int
) -> AuthenticatedClient:
    """A client that names itself and proves it with a secret."""
    if method == "client_secret_basic":
        client_id, given = secret.basic(authorization)
    else:
        client_id, given = parameters.get("client_id", ""), parameters.get("client_secret", "")
    client = registry.active(client_id)
    if len(given) > MAX_SECRET:
        raise Unproven("the secret is too long", client)
    _check_secret(client, given, now)
    if client is None:
        raise Unproven("unknown client")
    if client.token_endpoint_auth_method != method:
        raise ValueError("not the method this client registered")
    if parameters.get("client_id", client.client_id) != client.client_id:
        raise ValueError("client_id names another client")
    return AuthenticatedClient(client)


async def _by_attestation(
    parameters: Parameters, attested: Attested, registry: Registry, issuer: str, now: int
) -> AuthenticatedClient:
    """A wallet, which names itself; that it is this one its maker says."""
    client, kid, makers = registry.active(parameters.get("client_id", "")), attested.kid, jwk.KeySet(())
    if client is not None and client.token_endpoint_auth_method == ATTESTED:
        makers = await registry.keys_of(client, kid, now)
    named = parameters.get("client_id", "") if client is None else client.client_id
    marker, expires, instance = attestation.verify(named, attested, makers, issuer=issuer, now=now)
    if client is None:
        raise Unproven("unknown client")
    return AuthenticatedClient(client, marker, expires, instance)


async def _by_certificate_or_name(
    parameters: Parameters, certificate: Certificate | None, registry: Registry, now: int
) -> AuthenticatedClient:
    """A client that names itself, and proves it in the TLS handshake (RFC 8705 §2) unless it is a public one."""
    client = registry.active(parameters.get("client_id", ""))
    if client is not None and client.token_endpoint_auth_method == "none":  # noqa: S105  # a method's name
        return AuthenticatedClient(client)
    if certificate is None:
        raise ValueError("credentials are needed")
    certificate.require_time(now)
    if client is None or registry.mutual_tls is None:
        raise Unproven("unknown client, or certificates are not asked for")
    if client.token_endpoint_auth_method not in mutual_tls.METHODS:
        raise Unproven("not the method this client registered", client)
    try:
        if client.token_endpoint_auth_method == mutual_tls.PKI:
            mutual_tls.check_named(registry.mutual_tls, client, certificate, now)
        else:
            keys = await registry.keys_of(client, None, now, certificate=certificate.thumbprint)
            mutual_tls.check_registered(keys, certificate, now)
    except (keys_errors.KeysError, ValueError) as refused:
        raise Unproven(str(refused), client) from refused
    return AuthenticatedClient(client)


def _check_secret(client: Client | None, given: str, now: int) -> None:
    """The secret kept of this client, or one that nobody has: an unknown client takes as long."""
    try:
        secret.verify(given, None if client is None else client.client_secret_hash)
    except keys_errors.Mismatch as wrong:
        raise Unproven("wrong secret", client) from wrong
    if client is not None and 0 < client.client_secret_expires_at <= now // SECOND:
        raise ValueError("the secret has expired")


async def _by_assertion(
    parameters: Parameters, registry: Registry, audiences: Audiences, issuer: str, now: int
) -> AuthenticatedClient:
    if parameters.get("client_assertion_type") != TYPE or "client_assertion" not in parameters:
        raise ValueError("a client assertion is needed")
    assertion = parameters["client_assertion"]
    client = _named(assertion, parameters, registry, now)
    kid = jws.unverified_header(assertion).get("kid")
    keys = await registry.keys_of(client, kid if isinstance(kid, str) else None, now)
    registered = client.token_endpoint_auth_signing_alg
    try:
        claims = jws.verify(
            jws.CLIENT_ASSERTION,
            assertion,
            keys=keys,
            issuer=client.client_id,
            audience=audiences.of(client, issuer),
            now=now,
            algorithms=EDDSA if registered in EDDSA else {registered},
            sub=client.client_id,
        )
    except keys_errors.InvalidToken as refused:
        if str(refused) not in BEFORE_PROOF:
            raise
        if keys.trouble or not keys.keys:
            raise NoKeys(refused.explanation) from refused
        raise Unproven(refused.explanation, client) from refused
    return AuthenticatedClient(client, _identity(client, claims), (int(claims["exp"]) + SKEW) * SECOND)


def _named(assertion: str, parameters: Parameters, registry: Registry, now: int) -> Client:
    """Find the client an assertion claims to come from, its form looked at first; whether it does, its keys will say."""
    try:
        jws.verify(jws.CLIENT_ASSERTION, assertion, keys=jwk.KeySet(()), now=now)
    except keys_errors.InvalidToken as refused:
        if str(refused) != "unknown_key":  # of the form, whoever signed it
            raise
    subject = jws.unverified_claims(assertion).get("sub")
    if parameters.get("client_id", subject) != subject:
        raise ValueError("client_id names another client")
    client = registry.active(subject) if isinstance(subject, str) else None
    if client is None:
        raise Unproven("unknown client")
    if client.token_endpoint_auth_method != "private_key_jwt":  # noqa: S105  # a method's name
        raise Unproven("not the method this client registered", client)
    return client


def _identity(client: Client, claims: Claims) -> bytes:
    """What is remembered of an assertion: a hash over client and id, so that two clients never collide."""
    return opaque.digest(f"{client.client_id}\x00{claims['jti']}")
