"""From registered values to a signed credential: plain functions of plain values (OpenID4VCI 1.0 §8.3).

Whoever calls `issue` has the ledger's entry for it behind them: opened values are an argument here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keys.keyring import SigningKey
from wallet import sd_jwt_vc
from wallet.credential_request import CredentialRequest
from wallet.credential_type import Claim, CredentialType
from wallet.errors import (
    CredentialRequestDenied,
    InvalidCredentialRequest,
    NotAvailableNow,
    UnknownCredentialConfiguration,
    UnknownCredentialIdentifier,
)
from wallet.sd_jwt import Hidden


@dataclass(frozen=True)
class Value:
    """One attribute's value in clear, and the day it is of (`YYYY-MM-DD`, None when the register does not say)."""

    value: Any = field(repr=False)
    as_of: str | None


def choose(
    request: CredentialRequest, types: Mapping[str, CredentialType], *, authorized: str, identifier: str | None
) -> CredentialType | None:
    """Return the type a request asks for; None when it exists but the access token is not for it.

    `authorized` is the configuration the token was given for, `identifier` the credential identifier that came with the
    token, if one did: then only that may be used (OpenID4VCI 1.0 §8.2). Raises `UnknownCredentialConfiguration`,
    `UnknownCredentialIdentifier`, `InvalidCredentialRequest`.
    """
    if request.identifier is not None:
        if identifier is None or request.identifier != identifier:
            raise UnknownCredentialIdentifier("this identifier did not come with the access token")
        return types[authorized]
    if identifier is not None:
        raise InvalidCredentialRequest("use the credential_identifier that came with the access token")
    if request.configuration not in types:
        raise UnknownCredentialConfiguration("there is no such credential configuration")
    return types[request.configuration] if request.configuration == authorized else None


def require(kind: CredentialType, statuses: Mapping[str, str]) -> None:
    """Return when every mandatory attribute was provided.

    `statuses`: what became of each attribute (`provided`, `not_held`, `not_applicable`, `withheld`, `source_unavailable`).
    Raises `CredentialRequestDenied` when one is lacking for good, else `NotAvailableNow` when a register did not answer.
    """
    lacking = {statuses.get(name, "not_held") for name in kind.mandatory_attributes} - {"provided"}
    if lacking - {"source_unavailable"}:
        raise CredentialRequestDenied("the registers do not hold what this credential states")
    if lacking:
        raise NotAvailableNow("a register does not answer at the moment")


def issue(
    kind: CredentialType,
    values: Mapping[str, Value],
    *,
    issuer: str,
    holder: Mapping[str, Any],
    signer: SigningKey,
    now: int,
) -> str:
    """Return the signed credential: the envelope, the fixed claims in clear, everything about the person hidden.

    `values` maps attribute ids to what was provided; a claim whose attribute is not there is left out. `holder` is the
    public key the wallet proved. `now` in microseconds. `data_as_of` is the oldest day among the values.
    """
    claims = sd_jwt_vc.envelope(kind, issuer=issuer, holder=holder, now=now)
    for claim in kind.claims:
        if claim.fixed is not None:
            claims[claim.path[0]] = claim.fixed
        elif len(claim.path) == 1 and claim.attribute is not None and claim.attribute in values:
            claims[claim.path[0]] = Hidden(_shape(kind, claim, values[claim.attribute].value))
    days = sorted(value.as_of for value in values.values() if value.as_of is not None)
    if days:
        claims["data_as_of"] = Hidden(days[0])
    return sd_jwt_vc.sign(signer, claims)


def _shape(kind: CredentialType, claim: Claim, value: Any) -> Any:
    """Give a value the form of its claim: declared members hidden one by one, entries of a list likewise."""
    inside = kind.members(claim)
    if inside:
        held = value if isinstance(value, Mapping) else {}
        return {
            one.path[1]: Hidden(held[one.member or one.path[1]])
            for one in inside
            if held.get(one.member or one.path[1]) not in (None, "")
        }
    if isinstance(value, list | tuple):
        return [Hidden(entry) for entry in value]
    return value
