"""The operator's intended uses, and what a declaration may not say."""

import hashlib
import shutil
from pathlib import Path

import pytest

from consent import intended_use
from consent.errors import BadDeclaration, UnknownUse
from keys import canonical

CHILDCARE = "norr.childcare-allowance"
PROCESSOR = """[[processors]]
client_id = "norr-processing"
name.en = "Norr Processing"
name.ar = "معالجة نور"
reason.en = "It checks the form."
reason.ar = "س"
"""


def test_the_demo_uses(uses):
    assert {use.purpose_id for use in uses.current.values()} == {
        "norr.childcare-allowance@3",
        "norr.building-permit@1",
        "semel.wallet-residence@1",
    }


def test_the_childcare_items(childcare):
    optional = {item.id for item in childcare.items if not item.required}
    assert optional == {"contact.iban", "contact.email"}
    assert len(childcare.items) == 9
    assert (childcare.kind, childcare.ceiling_days, childcare.durations) == ("ongoing", 365, (90, 365))
    assert childcare.item("income.taxable_band").sensitivity == 1
    assert childcare.item("family.custody").sensitivity == 2


def test_the_permit_replaces_the_proof_of_address(permit):
    assert (permit.kind, permit.replaces_documents[0]) == ("once", "proof-of-address")


def test_the_wallet_is_asked_for(uses):
    use = uses.get("semel.wallet-residence")
    assert (use.mode, use.kind) == ("explicit_request", "once")
    assert "address.since" in use.item_ids


def test_uses_are_found(uses, childcare):
    assert uses.version(CHILDCARE, 3) is uses.by_purpose("norr.childcare-allowance@3") is childcare
    assert uses.of_client("norr-childcare") == (childcare,)
    for miss in (lambda: uses.get("x.y"), lambda: uses.version(CHILDCARE, 2), lambda: uses.by_purpose(CHILDCARE)):
        with pytest.raises(UnknownUse):
            miss()


def changed(config: Path, tmp_path: Path, file: str, old: str, new: str) -> Path:
    copy = Path(shutil.copytree(config, tmp_path / "config"))
    text = (copy / file).read_text("utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), "utf-8")
    return copy


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version = 3", "version = 3\ncolour = 'red'", "colour: Extra inputs"),
        ("version = 3", "version = 0", "version"),
        ("version = 3", "version = '3'", "version"),
        ('id = "norr.childcare-allowance"', 'id = "norr.other"', "the file of norr.other@3"),
        ('id = "norr.childcare-allowance"', 'id = "Childcare"', "id: "),
        ('mode = "consent"', 'mode = "statutory"', "mode"),
        ('kind = "ongoing"', 'kind = "once"', "no ceiling"),
        ("ceiling_days = 365", "ceiling_days = 300", "durations"),
        ("ceiling_days = 365\ndurations = [90, 365]", "ceiling_days = 1000\ndurations = [1000]", "at most 365"),
        ("durations = [90, 365]", "durations = [365, 90]", "durations"),
        ("durations = [90, 365]", "durations = [0, 365]", "durations"),
        ("durations = [90, 365]", "durations = []", "durations"),
        ("LoA/substantial", "LoA/low", "minimum_acr: at least"),
        ("LoA/substantial", "LoA/enormous", "minimum_acr"),
        ('id = "contact.email"', 'id = "contact.fax"', "not in the catalogue: contact.fax"),
        ('id = "contact.email"', 'id = "contact.iban"', "items named twice: contact.iban"),
        ("retention_days = 1825", "retention_days = 0", "retention_days"),
        ("retention_days = 1825", "retention_days = 1825\nsecret = 1", "items.0.secret"),
        ('reason.ar = "يُرسل القرار إلى هذا العنوان."', "", "no text in ar"),
        ("[consequence]", "[consequences]", "consequence"),
        ('url = "${agency.norr-childcare}/"', 'url = "JavaScript:alert(1)"', "alternative.url"),
        ('url = "${agency.norr-childcare}/"', 'url = "data:text/html,x"', "alternative.url"),
        ('url = "${agency.norr-childcare}/"', 'url = "//elsewhere.example/"', "alternative.url"),
        ("[consequence]", PROCESSOR + "fee = 1\n[consequence]", "processors.0.fee: Extra inputs"),
        ("[consequence]", PROCESSOR + PROCESSOR + "[consequence]", "a processor is named once"),
        ("[consequence]", PROCESSOR.replace("processing", "childcare") + "[consequence]", "a processor is named once"),
        ("[consequence]", PROCESSOR.replace('reason.ar = "س"', "") + "[consequence]", "no text in ar"),
        ("[consequence]", "processors = ['norr-processing']\n[consequence]", "processors"),
    ],
)
def test_a_wrong_declaration_names_its_file(config, tmp_path, old, new, says):
    copy = changed(config, tmp_path, f"uses/{CHILDCARE}.toml", old, new)
    with pytest.raises(BadDeclaration) as problem:
        intended_use.load(copy)
    assert problem.value.description.startswith(f"{CHILDCARE}.toml: ")
    assert says in problem.value.description


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('email = ["contact.email"]', 'email = ["contact.fax"]', "not in the catalogue: contact.fax"),
        ('email = ["contact.email"]', 'email = "contact.email"', "email"),
        ('email = ["contact.email"]', 'email = ["email"]', "email"),
    ],
)
def test_wrong_scope_words(config, tmp_path, old, new, says):
    copy = changed(config, tmp_path, "scopes.toml", old, new)
    with pytest.raises(BadDeclaration) as problem:
        intended_use.load(copy)
    assert "scopes.toml" in problem.value.description
    assert says in problem.value.description


