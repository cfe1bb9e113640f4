"""Claims that leave: gathered sealed, entered in the ledger, opened with the entry's receipt (OpenID Connect Core §5.3.2, Identity Assurance §5.2).

`prepare` says what can be answered in one place, `Prepared.entry` enters it in the act, `Prepared.claims` opens it after the
commit. What was shown is handed over first; later the registers are asked anew, as for the data answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import uuid6

from broker.authorization import claim_values, claims_parameter, verification
from broker.authorization.claim_values import Wanted
from broker.database import Database
from broker.errors import Wire
from broker.evidence import preview
from broker.evidence.assured import Assurance
from broker.evidence.collect import collect
from broker.evidence.registers import Registers
from broker.evidence.source import Found
from broker.people import people
from consent import item_status, ledger_entry, release
from consent.catalogue import Catalogue
from consent.intended_use import IntendedUse, Uses
from consent.ledger import Appended
from consent.ledger_entry import Entry, Stream
from consent.permission import Permission
from keys.keyring import SealingRing
from keys.vault import Vault


@dataclass(frozen=True)
class Element:
    """One element of `verified_claims`: what is told of the verification, and the item of each claim."""

    verification: Mapping[str, Any]
    claims: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """What will be answered: the item of each claim, the elements, and the sealed values; `statuses` is what is entered."""

    entry_id: str
    door: str
    stream: Stream
    use: IntendedUse
    known: Catalogue
    wanted: Wanted
    plain: Mapping[str, str]
    elements: tuple[Element, ...]
    statuses: Mapping[str, item_status.Status]
    found: Mapping[str, Found] = field(repr=False)

    def entry(self, given: Permission) -> Entry:
        """Return the ledger's entry of the release, each item with its true status and as the agency sees it."""
        return ledger_entry.access_released(
            self.stream,
            entry_id=self.entry_id,
            party=given.client,
            purpose=given.purpose,
            permission=given.permission_id,
            items=self.statuses,
            seen={item: self._seen(item, status) for item, status in self.statuses.items()},
            sources=[one.source for item, one in self.found.items() if item in self.statuses and one.source],
            door=self.door,
        )

    def handed(self) -> list[str]:
        """Name the items whose values leave."""
        return [item for item, status in self.statuses.items() if status == "provided"]

    def claims(self, appended: Appended, given: Permission) -> dict[str, Any]:
        """Open the values with the entry's receipt; return the claims. Raises `consent.errors.NotCovered`."""
        receipt = release.ReleaseReceipt.of(appended)

        def value(item: str) -> Any:
            opened = release.open_(
                self.found[item].value, receipt, item=item, client=given.client, permission=given.permission_id
            )
            return claim_values.written(self.known.attribute(item), opened)

        told = {claim: value(item) for claim, item in self.plain.items()}
        days = [day for item in self.plain.values() if (day := self.found[item].as_of) is not None]
        if self.wanted.updated_at and days:
            told[claim_values.UPDATED_AT] = claim_values.seconds(max(days))
        verified = [
            {"verification": one.verification, "claims": {claim: value(item) for claim, item in one.claims.items()}}
            for one in self.elements
        ]
        if verified:
            alone = len(verified) == 1 and not self.wanted.several
            told[claims_parameter.VERIFIED] = verified[0] if alone else verified
        return told

    def _seen(self, item: str, status: item_status.Status) -> str:
        protectable = self.known.attribute(item).protectable
        return item_status.agency_status(status, required=self.use.item(item).required, protectable=protectable).status


