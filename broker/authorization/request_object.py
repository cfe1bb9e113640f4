"""Request objects: a request signed by its client (and encrypted to us), by value or from an address it registered (RFC 9101, FAPI 2.0 Message Signing §5.3).

1. By reference: an address the client registered, fetched through the one way out, bounded.
2. The client's own keys, the algorithm it registered or one of its profile's; `iss` = `client_id` = the client; `aud` the issuer,
   alone or in a list; `exp` and `nbf` there (a `baseline` client may leave them out, Core §6.1), `nbf` at most an hour ago, `exp`
   at most an hour after it.
3. No request inside the request.
4. What stands in the object is the request; what stands beside it does not count (RFC 9101 §6.3).
"""

from typing import Any
from urllib.parse import urldefrag

from broker import throttle
from broker.clients import fetch_failure
from broker.clients.key_sets import NoKeys
from broker.clients.registry import Client, Registry
from broker.database import Database
from broker.egress import Egress, EgressRefused
from broker.errors import Wire
from broker.parameters import Parameters
from broker.throttle import Limit
from broker.tokens.replay import Marker
from keys import canonical, jwe, jws, opaque
from keys import errors as keys_errors
from keys.jws import Claims
from keys.keyring import Keyring

TYPES = ("application/oauth-authz-req+jwt", "application/jwt")
TIMEOUT = 5.0  # seconds
STRONG, ANY = sorted(jws.ASYMMETRIC), sorted(jws.REQUEST_OBJECT.algs)
#: Claims of the object itself; they are no parameters.
ITS_OWN = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
STRUCTURED = frozenset({"claims", "authorization_details"})
SKEW = 10  # seconds
FETCHES = Limit(hourly=1200, burst=60)  # for one network
BUSY = "too many requests are being fetched from where this one is"


async def read(
    token: str, client: Client, *, registry: Registry, issuer: str, now: int, keyring: Keyring
) -> Parameters:
    """Return the parameters a client signed, and perhaps encrypted to a key of `keyring`.

    `Wire` `invalid_request_object` for an object that is not good, whatever is wrong.
    """
    try:
        token = _opened(token, client, keyring) if jwe.is_encrypted(token) else token
        kid = jws.unverified_header(token).get("kid")
        claims = jws.verify(
            jws.PLAIN_REQUEST_OBJECT if client.profile == "baseline" else jws.REQUEST_OBJECT,
            token,
            keys=await registry.keys_of(client, kid if isinstance(kid, str) else None, now),
            issuer=client.client_id,
            audience=issuer,
            now=now,
            algorithms=algorithms(client),
            client_id=client.client_id,
        )
    except (keys_errors.KeysError, NoKeys) as refused:
        why = _why(refused)
        raise Wire("invalid_request_object", f"the request object is not good{why}") from refused
    return _parameters(claims)


async def read_backchannel(
    token: str, client: Client, *, registry: Registry, issuer: str, now: int
) -> tuple[Parameters, Marker]:
    """Return what a client signed to ask behind the front, and what is to be remembered of it (CIBA Core §7.1.1).

    Raises `Wire` `invalid_request` for one that is not good, whatever is wrong: the specification has no code of its own.
    """
    registered = client.backchannel_authentication_request_signing_alg
    try:
        kid = jws.unverified_header(token).get("kid")
        claims = jws.verify(
            jws.BACKCHANNEL_REQUEST,
            token,
            keys=await registry.keys_of(client, kid if isinstance(kid, str) else None, now),
            issuer=client.client_id,
            audience=issuer,
            now=now,
            algorithms=_those(registered, client),
        )
        parameters, jti = _parameters(claims), claims["jti"]
    except (keys_errors.KeysError, NoKeys) as refused:
        why = _why(refused)
        raise Wire("invalid_request", f"the signed request is not good{why}") from refused
    except Wire as refused:
        raise Wire("invalid_request", refused.refusal.description) from refused
    remembered = opaque.digest(f"{client.client_id}\x00{jti}"), (int(claims["exp"]) + SKEW) * 1_000_000
    return parameters, ("backchannel_request", *remembered)


