"""The pre-authorized code grant: a wallet redeems an offer with its transaction code (OpenID4VCI 1.0 §6.1, §6.2).

The wallet is anonymous: what it proves is that it saw the offer, that the person gave it the transaction code, and that it
holds the DPoP key to which the access token is bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.answers import Refusal
from broker.database import Tx
from broker.errors import Wire
from broker.sign_in import subject, typed_code
from broker.tokens import access_token, standing
from broker.tokens import family as families
from broker.tokens.token_request import TokenRequest
from consent import permission
from keys import canonical, opaque
from keys import errors as keys_errors
from keys.keyring import SealingRing
from keys.vault import Vault
from wallet import offer

ANONYMOUS = True
DETAILS_TYPE = "openid_credential"
SECOND = 1_000_000  # microseconds
MAX_TX_CODE = 64


@dataclass(frozen=True)
class Facts:
    """A code that may be redeemed, if the transaction code is right, for the token already signed."""

    code: str = field(repr=False)
    tx_code: str = field(repr=False)
    found: offer.Redeemable
    held: Mapping[str, Any] = field(repr=False)
    vault: Vault
    pepper: SealingRing
    access_token: str = field(repr=False)
    client_id: str
    family: str
    expires: int
    body: dict[str, Any] = field(repr=False)


async def gather(asked: TokenRequest) -> Facts:
    """Look at the code and sign the token it may give. Nothing is spent, and no try is counted yet.

    Raises `Wire`: `unauthorized_client` for a registered client (wallets are not), `invalid_request` for a missing code or
    transaction code, `invalid_grant` for a code that is unknown, used or too old, `invalid_authorization_details`.
    """
    if asked.client is not None:
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    given = asked.parameters
    if "pre-authorized_code" not in given:
        raise Wire("invalid_request", "pre-authorized_code is required")
    tx_code = typed_code.plain(given.get("tx_code", ""))
    if not 1 <= len(tx_code) <= MAX_TX_CODE:
        raise Wire("invalid_request", "tx_code is required for this offer")
    with asked.database.read() as tx:
        found = offer.by_code(tx, asked.vault, given["pre-authorized_code"], now=asked.now)
        try:
            keys = asked.vault.person(tx, found.held["person_id"]) if found is not None else None
        except keys_errors.NoSuchKey:
            keys = None
        if found is not None and not standing.acts(tx, found.held["person_id"]):
            keys = None
    if found is None or keys is None:
        raise Wire("invalid_grant", "the pre-authorized code is unknown, used or too old")
    wanted = _detailed(given.get("authorization_details"), found.offer.configuration)
    return _signed(asked, found, subject.pairwise(keys.pairwise, found.offer.permission_id), tx_code, wanted)


def act(tx: Tx, facts: Facts, now: int) -> dict[str, Any] | Refusal:
    """Count the try, compare, spend the code, start the token's family; a wrong try is remembered."""
    if not offer.try_tx_code(tx, facts.pepper, facts.code, facts.tx_code, now=now):
        return Refusal("invalid_grant", "the transaction code is wrong, or the offer is over")
    permission_id = facts.found.offer.permission_id
    given = permission.get(tx, permission_id)
    if given is None or given.state != "live":
        return Refusal("invalid_grant", "the person ended this permission")
    spent = offer.redeem(
        tx,
        facts.vault,
        facts.code,
        facts.held,
        access_token=facts.access_token,
        now=now,
        expires=facts.expires,
    )
    if not spent:
        return Refusal("invalid_grant", "the pre-authorized code is unknown, used or too old")
    families.start(
        tx, facts.family, permission_id=permission_id, client_id=facts.client_id, now=now, expires=facts.expires
    )
    return facts.body


def _detailed(given: str | None, configuration: str) -> bool:
    """Whether the wallet asks by authorization details; they may name only what is offered (OpenID4VCI 1.0 §5.1.1)."""
    if given is None:
        return False
    try:
        listed = canonical.loads(given)
    except keys_errors.Malformed as problem:
        raise Wire("invalid_authorization_details", "authorization_details is not JSON") from problem
    wanted = {"type": DETAILS_TYPE, "credential_configuration_id": configuration}
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
        raise Wire("invalid_authorization_details", "exactly one credential is offered")
    if any(listed[0].get(name) != value for name, value in wanted.items()):
        raise Wire("invalid_authorization_details", "only the offered credential may be asked for")
    return True


def _signed(asked: TokenRequest, found: offer.Redeemable, sub: str, tx_code: str, wanted: bool) -> Facts:  # noqa: FBT001 - read beside its name at the one call
    held, family, client_id = found.held, opaque.token(), found.held["client_id"]
    token = access_token.mint(
        asked.keyring,
        issuer=asked.issuer,
        subject=sub,
        client_id=client_id,
        scope=(held["scope"],),
        acr=held["acr"],
        cnf=asked.cnf,
        grant_id=found.offer.permission_id,
        family=family,
        now=asked.now,
        lifetime=asked.lifetime,
    )
    body = {
        "access_token": token,
        "token_type": "DPoP",
        "expires_in": asked.lifetime,
        "scope": held["scope"],
    }
    if wanted:
        identifier = opaque.token()
        held = {**held, "identifier": identifier}
        detail = {"type": DETAILS_TYPE, "credential_configuration_id": found.offer.configuration}
        body["authorization_details"] = [{**detail, "credential_identifiers": [identifier]}]
    return Facts(
        code=asked.parameters["pre-authorized_code"],
        tx_code=tx_code,
        found=found,
        held=held,
        vault=asked.vault,
        pepper=asked.roots.ring("pepper"),
        access_token=token,
        client_id=client_id,
        family=family,
        expires=asked.now + asked.lifetime * SECOND,
        body=body,
    )
