"""The operator's catalogue, the shapes of values, and how people read them."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import catalogue as catalogues
from consent import value
from consent.errors import BadDeclaration, BadValue, UnknownAttribute

PROTECTED_BUNDLES = {"account", "address", "contact", "family"}


def test_every_attribute_is_there(catalogue):
    assert len(catalogue.attributes) == 80
    assert len(catalogue.bundles) == 13


def test_everything_an_item_needs_for_people_is_said(catalogue, uses):
    for use in uses.current.values():
        for item in use.item_ids:
            attribute = catalogue.attribute(item)
            assert set(attribute.labels) >= {"en", "ar"}
            assert set(attribute.help) >= {"en", "ar"}


def test_address_contact_family_and_portrait_are_protectable(catalogue):
    expected = {one.id for one in catalogue.attributes.values() if one.bundle in PROTECTED_BUNDLES}
    expected |= {"identity.portrait", "property.dwelling"}
    assert {one.id for one in catalogue.attributes.values() if one.protectable} == expected


@pytest.mark.parametrize(
    ("attribute", "days"),
    [
        ("address.registered", 7),
        ("identity.birth_name", 365),
        ("family.custody", 0),
        ("income.taxable_band", 400),
        ("identity.birth_date", None),
        ("identity.portrait", None),
    ],
)
def test_freshness_in_days(catalogue, attribute, days):
    assert catalogue.attribute(attribute).max_age_days == days


def test_an_unknown_attribute(catalogue):
    with pytest.raises(UnknownAttribute):
        catalogue.attribute("identity.shoe_size")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("catalogue/address.toml", "protectable = true", "protected = true", "protected"),
        ("catalogue/address.toml", 'ar = "البلدية"', 'fr = "commune"', "no text in ar"),
        ("catalogue/address.toml", 'ar = "البلدية"', 'ar = " "', "no text in ar"),
        ("catalogue/address.toml", 'en = "Municipality"', 'en = "Munici\\npality"', "stray white space"),
        ("catalogue/address.toml", 'vocabulary = "municipality"', 'vocabulary = "towns"', "no vocabulary towns"),
        ("catalogue/address.toml", 'type = "address"', 'type = "adress"', "no type adress"),
        ("catalogue/address.toml", 'freshness = "7d"', 'freshness = "7 days"', "freshness"),
        ("catalogue/address.toml", "sensitivity = 2", "sensitivity = 4", "sensitivity"),
        ("catalogue/address.toml", "sensitivity = 2", 'sensitivity = "2"', "sensitivity"),
        ("catalogue/address.toml", 'source = "population"', 'source = "postman"', "does not name postman"),
        ("catalogue/address.toml", '"address.since"', '"since"', "since"),
        ("catalogue/contact.toml", '"contact.email"', '"address.since"', "declared twice"),
        ("catalogue/contact.toml", "version = 1", "version = ", "contact.toml"),
        ("registers.toml", "en = ", "english = ", "no text in en"),
    ],
)
def test_a_wrong_declaration_names_its_file(config, tmp_path, file, old, new, says):
    copy = Path(shutil.copytree(config, tmp_path / "config"))
    text = (copy / file).read_text("utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadDeclaration) as problem:
        catalogues.load(copy)
    assert says in problem.value.description
    assert Path(file).name in problem.value.description


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(BadDeclaration):
        catalogues.load(tmp_path)


LONG_NAME = "Þórgunnur " * 20 + "Ó"
ADDRESS = {"street_address": "Storgatan 12", "postal_code": "01100", "locality": "Norr", "country": "XN"}
CHILD = {"given_name": "Elsa", "family_name": "O'Neill", "birth_date": "2019-03", "custody": "joint"}

GOOD = [
    ("identity.given_name", "Maria"),
    ("identity.given_name", "Anne-Marie d'Arc Þórgunnur 李"),
    ("identity.given_name", "محمد"),
    ("identity.given_name", LONG_NAME),
    ("identity.birth_date", "1988"),
    ("identity.birth_date", "1988-03"),
    ("identity.birth_date", "1988-02-29"),
    ("address.since", "2020-01-31"),
    ("address.registered", ADDRESS),
    ("address.registered", {"street_address": "House 3\nNorth Wing", "house_number": "7b"}),
    ("address.municipality", "0110"),
    ("family.custody", []),
    ("family.custody", [CHILD, {"given_name": "Nils", "custody": "sole"}]),
    ("income.taxable_band", "B3"),
    ("contact.iban", "GB82WEST12345698765432"),
    ("contact.email", "maria@norr.example"),
    ("contact.phone", "+46701234567"),
    ("contact.language", "ar"),
    ("identity.deceased", False),
    ("family.household_size", 4),
    ("identity.nationalities", ["SE", "QU"]),
    ("income.taxable", {"amount": 25000, "currency": "XNC", "year": 2025}),
    ("family.children", [{"given_name": "Elsa", "born": "2019"}]),
]

BAD = [
    ("identity.given_name", ""),
    ("identity.given_name", " Maria"),
    ("identity.given_name", "Ma\x00ria"),
    ("identity.given_name", "Ma\nria"),
    ("identity.given_name", "x" * 501),
    ("identity.given_name", 7),
    ("identity.given_name", None),
    ("identity.birth_date", "1988-13"),
    ("identity.birth_date", "1987-02-29"),
    ("identity.birth_date", "19880314"),
    ("identity.birth_date", "١٩٨٨"),
    ("identity.birth_date", "0000"),
    ("address.since", "2020-01"),
    ("address.registered", {}),
    ("address.registered", {"country": "XN"}),
    ("address.registered", {**ADDRESS, "planet": "Earth"}),
    ("address.registered", {**ADDRESS, "locality": ""}),
    ("address.registered", "Storgatan 12"),
    ("address.municipality", "9999"),
    ("address.municipality", 110),
    ("family.custody", CHILD),
    ("family.custody", [{**CHILD, "custody": "perhaps"}]),
    ("family.custody", [{**CHILD, "birth_date": "soon"}]),
    ("family.custody", [{**CHILD, "person_number": "1"}]),
    ("family.custody", [{"custody": "joint"}]),
    ("income.taxable_band", "B9"),
    ("income.taxable_band", ["B3"]),
    ("contact.iban", "GB82WEST12345698765433"),
    ("contact.iban", "GB82 WEST 1234 5698 7654 32"),
    ("contact.email", "maria"),
    ("contact.email", "a@b\n"),
    ("contact.phone", "0701234567"),
    ("contact.language", "en_GB"),
    ("identity.deceased", 0),
    ("family.household_size", True),
    ("income.taxable", {"amount": 25000}),
    ("family.children", [{}]),
]


@pytest.mark.parametrize(("attribute", "held"), GOOD)
def test_values_of_the_right_shape(catalogue, attribute, held):
    catalogues.check_value(catalogue.attribute(attribute), held)


@pytest.mark.parametrize(("attribute", "held"), BAD)
def test_values_of_another_shape_are_refused_and_not_repeated(catalogue, attribute, held):
    with pytest.raises(BadValue) as problem:
        catalogues.check_value(catalogue.attribute(attribute), held)
    assert problem.value.description == f"{attribute}: not a {catalogue.attribute(attribute).type}"
    assert problem.value.__cause__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(kind=st.sampled_from(sorted(value.KINDS)), held=JSON)
def test_no_answer_of_a_register_breaks_the_check(kind, held):
    try:
        value.check(kind, {}, held)
    except BadValue:
        return
    for language in ("en", "ar"):
        assert all(isinstance(line, str) for line in value.lines(kind, {}, held, language, value.Writing()))


def day(text: str) -> str:
    return f"<{text}>"


@pytest.mark.parametrize(
    ("attribute", "held", "language", "lines"),
    [
        ("identity.given_name", "Maria", "en", ["Maria"]),
        ("identity.birth_date", "1988-03", "en", ["<1988-03>"]),
        ("address.since", "2020-01-31", "ar", ["<2020-01-31>"]),
        ("address.registered", ADDRESS, "en", ["Storgatan 12", "01100 Norr", "Norrmark"]),
        ("address.registered", {"locality": "Oslo", "country": "NO"}, "ar", ["Oslo", "NO"]),
        (
            "address.registered",
            {"street_address": "c/o Berg\nStorgatan", "house_number": "12", "locality": "Norr"},
            "en",
            ["c/o Berg", "Storgatan 12", "Norr"],
        ),
        ("address.municipality", "0110", "en", ["Norr"]),
        ("address.municipality", "0110", "ar", ["نور"]),
        ("income.taxable_band", "B3", "en", ["20,000 to 30,000 crowns a year"]),
        ("income.taxable_band", "B3", "ar", ["من 20,000 إلى 30,000 كرونة في السنة"]),
        ("contact.iban", "GB82WEST12345698765432", "en", ["GB82 WEST 1234 5698 7654 32"]),
        ("identity.deceased", False, "en", ["No"]),
        ("identity.nationalities", ["SE", "FI"], "en", ["SE", "FI"]),
        ("family.custody", [], "ar", ["لا يوجد"]),
        (
            "family.custody",
            [CHILD, {"given_name": "Nils", "custody": "sole"}],
            "en",
            [
                "\u2068Elsa O'Neill\u2069, born \u2068<2019-03>\u2069, you share custody",
                "\u2068Nils\u2069, you alone have custody",
            ],
        ),
        (
            "family.custody",
            [CHILD],
            "ar",
            ["\u2068Elsa O'Neill\u2069، تاريخ الميلاد \u2068<2019-03>\u2069، الحضانة مشتركة"],
        ),
    ],
)
def test_lines_for_people(catalogue, attribute, held, language, lines):
    assert catalogues.display(catalogue.attribute(attribute), held, language, value.Writing(day=day)) == lines


def test_a_code_has_a_label_and_a_name_has_none(catalogue):
    band = catalogue.attribute("income.taxable_band")
    assert catalogues.label(band, "B3") == {
        "en": "20,000 to 30,000 crowns a year",
        "ar": "من 20,000 إلى 30,000 كرونة في السنة",
    }
    assert catalogues.label(catalogue.attribute("identity.given_name"), "B3") is None
    assert catalogues.label(catalogue.attribute("address.registered"), ADDRESS) is None


@pytest.mark.parametrize(
    ("attribute", "as_of", "is_stale"),
    [
        ("address.registered", "2026-11-14", False),
        ("address.registered", "2026-11-13", True),
        ("income.taxable_band", "2026-03-12", False),
        ("income.taxable_band", "2025-03-12", True),
        ("identity.birth_date", "1988-03-14", False),
        ("family.custody", "2020-01-01", False),
        ("address.registered", None, False),
    ],
)
def test_a_value_older_than_its_attribute_allows_is_stale(catalogue, now, attribute, as_of, is_stale):
    assert catalogues.stale(catalogue.attribute(attribute), as_of, now) is is_stale