def _why(refused: Exception) -> str:
    """What the client's developer is told of an object that is not good, after a colon."""
    if isinstance(refused, keys_errors.InvalidToken):
        return f": {refused.explanation}"
    return f": {refused}" if isinstance(refused, NoKeys) else ""


async def fetch(address: str, client: Client, egress: Egress) -> str:
    """Return the request object behind an address the client registered, compared whole and fetched without its fragment (Core §6.2); `Wire` `invalid_request_uri` otherwise.

    `temporarily_unavailable` (503) when as many of its requests as may be are already being fetched.
    """
    check_registered(address, client)
    try:
        reply = await egress.request(
            "GET", urldefrag(address).url, max_bytes=jwe.MAX_SIZE, timeout=TIMEOUT, media_types=TYPES
        )
    except EgressRefused as refused:
        if refused.reason == "busy":
            raise Wire("temporarily_unavailable", BUSY, status=503, headers={"Retry-After": "5"}) from refused
        raise Wire(
            "invalid_request_uri", f"the request cannot be fetched: {fetch_failure.sentence(refused)}"
        ) from refused
    if reply.status != 200 or not reply.content.isascii():
        raise Wire("invalid_request_uri", "the request cannot be fetched")
    return reply.content.decode("ascii").strip()


def count(database: Database, address: str, client: Client, networks: tuple[bytes, ...], now: int) -> None:
    """Count one request by reference from these networks: anybody can send us to fetch (RFC 9101 §10.4.1).

    Raises `Wire`: `invalid_request_uri` as `check_registered`, which costs nothing; `too_many` (429).
    """
    check_registered(address, client)
    with database.write() as tx:
        wait = throttle.allow_network(tx, "request-uri", networks, FETCHES, now)
    if wait is not None:
        raise Wire("too_many", "too many requests by reference", status=429, headers={"Retry-After": str(wait)})


def check_registered(address: str, client: Client) -> None:
    """Raise `Wire` `invalid_request_uri` for an address that the client did not register; nobody else's is fetched."""
    if address not in client.request_uris:
        raise Wire("invalid_request_uri", "the address of the request is not registered")


def _opened(token: str, client: Client, keyring: Keyring) -> str:
    """Open an encrypted object; a client that registered how it encrypts does it that way (RFC 9101 §6.1)."""
    alg, enc = client.request_object_encryption_alg, client.request_object_encryption_enc
    return jwe.decrypt(
        token, keyring.decryption_keys(), algs=() if alg is None else (alg,), encs=() if enc is None else (enc,)
    )


def algorithms(client: Client) -> frozenset[str]:
    """Return what a client may sign its requests with: as registered, else as its profile has it."""
    return _those(client.request_object_signing_alg, client)


def _those(registered: str | None, client: Client) -> frozenset[str]:
    if registered in {"EdDSA", "Ed25519"}:
        return frozenset({"EdDSA", "Ed25519"})
    return frozenset({registered} if registered else ANY if client.profile == "baseline" else STRONG)


def _parameters(claims: Claims) -> Parameters:
    if "request" in claims or "request_uri" in claims:
        raise Wire("invalid_request_object", "a request object holds no other")
    pairs: list[tuple[str, str]] = []
    for name, value in claims.items():
        if name == "resource" and isinstance(value, list):
            pairs += [(name, _text(name, one)) for one in value]
        elif name not in ITS_OWN:
            pairs.append((name, _text(name, value)))
    return Parameters([(name, value) for name, value in pairs if value != ""])


def _text(name: str, value: Any) -> str:
    """Write a claim as the parameter it stands for (RFC 9101 §4): numbers as numerals, structures as JSON."""
    if isinstance(value, str) and "\x00" not in value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name in STRUCTURED and isinstance(value, dict | list):
        return canonical.dumps(value).decode()
    raise Wire("invalid_request_object", "a parameter of the request object has the wrong type")
