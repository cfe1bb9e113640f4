"""The person's receipt: every field a record of ISO/IEC TS 27560 must have, and no value."""

import shutil
from pathlib import Path

import pytest

from consent import receipt
from consent.errors import BadDeclaration
from consent.permission import Permission
from keys import canonical

NOW = 1_795_302_000_000_000
GIVEN = Permission(
    permission_id="0197f3c2-0000-7000-8000-000000000007",
    lookup=b"",
    client="norr-childcare",
    use_id="norr.childcare-allowance",
    use_version=3,
    mode="consent",
    items=("identity.given_name", "contact.iban"),
    notice_digest=b"n" * 32,
    valid_from=NOW,
    valid_to=NOW + 90 * 86_400_000_000,
    kind="ongoing",
    max_uses=None,
    given_seq=12,
)
DECISIONS = {"identity.given_name": "given", "contact.iban": "given", "contact.email": "refused"}


@pytest.fixture
def written(config, childcare, catalogue):
    def write(language: str = "en", given: Permission = GIVEN, use=childcare):
        return receipt.write(
            given,
            use,
            catalogue,
            DECISIONS,
            receipt_id="0197f3c2-0000-7000-8000-000000000008",
            by=receipt.operator(config),
            issuer="https://id.norr.example",
            language=language,
        )

    return write


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_mandatory_fields(written, language):
    made = written(language)
    assert made["record_id"] == GIVEN.permission_id
    assert made["created"] == "2026-11-21T23:00:00.000Z"
    processing = made["pii_processing"]
    assert processing["privacy_notice"] == {"sha256": "6e" * 32, "language": language}
    assert processing["withdrawal_method"].endswith(f"/account/sharing/{GIVEN.permission_id}")
    for field in ("purpose", "lawful_basis", "storage_locations", "jurisdiction", "purpose_type"):
        assert processing[field]
    assert processing["recipient_third_parties"] == []
    assert [party["party_role"] for party in made["parties"]] == ["controller", "intermediary", "authority"]
    assert all(party["party_name"] for party in made["parties"])
    assert made["events"][0]["validity_duration"] == {"kind": "ongoing", "valid_until": "2027-02-19T23:00:00.000Z"}
    assert canonical.loads(canonical.dumps(made)) == made


@pytest.mark.parametrize(("language", "name"), [("en", "Norr Processing"), ("ar", "معالجة نور")])
def test_who_works_for_the_agency(written, lent, language, name):
    made = written(language, use=lent)
    assert made["pii_processing"]["recipient_third_parties"] == [name]
    assert [party["party_role"] for party in made["parties"]] == [
        "controller",
        "processor",
        "intermediary",
        "authority",
    ]
    assert made["parties"][1]["party_name"] == name


def test_every_decision_is_in_it(written):
    items = {item["pii_attribute_id"]: item for item in written()["pii"]}
    assert {name: item["decision"] for name, item in items.items()} == DECISIONS
    assert items["contact.iban"]["pii_optional"] is True
    assert items["identity.given_name"]["pii_optional"] is False
    assert items["contact.iban"]["retention_period"] == "P1825D"
    assert items["contact.iban"]["source"] == "Tax Agency"


def test_names_are_in_the_persons_language(written):
    assert written("ar")["parties"][0]["party_name"] == "مدينة نور · شؤون الأسرة"
    assert written("ar")["pii"][0]["pii_type"] == "الأسماء الأولى"


def test_the_use_must_be_the_one_that_was_agreed_to(written, childcare):
    with pytest.raises(BadDeclaration):
        written(use=childcare.model_copy(update={"version": 4}))


@pytest.mark.parametrize(
    ("old", "new"), [("contact =", "kontakt ="), ('en = "Data', 'fr = "Data'), ('country = "XN"', "country = 1")]
)
def test_a_wrong_operator_is_said(config, tmp_path, old, new):
    copy = Path(shutil.copytree(config, tmp_path / "config"))
    text = (copy / "broker.toml").read_text("utf-8")
    assert old in text
    (copy / "broker.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadDeclaration, match=r"broker\.toml"):
        receipt.operator(copy)