@dataclass(frozen=True)
class Releases:
    """What releases of claims are made of. `cut` in seconds."""

    database: Database
    vault: Vault
    catalogue: Catalogue
    uses: Uses
    registers: Registers
    assurance: Assurance | None
    ring: SealingRing = field(repr=False)
    cut: float

    @classmethod
    def of(cls, wired: Any) -> Releases:
        """Take them from the wired parts (`broker.needs.Parts`)."""
        return cls(
            wired.database,
            wired.vault,
            wired.catalogue,
            wired.uses,
            wired.registers,
            wired.registers.assurance,
            wired.roots.ring("cookie"),
            wired.durations.preview_cut,
        )

    async def prepare(
        self, place: str, held: preview.Held, given: Permission, *, scope: tuple[str, ...], acr: str, now: int
    ) -> Prepared | None:
        """Say what was asked for in `userinfo` or `id_token`, is given, and can be answered; None when that is nothing.

        `Wire` `access_denied` (403) when a register says that nothing can be answered for this person.
        """
        asked = claim_values.wanted(
            place, held.claims, scope=scope, use_id=given.use_id, uses=self.uses, known=self.catalogue
        )
        may = {claim: item for claim, item in asked.items.items() if item in given.items}
        assured_claims = {} if self.assurance is None else self.assurance.claims(self.catalogue, may)
        items = {may[claim] for claim in asked.single if claim in may}
        items |= {assured_claims[c] for one in asked.verified for c in _names(one["claims"]) if c in assured_claims}
        if not items:
            return None
        with self.database.read() as tx:
            stream = people.ledger_stream(tx, self.vault, held.person_id)
        found = await self._found(held, given, items, now)
        return self._planned(
            place=place,
            asked=asked,
            may=may,
            assured_claims=assured_claims,
            found=found,
            given=given,
            stream=stream,
            acr=acr,
            now=now,
        )

    async def _found(
        self, held: preview.Held, given: Permission, items: Iterable[str], now: int
    ) -> Mapping[str, Found]:
        wanted = sorted(items)
        shown = given.kind == "once" or not held.released
        if shown and (held.found or given.kind == "once"):
            return {item: held.found[item] for item in wanted if item in held.found}
        with self.database.read() as tx:
            subject = people.subject(tx, self.vault, held.person_id)
        found = await collect(
            self.registers.by_id,
            self.registers.routing,
            subject,
            wanted,
            phase="release",
            reference=given.permission_id,
            now=now,
            cut=self.cut,
        )
        if not found.eligible:
            raise Wire("access_denied", "this cannot be answered for the person", status=403)
        return found

    def _planned(
        self,
        *,
        place: str,
        asked: Wanted,
        may: Mapping[str, str],
        assured_claims: Mapping[str, str],
        found: Mapping[str, Found],
        given: Permission,
        stream: Stream,
        acr: str,
        now: int,
    ) -> Prepared | None:
        keys = claims_parameter.match_keys(self.ring, asked.salt) if asked.salt else ()
        entry_id = str(uuid6.uuid7())
        weighed = {may[claim] for claim in asked.single if claim in may}
        plain = {
            claim: may[claim]
            for claim, wish in asked.single.items()
            if claim in may and _matches(found.get(may[claim]), wish, keys)
        }
        elements: list[Element] = []
        for element in asked.verified:
            wishes = {name.partition("#")[0]: wish or {} for name, wish in element["claims"].items()}
            for answer in self._by_source(wishes, assured_claims, found):
                known = self._verification(answer, found, acr, entry_id)
                try:
                    told = verification.select(element["verification"], known, now)
                except verification.Unmet:
                    continue
                weighed |= set(answer.values())
                claims = {c: item for c, item in answer.items() if _matches(found[item], wishes[c], keys)}
                elements += [Element(told, claims)] if claims else []
        statuses = {
            item: item_status.truth(_status(found, item), given=item in given.items) for item in sorted(weighed)
        }
        if not statuses:
            return None
        use = self.uses.version(given.use_id, given.use_version)
        return Prepared(entry_id, place, stream, use, self.catalogue, asked, plain, tuple(elements), statuses, found)

    def _by_source(
        self, wishes: Iterable[str], assured_claims: Mapping[str, str], found: Mapping[str, Found]
    ) -> list[dict[str, str]]:
        """Sort the claims that there are values for by the register that holds them: each has a verification of its own."""
        sorted_: dict[str, dict[str, str]] = {}
        for claim in wishes:
            item = assured_claims.get(claim)
            if item is not None and _status(found, item) == "provided":
                sorted_.setdefault(found[item].source, {})[claim] = item
        return list(sorted_.values())

    def _verification(
        self, answer: Mapping[str, str], found: Mapping[str, Found], acr: str, entry_id: str
    ) -> Mapping[str, Any]:
        if self.assurance is None:
            raise ValueError("nothing is verified here")
        held = [found[item] for item in answer.values()]
        return self.assurance.verification(held, self.catalogue, acr=acr, reference=entry_id)


def _names(claims: Iterable[str]) -> list[str]:
    return [name.partition("#")[0] for name in claims]


def _status(found: Mapping[str, Found], item: str) -> item_status.Status | None:
    return found[item].status if item in found else None


def _matches(one: Found | None, wish: Mapping[str, Any], keys: tuple[bytes, ...]) -> bool:
    """Whether there is a value, and it is one of those that the claim must have, where it must (Core §5.5.1)."""
    if one is None or one.value is None:
        return False
    if "is" not in wish:
        return True
    return any(release.value_mac(one.value, key).hex() in wish["is"] for key in keys)
