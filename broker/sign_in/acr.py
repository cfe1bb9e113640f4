"""Levels of assurance: what was reached, and whether it is enough (eIDAS LoA; OpenID Connect Core §2 `acr`)."""

PREFIX = "http://eidas.europa.eu/LoA/"
LEVELS = ("low", "substantial", "high")
VALUES = tuple(PREFIX + level for level in LEVELS)


def value(level: str) -> str:
    """Return the `acr` value of `low`, `substantial` or `high`."""
    return VALUES[LEVELS.index(level)]


def reached(proofing: str, *, one_time_code: bool) -> str:
    """Return the `acr` of a sign-in: the lower of how well the person was identified and how they signed in.

    A password alone is low, with a one-time code substantial.
    """
    signed_in = "substantial" if one_time_code else "low"
    return VALUES[min(LEVELS.index(proofing), LEVELS.index(signed_in))]


def reaches(acr: str, minimum: str | None) -> bool:
    """Whether a reached `acr` meets a minimum, given as a value or a bare level; no minimum is always met."""
    return minimum is None or _rank(acr) >= _rank(minimum)


def _rank(acr: str) -> int:
    return LEVELS.index(acr.removeprefix(PREFIX))
