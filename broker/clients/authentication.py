"""Who calls the token and PAR endpoints: a client assertion, tightened (RFC 7523 §3, rfc7523bis §4, FAPI 2.0 §5.3.2.1).

1. One assertion of the one type, and no second way of authenticating beside it.
2. The client it names is known and not disabled; `client_id`, when sent, is that client.
3. The client's own keys, its own algorithm, the signature; `iss` = `sub` = the client; `aud` = the issuer as one string;
   `exp` at most ten minutes away.
4. The id is to be remembered by the caller, in its act (`AuthenticatedClient.assertion_id`), until `assertion_expires`.
All failures look alike to the caller: `invalid_client`, 401.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.clients.key_sets import NoKeys
from broker.clients.registry import Client, Registry
from broker.errors import Wire
from broker.parameters import Parameters
from keys import errors as keys_errors
from keys import jws, opaque
from keys.jws import Claims

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KIND = "client_assertion"
MAX_JTI = 256  # characters
SKEW = 10  # seconds
SECOND = 1_000_000  # microseconds
EDDSA = frozenset({"EdDSA", "Ed25519"})


@dataclass(frozen=True)
class AuthenticatedClient:
    """A client that proved who it is; its assertion counts once, the caller spends `assertion_id` under `KIND`."""

    client: Client
    assertion_id: bytes
    assertion_expires: int

    @property
    def client_id(self) -> str:
        """The client's id."""
        return self.client.client_id


def is_attempted(parameters: Parameters, authorization: Sequence[str]) -> bool:
    """Say whether a request carries client credentials of any kind."""
    return bool(authorization) or any(
        name in parameters for name in ("client_assertion", "client_assertion_type", "client_secret")
    )


async def authenticate(
    parameters: Parameters, authorization: Sequence[str], *, registry: Registry, issuer: str, now: int
) -> AuthenticatedClient:
    """Verify the client assertion of a request; `authorization` are its `Authorization` headers, `now` in microseconds.

    Raises `Wire` `invalid_client` (401).
    """
    try:
        assertion = _the_only_credential(parameters, authorization)
        client = _named(assertion, parameters, registry)
        kid = jws.unverified_header(assertion).get("kid")
        keys = await registry.keys_of(client, kid if isinstance(kid, str) else None, now)
        registered = client.token_endpoint_auth_signing_alg
        claims = jws.verify(
            jws.CLIENT_ASSERTION,
            assertion,
            keys=keys,
            issuer=client.client_id,
            audience=issuer,
            now=now,
            algorithms=EDDSA if registered in EDDSA else {registered},
            sub=client.client_id,
        )
        return AuthenticatedClient(client, _identity(client, claims), (int(claims["exp"]) + SKEW) * SECOND)
    except (keys_errors.KeysError, NoKeys, ValueError) as refused:
        why = f": {refused}" if isinstance(refused, ValueError | keys_errors.InvalidToken) else ""
        raise Wire("invalid_client", f"client authentication failed{why}", status=401) from refused


def _the_only_credential(parameters: Parameters, authorization: Sequence[str]) -> str:
    if authorization or "client_secret" in parameters:
        raise ValueError("use a client assertion and nothing else")
    if parameters.get("client_assertion_type") != TYPE or "client_assertion" not in parameters:
        raise ValueError("a client assertion is needed")
    return parameters["client_assertion"]


def _named(assertion: str, parameters: Parameters, registry: Registry) -> Client:
    """Find the client an assertion claims to come from; whether it does, its keys will say."""
    subject = jws.unverified_claims(assertion).get("sub")
    client = registry.active(subject) if isinstance(subject, str) else None
    if client is None or parameters.get("client_id", client.client_id) != client.client_id:
        raise ValueError("unknown client")
    return client


def _identity(client: Client, claims: Claims) -> bytes:
    """What is remembered of an assertion: a hash over client and id, so that two clients never collide."""
    if len(claims["jti"]) > MAX_JTI:
        raise ValueError("jti is too long")
    return opaque.digest(f"{client.client_id}\x00{claims['jti']}")
