"""The notice: ordered blocks that the page and the digest are made of, in every language."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import intended_use, notice, request, wording
from keys import canonical

REQUIRED = ("who", "why", "basis", "items", "until", "sources", "consequence", "alternative")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_order_people_read_in(lent, asked, catalogue, language):
    made = notice.build(lent, asked, catalogue, language)
    assert tuple(block.kind for block in made.blocks) == notice.ORDER
    assert all(block.text for block in made.blocks)
    assert all(block.heading for block in made.blocks if block.kind != "who")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_who_works_for_whom_is_said_and_kept(lent, childcare, asked, catalogue, language):
    """A use without processors has the notice it always had; one with them another digest, and names whom it names."""
    made, plain = (notice.build(use, asked, catalogue, language) for use in (lent, childcare))
    (party,) = next(block for block in made.blocks if block.kind == "processors").parties
    office = lent.processors[0]
    assert (party.id, party.reason) == (office.client_id, office.reason[language])
    named = [wording.isolated(name[language]) for name in (office.name, lent.controller.name)]
    assert [name in party.text for name in named] == [True, True]
    assert party.text.index(named[0]) < party.text.index(named[1])
    assert (" works for " in party.text) is (language == "en")
    assert made.digest != plain.digest
    assert "parties" not in str(notice.to_json(plain))
    assert made.names("norr-processing")
    assert not made.names("norr-childcare")
    assert not plain.names("norr-processing")
    kept = canonical.loads(canonical.dumps(notice.to_json(made)))
    assert notice.from_json(kept) == made


def test_required_are_read_and_optional_are_chosen(childcare, asked, catalogue):
    made = notice.build(childcare, asked, catalogue, "en")
    blocks = {block.kind: [item.id for item in block.items] for block in made.blocks}
    assert blocks["optional"] == ["contact.iban", "contact.email"]
    assert blocks["items"] == [item for item in childcare.item_ids if item in asked.required]
    assert made.item("contact.iban").note == ("So that the allowance can be paid to this account.")


def test_what_a_use_does_not_have_is_left_out(uses, catalogue):
    use = uses.get("semel.wallet-residence")
    asked = request.normalise(["use:semel.wallet-residence"], uses, "semel.wallet")
    assert asked is not None
    assert tuple(block.kind for block in notice.build(use, asked, catalogue, "en").blocks) == REQUIRED


@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_people_ask_for_themselves_is_told_in_words_of_its_own(uses, catalogue, asked, childcare, language):
    """Nothing was fetched yet and nobody asks them for it: the notice does not say so."""
    use = uses.get("semel.wallet-residence")
    own = request.normalise([f"use:{use.id}"], uses, use.client_id)
    assert own is not None
    read = {block.kind: block for block in notice.build(use, own, catalogue, language).blocks}
    other = {block.kind: block for block in notice.build(childcare, asked, catalogue, language).blocks}
    for kind in ("why", "basis", "items", "consequence"):
        assert read[kind].heading != other[kind].heading
    assert read["items"].text != other["items"].text
    assert wording.sentence(language, "until_once") != read["until"].text
    assert {item.kept for item in read["items"].items} == {""}
    assert read["until"].kept == wording.sentence(language, "own_kept", days=wording.span(1, language))


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_article_keeps_its_brackets_in_either_direction(childcare, asked, catalogue, language):
    text = texts_of(notice.build(childcare, asked, catalogue, language))["basis"]
    assert text.endswith("\u2068(GDPR art. 6(1)(a))\u2069")


def texts_of(made: notice.Notice) -> dict[str, str]:
    return {block.kind: block.text for block in made.blocks}


def test_how_long(childcare, permit, uses, asked, catalogue):
    once = request.normalise(["use:norr.building-permit"], uses, "norr-planning")
    assert once is not None
    assert "90 days or 1 year" in texts_of(notice.build(childcare, asked, catalogue, "en"))["until"]
    assert "90 يومًا أو سنة واحدة" in texts_of(notice.build(childcare, asked, catalogue, "ar"))["until"]
    assert texts_of(notice.build(permit, once, catalogue, "en"))["until"].startswith("Once")


def test_the_registers_are_named(childcare, asked, catalogue):
    made = notice.build(childcare, asked, catalogue, "en")
    assert texts_of(made)["sources"] == "Population register, Tax Agency, your account with us"


def test_how_long_things_are_kept_is_said_once_where_it_is_the_same(childcare, asked, catalogue):
    """All but one item of the use are kept for five years."""
    made = notice.build(childcare, asked, catalogue, "en")
    said = {item.id: item.kept for block in made.blocks for item in block.items if item.kept}
    assert said == {"contact.email": "They keep it for 1 year at most."}
    until = next(block for block in made.blocks if block.kind == "until")
    assert until.kept == "They keep it for 5 years at most, unless its line says otherwise."
    narrower = request.DataRequest(asked.use_id, asked.version, asked.items[:3], asked.kind)
    (kept,) = {block.kept for block in notice.build(childcare, narrower, catalogue, "en").blocks if block.kept}
    assert kept == "They keep it for 5 years at most."


@pytest.mark.parametrize("language", ["en", "ar"])
def test_how_a_mistake_is_corrected_is_part_of_what_is_read(childcare, asked, catalogue, language):
    made = notice.build(childcare, asked, catalogue, language)
    sources = {catalogue.attribute(item).source for item in asked.item_ids}
    for source in sources:
        register = made.register(source)
        assert register is not None
        assert register.text == catalogue.register(source, language)
        assert register.correction == catalogue.corrections[source].text[language]
    silent = notice.build(childcare, asked, replace(catalogue, corrections={}), language).register("tax")
    assert silent is not None
    assert catalogue.register("tax", language) in silent.correction
    assert made.register("vehicles") is None
    assert not made.names("tax"), "a register works for nobody"


def test_the_page_has_every_text_and_only_ids_for_values(childcare, asked, catalogue):
    made = notice.build(childcare, asked, catalogue, "ar")
    page = notice.page(made)
    kept = notice.to_json(made)
    for drawn, block in zip(page["blocks"], kept["blocks"], strict=True):
        assert {**drawn, "items": None} == {**block, "items": None}
        assert drawn.get("items", []) == [item["id"] for item in block.get("items", [])]


def test_kept_and_shown_again(childcare, asked, catalogue):
    made = notice.build(childcare, asked, catalogue, "ar")
    again = notice.from_json(canonical.loads(canonical.dumps(notice.to_json(made))))
    assert again == made
    assert again.digest == made.digest


def test_a_notice_from_before_is_shown_again(childcare, asked, catalogue):
    """Notices kept by older versions have no registers and no source beside an item."""
    kept = notice.to_json(notice.build(childcare, asked, catalogue, "en"))
    old = [{k: v for k, v in block.items() if k not in {"registers", "kept"}} for block in kept["blocks"]]
    for block in old:
        block.pop("items", None) if block["kind"] == "optional" else None
        block["items"] = [{k: v for k, v in item.items() if k != "source"} for item in block.get("items", [])]
    again = notice.from_json({**kept, "blocks": old})
    assert again.item("identity.given_name").source == ""
    assert again.register("population") is None


def test_a_digest_a_language(childcare, asked, catalogue):
    digests = notice.digests(childcare, asked, catalogue)
    assert digests.keys() == {"en", "ar"}
    assert digests["en"] != digests["ar"]
    assert digests["en"] == notice.build(childcare, asked, catalogue, "en").digest


def reworded(use: intended_use.IntendedUse, field: str) -> intended_use.IntendedUse:
    return use.model_copy(update={field: {**getattr(use, field), "en": "Other words."}})


@pytest.mark.parametrize("field", ["purpose", "consequence", "title"])
def test_other_words_are_another_notice(childcare, asked, catalogue, field):
    before = notice.digests(childcare, asked, catalogue)
    after = notice.digests(reworded(childcare, field), asked, catalogue)
    assert before["en"] != after["en"]
    assert before["ar"] == after["ar"]


def changed_item(use: intended_use.IntendedUse, **change) -> intended_use.IntendedUse:
    return use.model_copy(update={"items": (use.items[0].model_copy(update=change), *use.items[1:])})


def test_a_longer_retention_or_another_reason_is_another_notice(childcare, asked, catalogue):
    digest = notice.build(childcare, asked, catalogue, "en").digest
    for change in ({"retention_days": 3650}, {"reason": {"en": "Because.", "ar": "لأن."}}):
        assert notice.build(changed_item(childcare, **change), asked, catalogue, "en").digest != digest


@given(kept=st.sets(st.integers(0, 8), min_size=1))
def test_other_items_are_another_notice(childcare, asked, catalogue, kept):
    narrower = request.DataRequest(
        asked.use_id, asked.version, tuple(item for at, item in enumerate(asked.items) if at in kept), asked.kind
    )
    same = narrower.items == asked.items
    made = notice.build(childcare, narrower, catalogue, "en")
    assert (made.digest == notice.build(childcare, asked, catalogue, "en").digest) is same
    assert {item.id for block in made.blocks for item in block.items} == set(narrower.item_ids)


def test_the_digest_is_of_these_bytes(childcare, asked, catalogue):
    kept = notice.to_json(notice.build(childcare, asked, catalogue, "en"))
    assert kept.keys() == {
        "use",
        "version",
        "language",
        "catalogue",
        "text_version",
        "name",
        "title",
        "domain",
        "blocks",
    }
    assert kept["catalogue"] == {"identity": 2, "address": 1, "family": 1, "employment": 2, "contact": 1}
    assert kept["blocks"][3]["items"][0].keys() == {"id", "label", "reason", "kept", "source"}


def test_what_was_read_is_kept_by_its_digest(childcare, asked, catalogue, database):
    read = [notice.build(childcare, asked, catalogue, language) for language in ("en", "ar", "en")]
    with database.write() as tx:
        for one in read:
            notice.keep(tx, one)
    with database.read() as tx:
        assert [notice.find(tx, one.digest) for one in read] == read
        assert notice.find(tx, b"\0" * 32) is None
