"""The token exchange grant: an agency lets another act for it, inside one permission (RFC 8693 §2, §4.1).

The one that answers for the data asks: it authenticates, shows its own access token with the proof of the key that token is
bound to, and names the acting agency by a token which that one signed (`broker/tokens/actor_token.py`). What is issued is
bound to the acting agency's key, names it in `act`, is never wider and never longer, and hangs on the same permission.

Refused: (1) a client that cannot authenticate or registered no such grant · (2) other types, servers, no actor · (3) a token
that is not the client's own, proven and alive · (4) a token that came of an exchange · (5) an actor that did not sign, or
whom the use or the notice that the person read does not name · (6) a wider scope.
"""

from dataclasses import dataclass, field
from typing import Any

from broker.answers import Refusal
from broker.clients.registry import Client, Registry
from broker.database import Tx
from broker.errors import Wire
from broker.evidence import preview
from broker.grants import issue
from broker.sign_in import subject
from broker.tokens import access_token, actor_token, replay, standing
from broker.tokens.access_token import AccessToken
from broker.tokens.actor_token import Actor
from broker.tokens.token_request import TokenRequest
from consent import notice
from consent.intended_use import Uses
from consent.permission import Permission
from keys import errors as keys_errors
from keys import sealing
from keys.vault import Vault

ANONYMOUS = False
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a type's name (RFC 8693 §3)
JWT = "urn:ietf:params:oauth:token-type:jwt"
SECOND = 1_000_000  # microseconds
ENDED = Refusal("invalid_request", "the subject token is not valid or has expired")


@dataclass(frozen=True)
class Facts:
    """Two tokens that fit together, with the one they give, already signed."""

    subject: AccessToken
    subject_text: str = field(repr=False)
    actor: Actor
    body: dict[str, Any] = field(repr=False)
    registry: Registry = field(repr=False)
    vault: Vault = field(repr=False)


async def gather(asked: TokenRequest) -> Facts:
    """Check who asks, both tokens, and that the person was told; sign. Nothing is spent.

    Raises `Wire`: `unauthorized_client`, `invalid_target`, `invalid_scope`, and `invalid_request` for everything that is
    wrong with either token (RFC 8693 §2.2.2).
    """
    if asked.client is None or not asked.client.confidential or not asked.client.client.may_use(asked.grant_type):
        raise Wire("unauthorized_client", "the client is not registered for this grant")  # (1)
    client, given = asked.client.client, asked.parameters
    _check_types(asked)  # (2)
    shown = _subject(asked, client)  # (3) (4)
    try:
        actor = await actor_token.verify(
            given["actor_token"], client.client_id, registry=asked.registry, issuer=asked.issuer, now=asked.now
        )
    except ValueError as problem:
        raise Wire("invalid_request", f"actor_token: {problem}") from problem
    if actor.client.client_id == client.client_id or set(actor.cnf.values()) & set(shown.cnf.values()):
        raise Wire("invalid_request", "actor_token: the actor is another client, with a key of its own")
    scope = _scope(asked, shown)  # (6)
    with asked.database.read() as tx:
        held = preview.open_(tx, asked.vault, given["subject_token"].encode(), asked.now)
        allowed = standing.read(tx, shown, registry=asked.registry, now=asked.now)
        if held is None or isinstance(allowed, Refusal):
            raise Wire(ENDED.code, ENDED.description)
        _check_told(tx, asked.uses, allowed, actor.client.client_id)  # (5)
        try:
            pairwise = asked.vault.person(tx, held.person_id).pairwise
        except keys_errors.NoSuchKey as problem:
            raise Wire(ENDED.code, ENDED.description) from problem
    sub = subject.acting(pairwise, client.client_id, actor.client.client_id)
    body = _issued(asked, shown, actor, scope, sub)
    return Facts(shown, given["subject_token"], actor, body, asked.registry, asked.vault)


