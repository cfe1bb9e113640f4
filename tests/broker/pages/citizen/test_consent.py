"""The decision screen: every item with value, register and date, entered in the ledger before it is shown (ISO/IEC 29184)."""

from dataclasses import replace
from typing import Any

import pytest

from consent import history
from examples.browse import Page
from tests.broker.whole import Whole, journey_of

REQUIRED = [
    "identity.given_name",
    "identity.family_name",
    "identity.birth_date",
    "address.registered",
    "address.municipality",
    "family.custody",
    "income.taxable_band",
]
OPTIONAL = ["contact.iban", "contact.email"]


def row(page: Page, item: str) -> Any:
    found = page.content.find(data_item=item)
    assert found is not None, item
    return found


def group(page: Page, item: str) -> Any:
    """The rows of one register, with its name and its date."""
    return next(one for one in page.content.find_all("div", **{"class": "semel-group"}) if one.find(data_item=item))


def asked(whole: Whole) -> int:
    return sum(len(register.asked) for register in whole.registers.values())


def test_every_item_with_its_value_its_register_and_its_date(whole: Whole) -> None:
    page = whole.present().open(whole.agency().asks())
    assert [e["data-item"] for e in page.content if "data-item" in e] == [*REQUIRED, *OPTIONAL]
    # fmt: off
    for item, value, register in [
        ("identity.given_name",  "Maria",                "Population register"),
        ("identity.family_name", "O'Møller",             "Population register"),
        ("identity.birth_date",  "1 January 1990",       "Population register"),
        ("address.registered",   "Fjordgata 7",          "Population register"),
        ("address.municipality", "Norr",                 "Population register"),
        ("family.custody",       "Ada O'Møller",         "Population register"),
        ("contact.email",        "maria@post.example",   ""),
    ]:
        assert value in row(page, item).text
        assert register in group(page, item).find("h3").text
    # fmt: on
    assert "12 March 2026" in group(page, "identity.given_name").find("h3").text


def test_optional_items_are_not_ticked_and_the_buttons_decide(whole: Whole) -> None:
    form = whole.present().open(whole.agency().asks()).get("consent")
    boxes = form.find_all("input", type="checkbox")
    assert [box["value"] for box in boxes] == OPTIONAL
    assert not [box for box in boxes if "checked" in box]
    assert [button["value"] for button in form.find_all("button", name="decision")] == ["share", "refuse"]


def test_who_why_on_what_basis_until_when(whole: Whole) -> None:
    text = whole.present().open(whole.agency().asks()).content.text
    for said in (
        "City of Norr",
        "To decide if you can get the childcare allowance",
        "Only if you say yes",
        "GDPR art. 6(1)(a)",
        "They keep it for 5 years at most",
        "Until 19 February 2027",
        "You can still get the allowance",
        "Fill in the form by hand",
    ):
        assert said in text


def test_once_has_no_period(whole: Whole) -> None:
    form = whole.present().open(whole.agency("norr-planning").asks()).get("consent")
    assert form.find_all("input", name="duration") == []


def test_it_is_entered_before_it_is_shown_and_once(whole: Whole) -> None:
    maria = whole.present()
    page = maria.open(whole.agency().asks())
    (entry,) = whole.events()
    assert (entry.type, entry.party, entry.purpose, entry.permission) == (
        "access.previewed",
        "norr-childcare",
        "norr.childcare-allowance@3",
        None,
    )
    assert entry.private["journey"] == journey_of(page.url)
    assert set(entry.private["items"]) == {*REQUIRED, *OPTIONAL}
    assert "Maria" not in str(entry.body) + str(entry.private)
    for _ in range(2):
        assert row(maria.open(page.url), "identity.given_name").text == row(page, "identity.given_name").text
    assert whole.types() == ["access.previewed"]


def test_the_registers_are_asked_once_for_a_screen_however_often_it_is_looked_at(whole: Whole) -> None:
    maria = whole.present()
    page = maria.open(whole.agency().asks())
    first = asked(whole)
    for _ in range(3):
        maria.open(page.url)
    assert asked(whole) == first == 2
    assert {phase for register in whole.registers.values() for _, phase in register.asked} == {"preview"}


def test_a_register_that_is_silent_costs_its_own_rows(whole: Whole) -> None:
    whole.registers["tax"].down = True
    maria = whole.present()
    page = maria.open(whole.agency().asks())
    assert "not answering" in row(page, "income.taxable_band").text
    assert "Maria" in row(page, "identity.given_name").text
    whole.registers["tax"].down = False
    again = maria.open(page.url)
    assert "not answering" not in row(again, "income.taxable_band").text
    assert whole.types() == ["access.previewed", "access.previewed"], "what is shown more is entered too"
    assert len(whole.registers["population"].asked) == 1, "who has answered is not asked again"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("not_held", "holds nothing for you"),
        ("not_applicable", "Does not apply to you"),
        ("withheld", "Protected"),
        ("source_unavailable", "in a form that we cannot use"),
    ],
)
def test_a_row_without_a_value_says_so_and_shows_none(whole: Whole, status: str, says: str) -> None:
    whole.registers["population"].statuses["address.registered"] = status
    found = row(whole.present().open(whole.agency().asks()), "address.registered").text
    assert says in found
    assert "Fjordgata" not in found
    assert "older than usual" not in found, "there is nothing that could be old"


