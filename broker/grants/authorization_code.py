"""The authorization code grant: one code, once, for tokens bound to a key (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3)."""

from dataclasses import dataclass
from typing import Any

from broker.answers import Refusal
from broker.authorization import journey, pkce
from broker.authorization.request import AuthorizationRequest
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.people import people
from broker.sign_in import subject
from broker.tokens import access_token, id_token
from broker.tokens.token_request import TokenRequest
from consent import permission
from consent import request as data_request
from keys import errors as keys_errors
from keys.vault import Vault

ANONYMOUS = False
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Facts:
    """A code that may be redeemed with the tokens it will give, already signed; or one that was used before."""

    code: journey.Redeemable | journey.Spent
    vault: Vault
    access_token: str = ""
    expires: int = 0
    body: Any = None


async def gather(asked: TokenRequest) -> Facts:
    """Look at the code, check that this client with this verifier and this key may have it, and sign.

    Nothing is spent. Raises `Wire`: `invalid_request` for a missing parameter, `invalid_grant` for every code that is not
    this client's, without saying why.
    """
    if asked.client is None or not asked.client.client.may_use("authorization_code"):
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    client = asked.client.client
    if "code" not in asked.parameters:
        raise Wire("invalid_request", "code is required")
    with asked.database.read() as tx:
        found = journey.redeemable(tx, asked.vault, asked.parameters["code"], asked.now)
        pairwise = _pairwise_key(tx, asked.vault, found)
    if isinstance(found, journey.Spent) and found.client_id == client.client_id:
        return Facts(found, asked.vault)
    if not isinstance(found, journey.Redeemable) or pairwise is None:
        raise Wire("invalid_grant", "the code is unknown or too old")
    _check_bound(asked, found.journey.request, client)
    return _signed(asked, found, client, subject.pairwise(pairwise, client.pairwise_sector))


def act(tx: Tx, facts: Facts, now: int) -> dict[str, Any] | Refusal:
    """Spend the code and give the tokens; a second use ends the tokens of the first and is remembered."""
    if isinstance(facts.code, journey.Spent):
        return journey.reused(tx, facts.code, now)
    given = permission.get(tx, facts.code.permission_id)
    if given is None or given.standing(now) != "live":
        return Refusal("invalid_grant", "the person ended this permission")
    person = people.by_id(tx, facts.code.person_id)
    if person is None or person.disabled:
        return Refusal("invalid_grant", "the code is unknown or too old")
    refused = journey.spend(
        tx, facts.vault, facts.code, access_token=facts.access_token, now=now, expires=facts.expires
    )
    return facts.body if refused is None else refused


def _pairwise_key(tx: Tx, vault: Vault, found: journey.Redeemable | journey.Spent | None) -> bytes | None:
    """The person's key for subject identifiers; none for a person who was erased."""
    if not isinstance(found, journey.Redeemable):
        return None
    try:
        return vault.person(tx, found.person_id).pairwise
    except keys_errors.NoSuchKey:
        return None


def _check_bound(asked: TokenRequest, request: AuthorizationRequest, client: Client) -> None:
    """The code's client, redirect URI, PKCE challenge and key (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10)."""
    parameters = asked.parameters
    if request.client_id != client.client_id:
        raise Wire("invalid_grant", "the code is unknown or too old")
    if parameters.get("redirect_uri") != request.redirect_uri:
        raise Wire("invalid_grant", "redirect_uri is not the one of the request")
    try:
        pkce.verify(parameters.get("code_verifier"), request.code_challenge)
    except (ValueError, keys_errors.Mismatch) as refused:
        raise Wire("invalid_grant", "code_verifier is missing or does not fit the challenge") from refused
    if request.dpop_jkt is not None and request.dpop_jkt != asked.proof.jkt:
        raise Wire("invalid_grant", "the code is bound to another key")


def _signed(asked: TokenRequest, found: journey.Redeemable, client: Client, sub: str) -> Facts:
    request, acr = found.journey.request, found.journey.acr
    token = access_token.mint(
        asked.keyring,
        issuer=asked.issuer,
        subject=sub,
        client_id=client.client_id,
        scope=request.scope,
        acr=acr,
        jkt=asked.proof.jkt,
        grant_id=found.permission_id,
        family=found.family,
        now=asked.now,
        lifetime=asked.lifetime,
    )
    told = request.max_age is not None or client.require_auth_time
    identity = id_token.mint(
        asked.keyring,
        issuer=asked.issuer,
        subject=sub,
        client_id=client.client_id,
        acr=acr,
        now=asked.now,
        nonce=request.nonce,
        auth_time=found.held.auth_time if told else None,
        lifetime=asked.lifetime,
        alg=client.id_token_signed_response_alg,
    )
    body = {
        "access_token": token,
        "token_type": "DPoP",
        "expires_in": asked.lifetime,
        "scope": " ".join(request.scope),
        "id_token": identity,
        "grant_id": found.permission_id,
        "authorization_details": [data_request.details(request.data, asked.catalogue, asked.issuer)],
    }
    return Facts(found, asked.vault, token, asked.now + asked.lifetime * SECOND, body)