def act(tx: Tx, facts: Facts, now: int) -> dict[str, Any] | Refusal:
    """Let the actor token count once, and the new token open what the subject token opens, while all that still lives."""
    held = preview.open_(tx, facts.vault, facts.subject_text.encode(), now)
    if held is None:
        return ENDED
    given = standing.read(tx, facts.subject, registry=facts.registry, now=now, person_id=held.person_id)
    if isinstance(given, Refusal):
        return ENDED
    replay.spend(tx, *facts.actor.marker)
    preview.share(tx, facts.vault, held, sealing.public_of(facts.body["access_token"].encode()))
    return facts.body


def _check_types(asked: TokenRequest) -> None:
    given = asked.parameters
    if given.get("subject_token_type") != ACCESS_TOKEN or "subject_token" not in given:
        raise Wire("invalid_request", "subject_token is an access token of this server")
    if given.get("actor_token_type") != JWT or "actor_token" not in given:
        raise Wire("invalid_request", "actor_token is needed, a JWT signed by the actor: nobody acts unnamed")
    if given.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise Wire("invalid_request", "only access tokens are issued")
    if not {*given.all("resource"), *given.all("audience")} <= {asked.issuer}:
        raise Wire("invalid_target", "the token is for this server")


def _subject(asked: TokenRequest, client: Client) -> AccessToken:
    """Read the subject token: this client's own, bound to the key or certificate that this request was proven with."""
    text = asked.parameters["subject_token"]
    try:
        shown = access_token.verify(text, asked.keyring, issuer=asked.issuer, now=asked.now)
    except Wire as problem:
        raise Wire(ENDED.code, ENDED.description) from problem
    if shown.act is not None:
        raise Wire("invalid_request", "who acts for another lets nobody act for them")
    proven = {"jkt": asked.jkt, "x5t#S256": asked.x5t}
    bound = bool(shown.cnf) and all(proven[name] == thumbprint for name, thumbprint in shown.cnf.items())
    if shown.client_id != client.client_id or not bound:
        raise Wire("invalid_request", "the subject token is not bound to a key of this client that was proven")
    return shown


def _scope(asked: TokenRequest, shown: AccessToken) -> tuple[str, ...]:
    """The words for data, all of them; signing in and managing the grant stay with the one that answers for it."""
    words = tuple(word for word in shown.scope if word not in issue.HERE)
    wanted = asked.parameters.get("scope")
    if wanted is not None and not set(wanted.split(" ")) <= set(shown.scope):
        raise Wire("invalid_scope", "the scope is more than the subject token has")
    if shown.narrowed or not words or (wanted is not None and not set(words) <= set(wanted.split(" "))):
        raise Wire("invalid_scope", "the scope of the data goes over whole")
    return words


def _check_told(tx: Tx, uses: Uses, given: Permission, client_id: str) -> None:
    """The actor is named by the use as the person read it and as it is now, and by the very notice that was read."""
    terms = (uses.version(given.use_id, given.use_version), uses.get(given.use_id))
    read = notice.find(tx, given.notice_digest)
    if any(use.processor(client_id) is None for use in terms) or read is None or not read.names(client_id):
        raise Wire("invalid_request", "actor_token: the person was not told of this actor")


def _issued(asked: TokenRequest, shown: AccessToken, actor: Actor, scope: tuple[str, ...], sub: str) -> dict[str, Any]:
    lifetime = min(asked.lifetime, (shown.expires - asked.now) // SECOND)
    if lifetime < 1:
        raise Wire(ENDED.code, ENDED.description)
    token = access_token.mint(
        asked.keyring,
        issuer=asked.issuer,
        subject=sub,
        client_id=actor.client.client_id,
        scope=scope,
        acr=shown.acr,
        cnf=actor.cnf,
        grant_id=shown.grant_id,
        family=shown.family,
        now=asked.now,
        lifetime=lifetime,
        came_of=shown.jti,
    )
    return {
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": access_token.scheme(actor.cnf),
        "expires_in": lifetime,
        "scope": " ".join(scope),
        "grant_id": shown.grant_id,
    }
