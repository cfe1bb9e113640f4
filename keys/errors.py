"""What can go wrong with keys, seals and signatures (domain errors; no HTTP, no secret and no token text in them)."""


class KeysError(Exception):
    """Root of every error this package raises on purpose."""


class Malformed(KeysError):
    """Text or bytes do not have the form they must have (JSON, base64url, a keyring line)."""


class Mismatch(KeysError):
    """Two secrets, digests or authentication codes are not equal."""


class InvalidKey(KeysError):
    """A key cannot be used: wrong type, wrong size, private where only public is allowed."""


class InvalidCertificate(KeysError):
    """A certificate is refused: out of its time, or no authority known here vouches for it. The message says which."""


class InvalidSignature(KeysError):
    """A raw signature does not belong to the message and the key."""


class InvalidToken(KeysError):
    """A signed token is refused. `reason` is a short fixed code such as `expired`; the token's text is never kept.

    `detail` says what would have been right, in words of ours: for the developer who made the token.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail

    @property
    def explanation(self) -> str:
        """The reason, and what would have been right."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class SealBroken(KeysError):
    """A sealed box does not open: other key, other context, or changed bytes."""


class UnknownRoot(SealBroken):
    """A sealed box names a root that the keyring does not hold."""


class NoSuchKey(KeysError):
    """The key asked for does not exist (never made, erased, or its wrapping key was destroyed)."""


class AlreadyExists(KeysError):
    """A key is made once; it exists."""
