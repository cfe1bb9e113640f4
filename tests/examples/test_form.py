"""The agency's form: what the broker's answer puts into it, and what it then no longer asks for."""

import pytest

from examples.agencies.form import Form, long_date, readable

ADDRESS = {"country": "XN", "locality": "Norr", "postal_code": "1042", "street_address": "Harbour Street 12"}
PROVIDED = {"status": "provided", "value": ADDRESS, "source": "population", "as_of": "2026-03-12", "editable": "never"}


def field(form: Form, name: str, answer: dict, typed: dict | None = None, language: str = "en") -> dict:
    return next(f for f in form.fields(language, answer, typed or {}) if f["id"] == name)


@pytest.fixture
def form() -> Form:
    return Form.load("norr-planning")


def test_a_provided_value_says_where_it_comes_from(form: Form) -> None:
    shown = field(form, "address.registered", {"items": {"address.registered": PROVIDED}})
    assert shown["value"] == "Harbour Street 12, 1042 Norr, Norrmark"
    assert shown["badge"] == "From Population register, 12 March 2026"
    assert (shown["source"], shown["as_of"], shown["locked"]) == ("population", "2026-03-12", True)


def test_a_locked_value_is_the_registers_whatever_was_typed(form: Form) -> None:
    answer = {"items": {"address.registered": PROVIDED}}
    assert field(form, "address.registered", answer, {"address.registered": "Elsewhere 1"})["value"].startswith(
        "Harbour"
    )


@pytest.mark.parametrize(("retryable", "note"), [(True, "Try again later"), (False, "Please fill it in yourself")])
def test_what_is_not_provided_is_typed_by_hand(form: Form, retryable: bool, note: str) -> None:
    answer = {"items": {"contact.email": {"status": "not_provided", "retryable": retryable}}}
    shown = field(form, "contact.email", answer, {"contact.email": "me@mail.example"})
    assert shown["value"] == "me@mail.example"
    assert not shown["badge"]
    assert note in shown["note"]


def test_a_replaced_document_is_no_longer_asked_for(form: Form) -> None:
    assert [d["needed"] for d in form.documents("en", {})] == [True]
    assert [d["needed"] for d in form.documents("en", {"replaces_documents": ["proof-of-address"]})] == [False]


def test_every_text_exists_in_both_languages() -> None:
    for name in ("norr-childcare", "norr-planning"):
        form = Form.load(name)
        assert form.words("en").keys() == form.words("ar").keys()
        assert [f["label"] for f in form.fields("ar", {}, {})] != [f["label"] for f in form.fields("en", {}, {})]
        assert form.documents("ar", {}) is not None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("O'Brien-Šťastný", "O'Brien-Šťastný"),
        ("1988-03-14", "14 March 1988"),
        ("1988-03", "1988-03"),
        ("1988", "1988"),
        ("2026-02-31", "2026-02-31"),
        (None, ""),
        ([{"given_name": "Noor", "birth_date": "2021", "custody": "joint"}], "Noor, 2021"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, shown: str) -> None:
    assert readable({"value": value}, "en") == shown


@pytest.mark.parametrize(
    ("code", "language", "name"),
    [("XN", "en", "Norrmark"), ("XN", "ar", "نورمارك"), ("NO", "en", "Norway"), ("NO", "ar", "النرويج")],
)
def test_an_address_names_its_country(code: str, language: str, name: str) -> None:
    assert readable({"value": {"locality": "Norr", "country": code}}, language) == f"Norr, {name}"


def test_a_code_is_shown_by_its_label() -> None:
    assert readable({"value": "B3", "label": {"en": "20 to 30k", "ar": "٢٠ إلى ٣٠"}}, "ar") == "٢٠ إلى ٣٠"
    assert long_date("2026-03-12", "ar") != "2026-03-12"
