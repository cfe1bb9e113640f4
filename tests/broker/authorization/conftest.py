"""One agency with one intended use."""

import pytest

from consent import intended_use
from consent.intended_use import IntendedUse, Uses

WORDS = {"en": "Words", "ar": "كلمات"}


@pytest.fixture(scope="session")
def uses() -> Uses:
    """The use `town.permit` of the client `rp`, and one of another client."""
    return intended_use.collect([_use("town.permit", "rp"), _use("other.permit", "other")])


def _use(use_id: str, client_id: str) -> IntendedUse:
    controller = {"id": "1", "scheme": "x", "name": WORDS, "domain": "rp.example", "country": "XX", "address": WORDS}
    controller |= {"contact": "a@rp.example", "data_protection_contact": "b@rp.example"}
    controller |= {"erasure_contact": "c@rp.example", "supervisory_authority": WORDS}
    item = {"reason": WORDS, "retention_days": 30}
    return IntendedUse.model_validate(
        {
            "id": use_id,
            "version": 1,
            "client_id": client_id,
            "mode": "consent",
            "kind": "once",
            "minimum_acr": "http://eidas.europa.eu/LoA/substantial",
            "purpose_code": "x",
            "title": WORDS,
            "purpose": WORDS,
            "legal_basis": {"code": "x", "article": "1", "text": WORDS},
            "controller": controller,
            "items": [
                {"id": "identity.given_name", "required": True, **item},
                {"id": "contact.email", "required": False, **item},
            ],
            "consequence": WORDS,
            "alternative": {"text": WORDS, "url": "https://rp.example/paper"},
        }
    )
