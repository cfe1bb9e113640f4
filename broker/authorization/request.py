"""The authorization request, before and after the checks (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from broker.authorization import claims_parameter
from broker.authorization.claims_parameter import ClaimsRequest
from broker.clients.metadata import ClientMetadata
from broker.parameters import Parameters
from consent import request as data_request
from consent.decision import Action
from consent.intended_use import Uses
from consent.permission import Permission
from consent.request import DataRequest
from keys import canonical
from keys.keyring import Keyring, SealingRing

CODE = "authorization_code"


@dataclass(frozen=True)
class Unchecked:
    """What a known client asked for, nothing of it believed yet.

    `proof_jkt` is the thumbprint of the key whose DPoP proof came along; `issuer` and `uses` are what it is measured against,
    `keyring` what signed an ID token that comes back as a hint, `ring` seals what it says about a person;
    `mode` is the installation's. `grant` is what `grant_id` names, whoever's it is. `signed`: the parameters come out of a request object that was verified.
    """

    client: ClientMetadata
    parameters: Parameters
    issuer: str
    uses: Uses
    proof_jkt: str | None = None
    keyring: Keyring | None = None
    ring: SealingRing | None = None
    now: int = 0
    mode: str = "production"
    signed: bool = False
    response_to: Mapping[str, Any] | None = None
    grant: Permission | None = None

    @cached_property
    def claims(self) -> ClaimsRequest:
        """What the `claims` parameter asks for; `Malformed` when it cannot be read."""
        return claims_parameter.read(self.parameters.get("claims", "{}"), self.ring)


@dataclass(frozen=True)
class WayBack:
    """Where the answer to a request may go although the request is refused: its address was checked, little else."""

    client_id: str
    redirect_uri: str
    response_mode: str = "query"
    response_alg: str | None = None
    response_to: Mapping[str, Any] | None = None
    state: str | None = None


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that passed every check of its endpoint; only `checks.check` makes one, only `from_json` brings it back.

    `claims` is the parameter without values (`claims_parameter`), `auth_time` whether it was asked for, `hint` sealed.
    `grant_type` is how the decision is redeemed, `binding_message` what the client shows beside it (CIBA Core §7.1).
    `response_alg` signs the response, None leaves it unsigned; `response_to` is whom it is encrypted to (`keys.jwe.Recipient`), if anybody. `code_challenge` is None where the client proves itself otherwise.
    `grant_action`: what is to be done with the grant `grant_id`.
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    code_challenge: str | None
    data: DataRequest
    response_mode: str = "query"
    response_alg: str | None = None
    response_to: Mapping[str, Any] | None = None
    state: str | None = None
    nonce: str | None = None
    dpop_jkt: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    auth_time: bool = False
    claims: str | None = None
    ui_locales: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    claims_locales: tuple[str, ...] = ()
    hint: str | None = None
    grant_action: Action | None = None
    grant_id: str | None = None
    grant_type: str = CODE
    binding_message: str | None = None

    @property
    def waits(self) -> bool:
        """Whether its client waits for the decision, so that nobody is sent back anywhere (`waiting`)."""
        return self.grant_type != CODE

    def to_json(self) -> str:
        """Return the request as canonical JSON, the form in which it is stored."""
        members = {item.name: getattr(self, item.name) for item in fields(self)}
        return canonical.dumps({**members, "data": data_request.to_json(self.data)}).decode()


def from_json(text: str) -> AuthorizationRequest:
    """Bring a stored request back; `keys.errors.Malformed` or `TypeError` when it is not one."""
    members: dict[str, Any] = canonical.loads(text)
    data = data_request.from_json(members.pop("data"))
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    return AuthorizationRequest(**{**members, **lists}, data=data)
