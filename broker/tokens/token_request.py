"""A request to the token endpoint, as every grant is handed it: client and key proven, the grant itself not yet (RFC 6749 §3.2)."""

from dataclasses import dataclass

from broker.clients.authentication import AuthenticatedClient
from broker.database import Database
from broker.parameters import Parameters
from broker.tokens.dpop import VerifiedProof
from consent.catalogue import Catalogue
from keys.keyring import Keyring, RootKeyring
from keys.vault import Vault


@dataclass(frozen=True)
class TokenRequest:
    """What a grant may use: the parameters, who asks, with which key, and the wired parts.

    `client` is None only for a grant that admits anonymous callers. `lifetime` of tokens in seconds, `now` in microseconds.
    The endpoint spends the assertion and the proof; a grant spends only what it redeems.
    """

    parameters: Parameters
    client: AuthenticatedClient | None
    proof: VerifiedProof
    issuer: str
    database: Database
    keyring: Keyring
    roots: RootKeyring
    vault: Vault
    catalogue: Catalogue
    lifetime: int
    now: int
