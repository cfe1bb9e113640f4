"""What a grant about a person answers: access token, ID token, refresh token (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).

`sign` makes all of it before the act, `keep` stores in the act what outlives the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from broker.authorization import grant_management, words
from broker.clients.profile import CIBA
from broker.clients.registry import Client
from broker.database import Tx
from broker.people import known_subject
from broker.tokens import access_token, id_token, reference, refresh_token
from broker.tokens.token_request import TokenRequest
from consent import request as data_request
from consent.intended_use import SIGN_IN
from consent.ledger import Appended
from consent.ledger_entry import Entry
from consent.permission import Permission
from consent.request import DataRequest
from keys import jwe, opaque
from keys.keyring import RootKeyring

SECOND = 1_000_000  # microseconds
HERE = frozenset(
    {"openid", words.OFFLINE, *grant_management.SCOPES}
)  # words that mean something at this server alone, and open no data
LONGEST = 1095 * 86_400 * SECOND  # of a permission without an end of its own


@dataclass(frozen=True)
class About:
    """Who the tokens are about and what they may: as the person decided, whatever way the decision came.

    `subject` is the pairwise identifier; `told`: the client may know `auth_time` (microseconds). `audience` is the one
    server the access token is for; only one for this server opens data, and none that is `narrowed`. `claims` is the `claims`
    parameter as it was kept.
    """

    person_id: str = field(repr=False)
    subject: str
    client: Client
    scope: tuple[str, ...]
    acr: str
    auth_time: int
    told: bool
    permission_id: str
    family: str
    data: DataRequest
    audience: str
    resources: tuple[str, ...] = ()
    nonce: str | None = None
    sid: str | None = None
    narrowed: bool = False
    claims: str | None = None


@dataclass(frozen=True)
class Issued:
    """The signed tokens with the response body. `expires` (microseconds) is the access token's end; `instance` the wallet asking."""

    about: About
    access_token: str = field(repr=False)
    expires: int
    body: dict[str, Any] = field(repr=False)
    cnf: Mapping[str, str]
    for_here: bool
    roots: RootKeyring = field(repr=False)
    instance: str | None = field(default=None, repr=False)

    @property
    def refresh_token(self) -> str | None:
        """The new refresh token, if one is given."""
        given: str | None = self.body.get("refresh_token")
        return given


@dataclass(frozen=True)
class Entered:
    """An answer that waits for the ledger: `body(appended)` makes the response's members once the entry is durable."""

    entry: Entry
    body: Callable[[Appended], dict[str, Any]]


def sign(asked: TokenRequest, about: About, *, refreshable: bool, identify: bool = True) -> Issued:
    """Sign what is answered; with `refreshable` a refresh token comes along where client and permission allow it.

    A permission for once has none (its data are handed over once), nor has a client not registered for refreshing.
    `offline_access` is granted where the client may refresh (OpenID Connect Core §11). Without `identify` the ID token is left out: it waits for claims that must be entered first (`identity`).
    """
    refreshes = about.data.kind == "ongoing" and about.client.may_use("refresh_token")
    if not refreshes:
        about = replace(about, scope=tuple(word for word in about.scope if word != words.OFFLINE))
    body: dict[str, Any] = {
        "access_token": _access_token(asked, about),
        "token_type": access_token.scheme(asked.cnf),
        "expires_in": asked.lifetime if about.audience == asked.issuer else min(asked.lifetime, access_token.LIFETIME),
        "scope": " ".join(about.scope),
        "grant_id": about.permission_id,
    }
    if identify and "openid" in about.scope:
        body["id_token"] = identity(asked, about)
    for_here = about.audience == asked.issuer
    if for_here and not about.narrowed and about.data.use_id != SIGN_IN:
        body["authorization_details"] = [data_request.details(about.data, asked.catalogue, asked.issuer)]
    if refreshable and refreshes:
        body["refresh_token"] = opaque.token()
    ends = asked.now + body["expires_in"] * SECOND
    return Issued(about, body["access_token"], ends, body, asked.cnf, for_here, asked.roots, asked.instance)


def identity(asked: TokenRequest, about: About, claims: Mapping[str, Any] | None = None) -> str:
    """Sign an ID token, with the claims of the person that were entered as handed over; encrypt it where that is registered."""
    signed = id_token.mint(
        asked.keyring,
        issuer=asked.issuer,
        subject=about.subject,
        client_id=about.client.client_id,
        acr=about.acr,
        now=asked.now,
        nonce=about.nonce,
        auth_time=about.auth_time if about.told else None,
        sid=about.sid,
        lifetime=asked.lifetime,
        alg=about.client.id_token_signed_response_alg,
        claims=claims,
    )
    return signed if asked.recipient is None else jwe.encrypt(asked.recipient, signed)


def keep(tx: Tx, issued: Issued, given: Permission, now: int) -> None:
    """Store the refresh token, if one was signed, until the permission ends; its family must have been started.

    A client that may ask behind the front can name the person by this ID token from now on.
    """
    if issued.about.client.may_use(CIBA) and "openid" in issued.about.scope:
        known_subject.remember(tx, issued.about.subject, issued.about.person_id, now)
    if issued.refresh_token is None:
        return
    about = issued.about
    kept = refresh_token.Kept(
        person_id=about.person_id,
        subject=about.subject,
        scope=about.scope,
        acr=about.acr,
        auth_time=about.auth_time,
        told=about.told,
        data=data_request.to_json(about.data),
        resources=about.resources,
        x5t=None if about.client.authenticates else issued.cnf.get("x5t#S256"),
        claims=about.claims,
        instance=issued.instance,
    )
    refresh_token.issue(
        tx,
        issued.roots.ring("token"),
        issued.refresh_token,
        family=about.family,
        client_id=about.client.client_id,
        jkt=None if about.client.authenticates else issued.cnf.get("jkt"),
        kept=kept,
        now=now,
        expires=now + LONGEST if given.valid_to is None else given.valid_to,
    )


def _access_token(asked: TokenRequest, about: About) -> str:
    if about.audience == asked.issuer:
        return access_token.mint(
            asked.keyring,
            issuer=asked.issuer,
            subject=about.subject,
            client_id=about.client.client_id,
            scope=about.scope,
            acr=about.acr,
            cnf=asked.cnf,
            grant_id=about.permission_id,
            family=about.family,
            now=asked.now,
            lifetime=asked.lifetime,
            narrowed=about.narrowed,
        )
    jti = opaque.token()
    behind = reference.Reference(about.family, about.person_id)
    return access_token.mint_for(
        asked.keyring,
        issuer=asked.issuer,
        audience=about.audience,
        subject=about.subject,
        client_id=about.client.client_id,
        scope=tuple(word for word in about.scope if word not in HERE and not data_request.spells(word, asked.uses)),
        cnf=asked.cnf,
        now=asked.now,
        lifetime=asked.lifetime,
        jti=jti,
        acr=about.acr,
        ref=reference.seal(asked.vault, behind, jti=jti, now=asked.now),
    )
