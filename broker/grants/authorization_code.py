"""The authorization code grant: one code, once, for tokens bound to a key (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3)."""

from dataclasses import dataclass, field
from typing import Any

from broker.answers import Refusal
from broker.authorization import journey, pkce, resource
from broker.authorization.released import Prepared
from broker.authorization.request import AuthorizationRequest
from broker.clients.registry import Client
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.grants import issue
from broker.grants.issue import About, Entered, Issued
from broker.sign_in import subject
from broker.tokens import standing
from broker.tokens.token_request import TokenRequest
from consent import permission
from consent.ledger import Appended
from consent.permission import Permission
from keys import canonical
from keys import errors as keys_errors
from keys.vault import Vault

ANONYMOUS = False


@dataclass(frozen=True)
class Facts:
    """A code that may be redeemed, with the tokens it will give, already signed."""

    code: journey.Redeemable
    vault: Vault
    issued: Issued
    asked: TokenRequest = field(repr=False)
    released: Prepared | None = None

    @property
    def enters(self) -> bool:
        """Whether the ID token carries claims of the person: then their release is entered before it is signed."""
        return self.released is not None


async def gather(asked: TokenRequest) -> Facts | journey.Spent:
    """Look at the code, check that this client with this verifier and this key may have it, and sign.

    Nothing is spent. Returns `Spent` for a code of this client that was used before. Raises `Wire`: `invalid_request` for
    a missing parameter, `invalid_grant` for every code that is not this client's, without saying why.
    """
    if asked.client is None or not asked.client.client.may_use("authorization_code"):
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    client = asked.client.client
    if "authorization_details" in asked.parameters:  # RFC 9396 §6: nothing else than what the person saw
        raise Wire("invalid_authorization_details", "what was granted cannot be changed here")
    if "code" not in asked.parameters:
        raise Wire("invalid_request", "code is required")
    with asked.database.read() as tx:
        found = journey.redeemable(tx, asked.vault, asked.parameters["code"], asked.now)
        pairwise = pairwise_key(tx, asked.vault, found)
    if isinstance(found, journey.Spent) and found.client_id == client.client_id:
        return found
    if not isinstance(found, journey.Redeemable) or pairwise is None:
        raise Wire("invalid_grant", "the code is unknown or too old")
    _check_bound(asked, found.journey.request, client)
    return await decided(asked, found, client, pairwise)


async def decided(asked: TokenRequest, found: journey.Redeemable, client: Client, pairwise: bytes) -> Facts:
    """Sign what a person decided, with the claims that are to come in the ID token; nothing is spent.

    `pairwise` is the person's key for identifiers. Raises `Wire` `invalid_target` for a server the person did not agree to.
    """
    released = await _released(asked, found)
    issued = issue.sign(asked, _about(asked, found, client, pairwise), refreshable=True, identify=released is None)
    return Facts(found, asked.vault, issued, asked, released)


async def _released(asked: TokenRequest, found: journey.Redeemable) -> Prepared | None:
    """Prepare the claims that the request wants in the ID token (OpenID Connect Core §5.5)."""
    kept = found.held.claims
    if asked.release is None or kept is None or canonical.loads(kept).get("id_token") is None:
        return None
    with asked.database.read() as tx:
        given = permission.get(tx, found.permission_id)
    if given is None or given.standing(asked.now) != "live":
        return None  # the act refuses
    about = {"scope": found.journey.request.scope, "acr": found.journey.acr, "now": asked.now}
    try:
        made: Prepared | None = await asked.release("id_token", found.held, given, **about)
    except Wire as refused:  # a register says that nothing can be answered for this person
        raise Wire("invalid_grant", refused.refusal.description) from refused
    return made


def act(tx: Tx, facts: Facts | journey.Spent, now: int) -> dict[str, Any] | Refusal | Entered:
    """Spend the code and give the tokens; a second use ends the tokens of the first and is remembered.

    With claims in the ID token the answer waits for the entry of their release.
    """
    if isinstance(facts, journey.Spent):
        return journey.reused(tx, facts, now)
    given, acts = standing.decided(tx, facts.code.permission_id, facts.code.person_id)
    if given is None or given.standing(now) != "live":
        return Refusal("invalid_grant", "the person ended this permission")
    if not acts:
        return Refusal("invalid_grant", "the code is unknown or too old")
    refused = journey.spend(
        tx, facts.vault, facts.code, access_token=facts.issued.access_token, now=now, expires=facts.issued.expires
    )
    if refused is not None:
        return refused
    if not facts.issued.for_here:  # a token for another server opens nothing: nothing is kept for it
        preview.drop(tx, facts.code.held.row_id)
    issue.keep(tx, facts.issued, given, now)
    return facts.issued.body if facts.released is None else _entered(facts, facts.released, given, now)


def _entered(facts: Facts, released: Prepared, given: Permission, now: int) -> Entered | Refusal:
    if permission.releasable(given, released.handed(), now) is not None:
        return Refusal("invalid_grant", "the person ended this permission")

    def body(appended: Appended) -> dict[str, Any]:
        claims = released.claims(appended, given)
        return {**facts.issued.body, "id_token": issue.identity(facts.asked, facts.issued.about, claims)}

    return Entered(released.entry(given), body)


def pairwise_key(tx: Tx, vault: Vault, found: journey.Redeemable | journey.Spent | None) -> bytes | None:
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
    if request.client_id != client.client_id or request.waits:
        raise Wire("invalid_grant", "the code is unknown or too old")
    if parameters.get("redirect_uri") != request.redirect_uri:
        raise Wire("invalid_grant", "redirect_uri is not the one of the request")
    try:
        pkce.verify(parameters.get("code_verifier"), request.code_challenge)
    except (ValueError, keys_errors.Mismatch) as refused:
        raise Wire("invalid_grant", "code_verifier is missing or does not fit the challenge") from refused
    if request.dpop_jkt is not None and request.dpop_jkt != asked.jkt:
        raise Wire("invalid_grant", "the code is bound to another key")


def _about(asked: TokenRequest, found: journey.Redeemable, client: Client, pairwise: bytes) -> About:
    """A client that waited elsewhere has no part in the session of the browser in which the person decided."""
    request = found.journey.request
    session = None if request.waits else found.held.session
    return About(
        person_id=found.person_id,
        subject=subject.pairwise(pairwise, client.pairwise_sector),
        client=client,
        scope=request.scope,
        acr=found.journey.acr,
        auth_time=found.held.auth_time,
        told=request.max_age is not None or request.auth_time or client.require_auth_time,
        permission_id=found.permission_id,
        family=found.family,
        data=request.data,
        audience=resource.audience(client, asked.issuer, asked.parameters.all("resource"), request.resources),
        resources=request.resources,
        nonce=request.nonce,
        sid=subject.session_id(pairwise, session, client.client_id) if session else None,
        claims=request.claims,
    )
