"""Who calls the endpoints of the back channel, by the one method the client registered (RFC 6749 §2.3, RFC 7523 §3, FAPI 2.0 §5.3.2.1).

1. Exactly one way of authenticating is used, and it is the registered one; `none` is what a public client registered.
2. The client it names is known, not disabled, and keeps to its profile; `client_id`, when sent, is that client.
3. By certificate (RFC 8705 §2): the one name it is registered by, under an authority known here; or the very certificate.
   By assertion (rfc7523bis §4): the client's own keys, its own algorithm, the signature; `iss` = `sub` = the client; `aud` =
   the issuer as one string, or another address of ours where `Audiences` says so; `exp` at most ten minutes away. By secret: the one kept, not expired. By attestation: `attestation`.
4. An assertion's id is to be remembered by the caller, in its act (`AuthenticatedClient.assertion_id`).
All failures look alike to the caller: `invalid_client`, 401.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.clients import attestation, mutual_tls, secret
from broker.clients.attestation import Attested
from broker.clients.key_sets import NoKeys
from broker.clients.profile import ATTESTED
from broker.clients.registry import Client, Registry
from broker.errors import Wire
from broker.parameters import Parameters
from keys import errors as keys_errors
from keys import jws, opaque
from keys.certificates import Certificate
from keys.jws import Claims

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KIND = "client_assertion"
METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none", ATTESTED)
MAX_SECRET = 256  # characters
SKEW = 10  # seconds
SECOND = 1_000_000  # microseconds
EDDSA = frozenset({"EdDSA", "Ed25519"})
TOLD = (ValueError, NoKeys, keys_errors.InvalidCertificate)
CHALLENGE = {"WWW-Authenticate": 'Basic realm="semel", charset="UTF-8"'}


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
        named = registry.active(parameters.get("client_id", "")) if method == "none" else None
        if named is not None and named.token_endpoint_auth_method in mutual_tls.METHODS:
            return await _by_certificate(named, certificate, registry, now)
        return _by_name(method, parameters, authorization, registry, now)
    except (keys_errors.KeysError, NoKeys, ValueError) as refused:
        headers = CHALLENGE if authorization else {}
        raise Wire(
            "invalid_client", f"client authentication failed{_why(refused)}", status=401, headers=headers
        ) from refused


def _why(refused: Exception) -> str:
    """What the client's developer is told, after a colon."""
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


def _by_name(
    method: str, parameters: Parameters, authorization: Sequence[str], registry: Registry, now: int
) -> AuthenticatedClient:
    """A client that names itself, and proves it with a secret unless it is a public one."""
    if method == "client_secret_basic":
        client_id, given = secret.basic(authorization)
    else:
        client_id, given = parameters.get("client_id", ""), parameters.get("client_secret", "")
    client = registry.active(client_id)
    if method != "none":
        if len(given) > MAX_SECRET:
            raise ValueError("unknown client or wrong secret")
        _check_secret(client, given, now)
    if client is None:
        raise ValueError("unknown client or wrong secret" if method != "none" else "credentials are needed")
    _check_method(client, method, parameters)
    return AuthenticatedClient(client)


async def _by_attestation(
    parameters: Parameters, attested: Attested, registry: Registry, issuer: str, now: int
) -> AuthenticatedClient:
    """A wallet, which names itself; that it is this one its maker says."""
    client = registry.active(parameters.get("client_id", ""))
    if client is None:
        raise ValueError("unknown client")
    _check_method(client, ATTESTED, parameters)
    makers = await registry.keys_of(client, attested.kid, now)
    return AuthenticatedClient(client, *attestation.verify(client.client_id, attested, makers, issuer=issuer, now=now))


async def _by_certificate(
    client: Client, certificate: Certificate | None, registry: Registry, now: int
) -> AuthenticatedClient:
    """A client that names itself and proves it in the TLS handshake (RFC 8705 §2)."""
    if registry.mutual_tls is None or certificate is None:
        raise ValueError("a client certificate is needed")
    if client.token_endpoint_auth_method == mutual_tls.PKI:
        mutual_tls.check_named(registry.mutual_tls, client, certificate, now)
    else:
        keys = await registry.keys_of(client, None, now, certificate=certificate.thumbprint)
        mutual_tls.check_registered(keys, certificate, now)
    return AuthenticatedClient(client)


def _check_secret(client: Client | None, given: str, now: int) -> None:
    """The secret kept of this client, or one that nobody has: an unknown client takes as long."""
    try:
        secret.verify(given, None if client is None else client.client_secret_hash)
    except keys_errors.Mismatch as wrong:
        raise ValueError("unknown client or wrong secret") from wrong
    if client is not None and 0 < client.client_secret_expires_at <= now // SECOND:
        raise ValueError("the secret has expired")


def _check_method(client: Client, method: str, parameters: Parameters) -> None:
    if client.token_endpoint_auth_method != method:
        raise ValueError("not the method this client registered")
    if parameters.get("client_id", client.client_id) != client.client_id:
        raise ValueError("client_id names another client")


async def _by_assertion(
    parameters: Parameters, registry: Registry, audiences: Audiences, issuer: str, now: int
) -> AuthenticatedClient:
    if parameters.get("client_assertion_type") != TYPE or "client_assertion" not in parameters:
        raise ValueError("a client assertion is needed")
    assertion = parameters["client_assertion"]
    client = _named(assertion, parameters, registry)
    kid = jws.unverified_header(assertion).get("kid")
    keys = await registry.keys_of(client, kid if isinstance(kid, str) else None, now)
    registered = client.token_endpoint_auth_signing_alg
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
    return AuthenticatedClient(client, _identity(client, claims), (int(claims["exp"]) + SKEW) * SECOND)


def _named(assertion: str, parameters: Parameters, registry: Registry) -> Client:
    """Find the client an assertion claims to come from; whether it does, its keys will say."""
    subject = jws.unverified_claims(assertion).get("sub")
    client = registry.active(subject) if isinstance(subject, str) else None
    if client is None:
        raise ValueError("unknown client")
    _check_method(client, "private_key_jwt", parameters)
    return client


def _identity(client: Client, claims: Claims) -> bytes:
    """What is remembered of an assertion: a hash over client and id, so that two clients never collide."""
    return opaque.digest(f"{client.client_id}\x00{claims['jti']}")
