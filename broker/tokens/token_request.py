"""A request to the token endpoint, as every grant is handed it: client and key proven, the grant itself not yet (RFC 6749 §3.2)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from broker.clients.authentication import AuthenticatedClient
from broker.clients.registry import Registry
from broker.database import Database
from broker.parameters import Parameters
from broker.tokens.dpop import VerifiedProof
from consent.catalogue import Catalogue
from consent.intended_use import Uses
from keys.jwe import Recipient
from keys.keyring import Keyring, RootKeyring
from keys.vault import Vault


@dataclass(frozen=True)
class TokenRequest:
    """What a grant may use: the parameters, who asks, with which key, and the wired parts.

    `client` is None only for a grant that admits anonymous callers, `proof` only for a client that is not held to send one
    and did not. `x5t` is the thumbprint of its certificate where tokens are to be bound to that. `lifetime` of tokens in seconds, `now` in
    microseconds. `release` prepares the claims of an ID token (`broker.authorization.released.Releases.prepare`),
    `recipient` is whom it is encrypted to.
    The endpoint spends the assertion and the proof; a grant spends only what it redeems.
    """

    parameters: Parameters
    client: AuthenticatedClient | None
    proof: VerifiedProof | None
    issuer: str
    database: Database
    keyring: Keyring
    roots: RootKeyring
    vault: Vault
    catalogue: Catalogue
    uses: Uses
    registry: Registry
    lifetime: int
    now: int
    x5t: str | None = None
    release: Callable[..., Awaitable[Any]] | None = None
    recipient: Recipient | None = None

    @property
    def grant_type(self) -> str:
        """Which grant is asked for."""
        return self.parameters["grant_type"]

    @property
    def jkt(self) -> str | None:
        """The thumbprint of the DPoP key the tokens will be bound to, if any."""
        return None if self.proof is None else self.proof.jkt

    @property
    def instance(self) -> str | None:
        """The thumbprint of the key of the wallet that asks, where its maker vouched for it."""
        return None if self.client is None else self.client.instance

    @property
    def cnf(self) -> dict[str, str]:
        """What the access token will be bound to (RFC 7800 §3.1); nothing for a bearer token."""
        bound = {"jkt": self.jkt, "x5t#S256": self.x5t}
        return {name: thumbprint for name, thumbprint in bound.items() if thumbprint is not None}
