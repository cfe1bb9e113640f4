"""The person's receipt: who, what, why, on which basis, how long, and how to stop (ISO/IEC TS 27560:2023, DPV terms).

A copy of the record for the person to keep: names and purposes are resolved in their language, values are never in it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consent import declarations, ledger_entry
from consent.catalogue import Catalogue
from consent.declarations import Declared, Line, Words
from consent.errors import BadDeclaration
from consent.intended_use import IntendedUse
from consent.permission import Permission

SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
SPECIAL_CATEGORY = 3  # sensitivity class


class Operator(Declared):
    """Who runs the broker (`broker.toml`)."""

    country: Line
    storage_location: Line
    contact: Line
    name: Words
    supervisory_authority: Words


def operator(config_dir: Path) -> Operator:
    """Read who runs the broker. Raises `BadDeclaration`."""
    return declarations.read(config_dir / "broker.toml", Operator)


def write(
    given: Permission,
    use: IntendedUse,
    catalogue: Catalogue,
    decisions: Mapping[str, str],
    *,
    receipt_id: str,
    by: Operator,
    issuer: str,
    language: str,
) -> dict[str, Any]:
    """Write the receipt of a permission as it was given, in one language.

    `use` is the version it was given for, `decisions` the private truth of its entry: `given`, `refused`, `not_shown`.
    Times are RFC 3339 UTC. Raises `BadDeclaration` when `use` is not the permission's.
    """
    if use.purpose_id != given.purpose:
        raise BadDeclaration(f"{use.purpose_id} is not the use of this permission")
    return {
        "schema_version": SCHEMA,
        "receipt_id": receipt_id,
        "record_id": given.permission_id,
        "created": ledger_entry.instant(given.valid_from),
        "language": language,
        "pii_processing": _processing(given, use, by, issuer, language),
        "pii": [
            _pii(item_id, decision, use, catalogue, language)
            for item_id, decision in decisions.items()
            if item_id in use.item_ids
        ],
        "parties": _parties(use, by, language),
        "events": [_event(given, use)],
    }


def _processing(given: Permission, use: IntendedUse, by: Operator, issuer: str, language: str) -> dict[str, Any]:
    page = f"{issuer}/account/sharing/{given.permission_id}"
    return {
        "privacy_notice": {"sha256": given.notice_digest.hex(), "language": language},
        "service": use.title[language],
        "purpose": use.purpose[language],
        "purpose_type": use.purpose_code,
        "intended_use": {"id": use.id, "version": use.version, "sha256": use.digest.hex()},
        "lawful_basis": {
            "code": use.legal_basis.code,
            "article": use.legal_basis.article,
            "text": use.legal_basis.text[language],
        },
        "collection_method": "from public registers, shown to the person before",
        "storage_locations": [by.storage_location],
        "jurisdiction": by.country,
        "recipient_third_parties": [one.name[language] for one in use.processors],
        "withdrawal_method": page,
        "privacy_rights": page,
        "consequence_of_refusal": use.consequence[language],
        "alternative": {"text": use.alternative.text[language], "url": use.alternative.url},
    }


def _pii(item_id: str, decision: str, use: IntendedUse, catalogue: Catalogue, language: str) -> dict[str, Any]:
    attribute, item = catalogue.attribute(item_id), use.item(item_id)
    return {
        "pii_attribute_id": item_id,
        "pii_type": attribute.labels[language],
        "pii_optional": not item.required,
        "sensitive_pii_category": attribute.sensitivity >= SPECIAL_CATEGORY,
        "source": catalogue.register(attribute.source, language),
        "retention_period": f"P{item.retention_days}D",
        "reason": item.reason[language],
        "decision": decision,
    }


def _parties(use: IntendedUse, by: Operator, language: str) -> list[dict[str, Any]]:
    controller = use.controller
    return [
        {
            "party_role": "controller",
            "party_id": f"{controller.scheme}:{controller.id}",
            "party_name": controller.name[language],
            "party_type": controller.scheme,
            "party_address": controller.address[language],
            "party_country": controller.country,
            "party_url": controller.domain,
            "party_contact": controller.contact,
            "data_protection_contact": controller.data_protection_contact,
            "erasure_contact": controller.erasure_contact,
        },
        *({"party_role": "processor", "party_name": one.name[language]} for one in use.processors),
        {
            "party_role": "intermediary",
            "party_name": by.name[language],
            "party_country": by.country,
            "party_contact": by.contact,
        },
        {"party_role": "authority", "party_name": controller.supervisory_authority[language]},
    ]


def _event(given: Permission, use: IntendedUse) -> dict[str, Any]:
    until = {} if given.valid_to is None else {"valid_until": ledger_entry.instant(given.valid_to)}
    return {
        "event_type": "explicit" if use.mode == "consent" else "request",
        "event_state": "given",
        "event_time": ledger_entry.instant(given.valid_from),
        "entity_id": "pii principal",
        "validity_duration": {"kind": given.kind, **until},
        "ledger_seq": given.given_seq,
    }
