"""What became of an item: the whole truth for the person and the auditor, and what of it an agency may see.

A refusal must look like an absence, and protection must look like neither: an agency learns whether asking again
makes sense, never why there is nothing.
"""

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["provided", "not_applicable", "not_held", "refused", "source_unavailable", "withheld"]
Seen = Literal["provided", "not_applicable", "not_held", "not_provided", "withheld"]

#: The closed list, as the person and the auditor see it.
STATUSES: tuple[Status, ...] = (
    "provided",
    "not_applicable",
    "not_held",
    "refused",
    "source_unavailable",
    "withheld",
)
#: An answer of the register that can be shared; the others mean that nothing was there to decide about.
ANSWERS = frozenset({"provided", "not_applicable", "not_held"})

ASK = "ask the applicant"


@dataclass(frozen=True)
class AgencyStatus:
    """What the agency is told: the status, whether asking again makes sense, where else to turn."""

    status: Seen
    retryable: bool | None = None
    route: str | None = None

    def members(self) -> dict[str, Any]:
        """Give the members of the item in the data answer; what does not apply is left out."""
        known = {"status": self.status, "retryable": self.retryable, "route": self.route}
        return {name: value for name, value in known.items() if value is not None}


PROVIDED = AgencyStatus("provided")
NOT_APPLICABLE = AgencyStatus("not_applicable")
NOT_HELD = AgencyStatus("not_held")
ABSENT = AgencyStatus("not_provided", retryable=False, route=ASK)
LATER = AgencyStatus("not_provided", retryable=True)
WITHHELD = AgencyStatus("withheld", retryable=False, route=ASK)


def agency_status(status: Status, *, required: bool, protectable: bool, cleared: bool = False) -> AgencyStatus:
    """Say what the agency sees of an item's true status.

    `protectable` is the catalogue's flag; `cleared` is a use that is allowed to know that data is withheld. A refusal,
    protection, and a protectable or optional item that no register holds give one and the same answer.
    """
    if status == "not_held":
        return NOT_HELD if required and not protectable else ABSENT
    if status == "withheld":
        return WITHHELD if cleared else ABSENT
    return {
        "provided": PROVIDED,
        "not_applicable": NOT_APPLICABLE,
        "refused": ABSENT,
        "source_unavailable": LATER,
    }[status]


def truth(found: Status | None, *, given: bool) -> Status:
    """Say what became of an item at a release.

    `found` is what was kept of the register's answer: nothing for an item the person refused, the status alone for one
    that could not be shown to them and is therefore not `given`. An answer about an item that was not given is a refusal.
    """
    if given:
        return found or "source_unavailable"
    return found if found in {"source_unavailable", "withheld"} else "refused"
