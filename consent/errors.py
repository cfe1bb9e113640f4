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


class OverAsked(ConsentError):
    """More was asked for than the use registers (RFC 9396 §5). `items` are the ids that are too many."""

    def __init__(self, items: Iterable[str], register: str = "") -> None:
        self.items = tuple(sorted(items))
        where = f" of {register}" if register else ""
        super().__init__(f"not among the registered items{where}: {' '.join(self.items)}")


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
