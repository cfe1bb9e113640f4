"""The refresh token grant: new tokens under a permission that goes on (RFC 6749 §6, RFC 9700 §4.14, OpenID Connect Core §12).

The registers are asked anew when the data are fetched: of the person only who it is lies sealed for the new access token.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from broker.answers import Refusal
from broker.authorization import resource
from broker.clients.profile import ATTESTED
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.grants import issue
from broker.grants.issue import About, Issued
from broker.tokens import refresh_token, standing
from broker.tokens.refresh_token import Found
from broker.tokens.token_request import TokenRequest
from consent import permission
from consent import request as data_request
from consent.intended_use import SIGN_IN
from keys import errors as keys_errors
from keys import opaque, sealing
from keys.keyring import SealingRing
from keys.vault import Vault

ANONYMOUS = False
MAX_TOKEN = 256  # characters


@dataclass(frozen=True)
class Facts:
    """A refresh token that is this client's, with the tokens it will give, already signed."""

    found: Found = field(repr=False)
    issued: Issued
    ring: SealingRing = field(repr=False)
    vault: Vault
    rotate: bool


async def gather(asked: TokenRequest) -> Facts:
    """Look at the token, check that this client with this key may use it for what it asks, and sign.

    Nothing is spent. Raises `Wire`: `invalid_grant` for every token that is not this client's, without saying why,
    `invalid_scope` and `invalid_target` for more than was granted.
    """
    if asked.client is None or not asked.client.client.may_use("refresh_token"):
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    client, ring = asked.client.client, asked.roots.ring("token")
    token = asked.parameters.get("refresh_token")
    if token is None:
        raise Wire("invalid_request", "refresh_token is required")
    with asked.database.read() as tx:
        found = refresh_token.find(tx, ring, token, asked.now) if len(token) <= MAX_TOKEN else None
        known = found is not None and _exists(tx, asked.vault, found.kept.person_id)
    if found is None or not known or not _is_theirs(found, asked, client):
        raise Wire("invalid_grant", refresh_token.UNKNOWN.description)
    if "authorization_details" in asked.parameters:
        raise Wire("invalid_authorization_details", "what was granted cannot be changed here")
    issued = issue.sign(asked, _about(asked, found, client), refreshable=False)
    return Facts(found, issued, ring, asked.vault, rotate=not asked.client.confidential)


def act(tx: Tx, facts: Facts, now: int) -> dict[str, Any] | Refusal:
    """Read what must still live, use the token, and let the new access token find whom it is about."""
    found, issued = facts.found, facts.issued
    given = permission.get(tx, found.permission_id)
    if given is None or given.client != found.client_id or given.standing(now) != "live" or given.kind != "ongoing":
        return Refusal("invalid_grant", "the permission has ended")
    if not standing.acts(tx, found.kept.person_id):
        return refresh_token.UNKNOWN
    successor = refresh_token.use(tx, facts.ring, found, now, rotate=facts.rotate)
    if isinstance(successor, Refusal):
        return successor
    if issued.for_here:
        preview.hold(
            tx,
            facts.vault,
            row_id=opaque.token(),
            person_id=found.kept.person_id,
            auth_time=found.kept.auth_time,
            claims=issued.about.claims if issued.about.scope == found.kept.scope else None,
            found={},
            publics=[sealing.public_of(issued.access_token.encode())],
            now=now,
            expires=issued.expires,
            family=found.family,
        )
    return issued.body if successor is None else {**issued.body, "refresh_token": successor}


def _is_theirs(found: Found, asked: TokenRequest, client: Client) -> bool:
    """Whether who asks is who was given the token.

    A client that authenticates is known by that, whatever key it brings (RFC 9449 §5); a wallet by its instance besides; one that
    cannot authenticate by its key and certificate (RFC 8705 §4).
    """
    if found.client_id != client.client_id:
        return False
    if client.token_endpoint_auth_method == ATTESTED and found.kept.instance is not None:
        return found.kept.instance == asked.instance
    if client.authenticates and client.token_endpoint_auth_method != ATTESTED:
        return True
    return found.jkt in {None, asked.jkt} and found.kept.x5t in {None, asked.x5t}


def _exists(tx: Tx, vault: Vault, person_id: str) -> bool:
    """Whether the person was not erased."""
    try:
        vault.person(tx, person_id)
    except keys_errors.NoSuchKey:
        return False
    return True


def _about(asked: TokenRequest, found: Found, client: Client) -> About:
    """What was granted, cut down to what is asked for now (RFC 6749 §6, RFC 8707 §2.2).

    The words that spell data stay or go together: what of the data is open is the permission's, not the scope's, to say.
    """
    kept = found.kept
    wanted = tuple(dict.fromkeys(asked.parameters.get("scope", "").split(" ")))
    if wanted != ("",) and not set(wanted) <= set(kept.scope):
        raise Wire("invalid_scope", "the scope is more than was granted")
    scope = kept.scope if wanted == ("",) else wanted
    about = About(
        person_id=kept.person_id,
        subject=kept.subject,
        client=client,
        scope=scope,
        acr=kept.acr,
        auth_time=kept.auth_time,
        told=kept.told,
        permission_id=found.permission_id,
        family=found.family,
        data=data_request.from_json(kept.data),
        audience=resource.audience(client, asked.issuer, asked.parameters.all("resource"), kept.resources),
        resources=kept.resources,
        claims=kept.claims,
    )
    # the words of a sign-in stand for claims, one by one; those of a use stay or go together
    narrowed = about.data.use_id != SIGN_IN and bool(set(kept.scope) - set(scope) - issue.HERE)
    return replace(about, narrowed=narrowed)