def test_nobody_acts_for_the_dead(whole: Whole) -> None:
    whole.registers["population"].eligible = False
    maria, agency = whole.present(), whole.agency()
    back = maria.press(maria.open(agency.asks()), "not-possible-back", "continue")
    assert agency.receives(back)["error"] == "access_denied"
    assert whole.types() == []


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onload="x', "{{ 7*7 }}", "%(name)s", "\u202egnp.exe"])
def test_a_value_is_data_whatever_it_looks_like(whole: Whole, name: str) -> None:
    whole.registers["population"].values = {**whole.registers["population"].values, "identity.given_name": name}
    maria = whole.present()
    page = maria.open(whole.agency().asks())
    assert "".join(row(page, "identity.given_name").raw.split()).find("".join(name.split())) >= 0
    assert page.content.find("script", src="") is None or "alert" not in page.content.find("script", src="").raw  # type: ignore[union-attr]  # none has text
    assert not [e for e in page.content if "onload" in e]


# --- a form carries a code over what was on the screen


def code(page: Page) -> str:
    found = page.get("consent").find("input", name="shown")
    assert found is not None
    return found["value"]


def test_the_code_over_the_screen_is_the_same_for_the_same_screen(whole: Whole) -> None:
    maria = whole.present()
    page = maria.open(whole.agency().asks())
    assert code(page) == code(maria.open(page.url))


@pytest.mark.parametrize("other", ["language", "journey", "value", "status"])
def test_another_screen_has_another_code(whole: Whole, other: str) -> None:
    maria, agency, register = whole.present(), whole.agency(), whole.registers["population"]
    first = maria.open(agency.asks())
    if other == "language":
        second = maria.open(f"{first.url}?lang=ar")
    elif other == "value":
        register.values = {**register.values, "identity.given_name": "Mario"}
        second = maria.open(agency.asks())
    elif other == "status":
        register.statuses["identity.given_name"] = "not_held"
        second = maria.open(agency.asks())
    else:
        second = maria.open(agency.asks())
    assert code(first) != code(second)


# --- nothing is asked


def test_inside_what_was_decided_nothing_is_asked_and_nothing_read(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    agency.token(maria.shares(maria.open(agency.asks())))
    before = asked(whole)
    assert "code" in agency.receives(maria.open(agency.asks()))
    assert asked(whole) == before
    assert whole.types() == ["access.previewed", "permission.given"]


def test_a_question_that_was_put_stays_one(whole: Whole) -> None:
    """Shared meanwhile in another tab: the first tab's question is answered by the person, not by that."""
    maria, agency, other = whole.present(), whole.agency(), whole.agency()
    first = maria.open(agency.asks())
    other.token(maria.shares(maria.open(other.asks())))
    assert maria.open(first.url).has("consent")


# fmt: off
SILENT = [
    # prompt=none, the person         error                  (OpenID Connect Core §3.1.2.6)
    ("has shared nothing",            "consent_required"),
    ("is not signed in",              "login_required"),
]
# fmt: on


@pytest.mark.parametrize(("who", "error"), SILENT)
def test_without_a_page_there_is_an_error(whole: Whole, who: str, error: str) -> None:
    maria = whole.citizen() if "not signed" in who else whole.present()
    agency = whole.agency()
    assert agency.receives(maria.open(agency.asks(prompt="none")))["error"] == error
    assert asked(whole) == 0
    assert whole.types() == []


def test_without_a_page_inside_what_was_decided(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    agency.token(maria.shares(maria.open(agency.asks())))
    assert "code" in agency.receives(maria.open(agency.asks(prompt="none")))


def test_a_use_that_changed_meanwhile_is_not_shown(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    uses = whole.parts.uses
    now = uses.current["norr.childcare-allowance"]
    narrower = now.model_copy(update={"items": now.items[:2]})
    whole.give(
        uses=replace(
            uses,
            current={**uses.current, narrower.id: narrower},
            versions={**uses.versions, (narrower.id, narrower.version): narrower},
        )
    )
    why = maria.open(page.url)
    assert why.get("not-possible")["data-reason"] == "service_fault"
    assert agency.receives(maria.press(why, "not-possible-back", "continue"))["error"] == "invalid_request"
    assert len(whole.events()) == 1


def test_many_later_entries_do_not_hide_the_preview(whole: Whole) -> None:
    """The screen is made again from the entry of its first showing, whatever the person's agencies did since."""
    maria, agency, office = whole.present(), whole.agency(), whole.agency("norr-planning")
    token = agency.token(maria.shares(maria.open(agency.asks())))["access_token"]
    page = maria.open(office.asks())
    for _ in range(60):
        assert agency.data(token).status_code == 200
    assert maria.open(page.url).has("consent")
    with whole.parts.database.read() as tx:
        from broker.people import people

        line = people.ledger_stream(tx, whole.parts.vault, whole.person_ids["maria"])
        assert history.count(tx, line) == 63


def test_one_item_that_cannot_be_used_is_not_a_register_that_is_silent(whole: Whole) -> None:
    """The cause that a row states is the cause: the register answered for the others."""
    whole.registers["population"].statuses["address.registered"] = "source_unavailable"
    whole.registers["tax"].statuses["income.taxable_band"] = "source_unavailable"
    whole.registers["tax"].statuses["contact.iban"] = "source_unavailable"
    page = whole.present().open(whole.agency().asks())
    assert "in a form that we cannot use" in row(page, "address.registered").text
    assert "at the moment" in row(page, "income.taxable_band").text
