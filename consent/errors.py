"""What can go wrong with consent (domain errors; they know nothing of HTTP and never carry a person's data)."""

from collections.abc import Iterable


class ConsentError(Exception):
    """Root of every error of this package. `description` may be sent to a client; it names ids, never values."""

    def __init__(self, description: str = "") -> None:
        super().__init__(description)
        self.description = description


class BadDeclaration(ConsentError):
    """A file of the operator says something it may not say; the text names the file and the place in it."""


class UnknownAttribute(ConsentError):
    """No attribute of the catalogue has this id."""


class BadValue(ConsentError):
    """A register answered with a value that has not the shape the catalogue gives its attribute."""


class UnknownUse(ConsentError):
    """The intended use is not registered for this client (RFC 6749 §4.1.2.1 `invalid_scope`)."""


NAMED = 20  # items that a refusal names


class OverAsked(ConsentError):
    """More was asked for than the use registers (RFC 9396 §5). `items` are the ids that are too many."""

    def __init__(self, items: Iterable[str], register: str = "", what: str = "not among the registered items") -> None:
        self.items = tuple(sorted(items))
        where = f" of {register}" if register else ""
        more = f" and {len(self.items) - NAMED} more" if len(self.items) > NAMED else ""
        super().__init__(f"{what}{where}: {' '.join(self.items[:NAMED])}{more}")


class NotAsked(ConsentError):
    """A form came back with an item or a duration that was not offered on it."""


class ImpossibleEvent(ConsentError):
    """An event that cannot follow on a permission's state: it is not live, not given, or does not cover the items."""


class NotCovered(ConsentError):
    """The gate stays shut: the receipt does not cover this value (`reason` is a fixed word)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SealedMisused(ConsentError, TypeError):
    """A sealed value was printed, compared, copied or pickled; only `consent.release` opens one."""


class ProofInvalid(ConsentError):
    """A Merkle proof, root or frontier does not hold."""


class TileInvalid(ConsentError):
    """A tile or entry bundle does not have its form."""


class CheckpointInvalid(ConsentError):
    """A checkpoint or verifier key is malformed, or a signature that must be there is not."""


class EntryInvalid(ConsentError):
    """An event or leaf does not have its form, or does not open to what it commits to."""


class LedgerMissing(ConsentError):
    """There is no ledger in this database; it is made once, by `semel init`."""


class LedgerExists(ConsentError):
    """A ledger is made once; it exists."""


class LedgerBroken(ConsentError):
    """What the database holds is not what was hashed or signed: stop, restore, never sign again over it."""


class AlarmRaised(LedgerBroken):
    """An alarm of the ledger stands: nothing is signed and no server starts until an operator has lifted it."""


class ClockBehind(ConsentError):
    """The clock stands before the newest batch by more than a wait can mend."""


class ClockAhead(ConsentError):
    """The clock stands further ahead than time can have passed; what is entered now would block the ledger until then."""


class RepeatDiffers(ConsentError):
    """An idempotency key came again with another request."""
