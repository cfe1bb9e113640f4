"""The authorization request, before and after the checks (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from consent.intended_use import Uses
from consent.request import DataRequest, RequestedItem

from broker.clients.metadata import ClientMetadata
from broker.parameters import Parameters
from keys import canonical


@dataclass(frozen=True)
class Unchecked:
    """What a known client asked for, nothing of it believed yet.

    `proof_jkt` is the thumbprint of the key whose DPoP proof came along; `issuer` and `uses` are what it is measured against.
    """

    client: ClientMetadata
    parameters: Parameters
    issuer: str
    uses: Uses
    proof_jkt: str | None = None


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that passed every check of its endpoint; only `checks.check` makes one, only `from_json` brings it back."""

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    code_challenge: str
    data: DataRequest
    state: str | None = None
    nonce: str | None = None
    dpop_jkt: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    ui_locales: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the request as canonical JSON, the form in which it is stored."""
        return canonical.dumps(asdict(self)).decode()


def from_json(text: str) -> AuthorizationRequest:
    """Bring a stored request back; `keys.errors.Malformed` or `TypeError` when it is not one."""
    stored: Mapping[str, Any] = canonical.loads(text)
    members = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    data = members.pop("data")
    items = tuple(RequestedItem(**item) for item in data["items"])
    return AuthorizationRequest(**members, data=DataRequest(**{**data, "items": items}))
