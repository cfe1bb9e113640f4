"""The actor token: an agency says that it acts for another, and to which key of its own the token is to be bound (RFC 8693 §2.1).

A JWT that the acting agency signs with a key it registered and hands to the one it works for:

* header: `typ` `actor-token+jwt`, so that it passes for nothing else and nothing else for it;
* `iss` and `sub`: the acting client; `aud`: this issuer, as one string; `client_id`: the client that may present it;
* `cnf`: the acting agency's DPoP key or certificate (RFC 7800 §3.1); `exp` at most five minutes away; `jti`, once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.clients.key_sets import NoKeys
from broker.clients.registry import Client, Registry
from broker.tokens.access_token import BINDINGS
from broker.tokens.replay import Marker
from keys import errors as keys_errors
from keys import jws, opaque

KIND = "actor_token"
CHAINS = frozenset({"act", "may_act"})  # RFC 8693 §4.1, §4.4: who ignores one hides who acts
SKEW = 10  # seconds
SECOND = 1_000_000  # microseconds
EDDSA = frozenset({"EdDSA", "Ed25519"})
THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True)
class Actor:
    """Who acts, bound to what, and the marker that lets the token count once."""

    client: Client
    cnf: Mapping[str, str]
    marker: Marker = field(repr=False)


async def verify(text: str, presenter: str, *, registry: Registry, issuer: str, now: int) -> Actor:
    """Return who acts, when the token is theirs and made for the client that presents it; `ValueError` otherwise.

    `now` in microseconds.
    """
    try:
        named = jws.unverified_claims(text).get("sub")
        client = registry.active(named) if isinstance(named, str) else None
        if client is None or client.token_endpoint_auth_method != "private_key_jwt":  # noqa: S105  # a method's name
            raise ValueError("the actor token is not valid")
        kid, registered = jws.unverified_header(text).get("kid"), client.token_endpoint_auth_signing_alg
        claims = jws.verify(
            jws.ACTOR_TOKEN,
            text,
            keys=await registry.keys_of(client, kid if isinstance(kid, str) else None, now),
            issuer=client.client_id,
            audience=issuer,
            now=now,
            algorithms=EDDSA if registered in EDDSA else {registered},
            sub=client.client_id,
            client_id=presenter,
        )
    except (keys_errors.KeysError, NoKeys) as problem:
        raise ValueError("the actor token is not valid") from problem
    if not CHAINS.isdisjoint(claims):
        raise ValueError("an actor acts by itself: act and may_act are not read here")
    spent = opaque.digest(f"{client.client_id}\x00{claims['jti']}")
    return Actor(client, _binding(client, claims["cnf"]), (KIND, spent, (int(claims["exp"]) + SKEW) * SECOND))


def _binding(client: Client, cnf: Any) -> Mapping[str, str]:
    """What the token will be bound to: something, nothing unknown, and what this client's tokens are always bound to."""
    if not isinstance(cnf, dict) or not cnf or not cnf.keys() <= BINDINGS:
        raise ValueError("cnf must name a key or a certificate of the actor")
    if not all(isinstance(value, str) and THUMBPRINT.fullmatch(value) for value in cnf.values()):
        raise ValueError("cnf holds no thumbprint")
    if client.dpop_bound_access_tokens and "jkt" not in cnf:
        raise ValueError("the actor's tokens are bound to a DPoP key")
    if client.tls_client_certificate_bound_access_tokens and "x5t#S256" not in cnf:
        raise ValueError("the actor's tokens are bound to a certificate")
    return dict(cnf)
