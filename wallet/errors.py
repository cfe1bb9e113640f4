"""What can go wrong with credentials, offers and proofs (domain errors; no HTTP, no claim value and no key in them).

The names follow the outcomes of OpenID for Verifiable Credential Issuance 1.0 §8.3.1.2; the broker maps each to the wire.
"""


class WalletError(Exception):
    """Root of every error this package raises on purpose; `description` is a fixed sentence that may be sent to a wallet."""

    def __init__(self, description: str = "") -> None:
        super().__init__(description)
        self.description = description


class InvalidCredentialType(WalletError):
    """A declaration of a credential is not usable: unknown key, missing text, contradiction."""


class InvalidSdJwt(WalletError):
    """An SD-JWT breaks a rule of RFC 9901 §7.1."""


class InvalidCredentialRequest(WalletError):
    """The credential request is malformed, or speaks a draft of the specification."""


class UnknownCredentialConfiguration(WalletError):
    """The configuration asked for does not exist."""


class UnknownCredentialIdentifier(WalletError):
    """The credential identifier was not given to this access token."""


class InvalidProof(WalletError):
    """The proof of possession is missing or refused; nothing is issued."""


class InvalidNonce(WalletError):
    """The nonce inside the proof is unknown, expired, of another issuer or already used; the wallet fetches a new one."""


class InvalidEncryptionParameters(WalletError):
    """An encrypted response is asked for in a way that is not offered."""


class CredentialRequestDenied(WalletError):
    """This credential will not be issued, now or later, with this token."""


class NotAvailableNow(WalletError):
    """A register that a mandatory claim needs did not answer; the same request may work later."""