def test_the_same_version_twice(config, tmp_path):
    copy = Path(shutil.copytree(config, tmp_path / "config"))
    shutil.copy(copy / f"uses/{CHILDCARE}.toml", copy / f"uses/{CHILDCARE}@3.toml")
    with pytest.raises(BadDeclaration, match="declared twice"):
        intended_use.load(copy)


def test_an_older_version_is_kept_and_not_in_force(config, tmp_path):
    copy = Path(shutil.copytree(config, tmp_path / "config"))
    text = (copy / f"uses/{CHILDCARE}.toml").read_text("utf-8")
    (copy / f"uses/{CHILDCARE}@2.toml").write_text(text.replace("version = 3", "version = 2"), "utf-8")
    uses = intended_use.load(copy)
    assert uses.get(CHILDCARE).version == 3
    assert uses.version(CHILDCARE, 2).version == 2
    assert uses.version(CHILDCARE, 2).digest != uses.get(CHILDCARE).digest


def test_items_of_class_three_shorten_the_ceiling(childcare, catalogue):
    sensitive = childcare.items[0].model_copy(update={"id": "benefits.current"})
    use = childcare.model_copy(update={"items": (*childcare.items, sensitive)})
    with pytest.raises(BadDeclaration, match="at most 90 with items of class 3"):
        intended_use.check(use, catalogue)


def test_required_items_of_class_three_need_the_highest_assurance(permit, catalogue):
    sensitive = permit.items[0].model_copy(update={"id": "benefits.current"})
    use = permit.model_copy(update={"items": (sensitive,)})
    with pytest.raises(BadDeclaration, match="LoA/high"):
        intended_use.check(use, catalogue)


def test_the_digest_says_what_was_declared(childcare, config):
    again = intended_use.load(config).get(CHILDCARE)
    assert again.digest == childcare.digest
    assert len(childcare.digest) == 32
    other = childcare.model_copy(update={"purpose": {**childcare.purpose, "en": "To know more."}})
    assert other.digest != childcare.digest


def test_without_processors_the_digest_is_what_it_was(childcare, lent):
    """What was cited before processors could be declared is still what was declared."""
    declared = childcare.model_dump(mode="json", exclude={"processors"})
    assert childcare.digest == hashlib.sha256(canonical.dumps(declared)).digest()
    assert lent.digest != childcare.digest
    assert lent.processor("norr-processing") == lent.processors[0]
    assert lent.processor("norr-childcare") is None


def test_a_service_is_named(childcare):
    assert intended_use.describe(childcare, "en") == {
        "name": "City of Norr · Families",
        "title": "Childcare allowance",
        "domain": "norr.example",
    }
