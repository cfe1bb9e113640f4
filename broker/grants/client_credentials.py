"""The client credentials grant: a client acts for itself, about nobody (RFC 6749 §4.4, RFC 9068 §2.2)."""

from dataclasses import dataclass, field
from typing import Any

from broker.authorization import grant_management, resource
from broker.clients import profile
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.tokens import access_token
from broker.tokens.token_request import TokenRequest
from consent import request as data_request
from consent.intended_use import Uses
from keys import opaque

ANONYMOUS = False
ABOUT_PEOPLE = frozenset({"openid", "offline_access", "profile", "email", "phone", "address", grant_management.REVOKE})
MAX_SCOPE = 2048  # characters


@dataclass(frozen=True)
class Facts:
    """The answer, already signed."""

    body: dict[str, Any] = field(repr=False)


async def gather(asked: TokenRequest) -> Facts:
    """Check the scope and the resource against the registration, and sign.

    Raises `Wire`: `unauthorized_client` for a client that is not registered for this or cannot authenticate,
    `invalid_scope` for anything about a person, `invalid_target` for a server it may not call.
    """
    if asked.client is None or not asked.client.confidential or not asked.client.client.may_use("client_credentials"):
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    client = asked.client.client
    scope = _scope(client, asked.parameters.get("scope"), asked.uses)
    named = asked.parameters.all("resource")
    lifetime = min(asked.lifetime, access_token.LIFETIME)
    token = access_token.mint_for(
        asked.keyring,
        issuer=asked.issuer,
        audience=resource.audience(client, asked.issuer, named, (asked.issuer, *client.calls)),
        subject=client.client_id,
        client_id=client.client_id,
        scope=scope,
        cnf=asked.cnf,
        now=asked.now,
        lifetime=lifetime,
        jti=opaque.token(),
    )
    body: dict[str, Any] = {"access_token": token, "token_type": access_token.scheme(asked.cnf), "expires_in": lifetime}
    if scope:
        body["scope"] = " ".join(scope)
    return Facts(body)


def act(_tx: Tx, facts: Facts, _now: int) -> dict[str, Any]:
    """Answer; there is no row for the token, and no refresh token (RFC 6749 §4.4.3)."""
    return facts.body


def _about_people(word: str, uses: Uses) -> bool:
    return word in ABOUT_PEOPLE or data_request.spells(word, uses)


def _scope(client: Client, asked: str | None, uses: Uses) -> tuple[str, ...]:
    """The words asked for, or all registered ones; none of them may speak of a person (RFC 6749 §3.3)."""
    allowed = [word for word in client.scope.split() if word in profile.SIGNALS or not _about_people(word, uses)]
    if asked is None:
        return tuple(dict.fromkeys(allowed))
    wanted = tuple(dict.fromkeys(asked.split(" ")))
    if len(asked) > MAX_SCOPE or not set(wanted) <= set(allowed):
        raise Wire("invalid_scope", "the scope is not one this client may have for itself")
    return wanted
