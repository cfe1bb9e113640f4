"""Share or Don't share: one press, recorded once, about what was on the screen (ISO/IEC TS 27560; GDPR art. 7)."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from broker.people import activity
from broker.tables import sealed_row
from examples.browse import Page
from tests.broker.whole import Whole

REQUIRED = {
    "identity.given_name",
    "identity.family_name",
    "identity.birth_date",
    "address.registered",
    "address.municipality",
    "family.custody",
    "income.taxable_band",
}
DAY = 86_400_000_000


def given(whole: Whole) -> Any:
    return next(event for event in whole.events() if event.type == "permission.given")


def press(whole: Whole, person: Any, page: Page, **changed: str | list[str] | None) -> Any:
    """Send the form as a program would; a change to None leaves a field out."""
    fields = {**person.fields(page, "consent"), "decision": "share", **changed}
    return person.walker.http.post(page.url, data={k: v for k, v in fields.items() if v is not None})


def test_share_gives_what_is_required_and_what_was_ticked(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    done = maria.press(maria.open(agency.asks()), "consent", "share", item=["contact.email"])
    assert done.url.endswith("/done")
    event = given(whole)
    assert set(event.body["items"]) == REQUIRED | {"contact.email"}
    assert event.private["items"]["contact.iban"] == "refused"
    assert (event.body["kind"], event.body["mode"], event.party) == ("ongoing", "consent", "norr-childcare")
    assert event.purpose == "norr.childcare-allowance@3"


@pytest.mark.parametrize(("chosen", "days"), [(None, 90), ("90", 90), ("365", 365)])
def test_the_period_is_the_one_chosen_and_else_the_shortest(whole: Whole, chosen: str | None, days: int) -> None:
    maria, agency = whole.present(), whole.agency()
    assert press(whole, maria, maria.open(agency.asks()), duration=chosen).status_code == 303
    with whole.parts.database.read() as tx:
        from consent import permission

        stored = permission.get(tx, given(whole).permission)
    assert stored is not None
    assert (stored.valid_to or 0) - stored.valid_from == days * DAY


def test_once_ends_with_its_tokens(whole: Whole) -> None:
    maria, office = whole.present(), whole.agency("norr-planning")
    maria.press(maria.open(office.asks()), "consent", "share", item=[])
    assert given(whole).body["kind"] == "once"
    assert given(whole).body["valid_to"] == "2026-11-21T23:16:00.000Z"  # receipt, code and token: 16 minutes


# fmt: off
REFUSED = [
    # what comes back from the page               changed                                       status
    ("an item that was not offered",              {"item": ["contact.phone"]},                  400),
    ("a required item among the ticks",           {"item": ["identity.given_name"]},            400),
    ("an item of no catalogue",                   {"item": ["x"]},                              400),
    ("a period that was not offered",             {"duration": "36500"},                        400),
    ("a period that is no number",                {"duration": "-1"},                           400),
    ("two periods",                               {"duration": ["90", "365"]},                  400),
    ("two decisions",                             {"decision": ["share", "refuse"]},            400),
    ("no token",                                  {"form_token": None},                         403),
    ("another form's token",                      {"form_token": "00" * 32},                    403),
]
# fmt: on


@pytest.mark.parametrize(("name", "changed", "status"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_and_nothing_is_recorded(whole: Whole, name: str, changed: dict[str, Any], status: int) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    assert press(whole, maria, page, **changed).status_code in {status, 200 if status == 403 else status}
    assert whole.types() == ["access.previewed"]
    assert maria.open(page.url).has("consent"), "the question is still open"


@pytest.mark.parametrize("changed", [{"decision": None}, {"decision": "maybe"}, {"decision": ""}])
def test_no_answer_is_none(whole: Whole, changed: dict[str, Any]) -> None:
    maria, agency = whole.present(), whole.agency()
    press(whole, maria, maria.open(agency.asks()), **changed)
    assert whole.types() == ["access.previewed"]


@pytest.mark.parametrize("shown", ["", "00" * 32, "é"])
def test_another_screen_than_was_shown_records_nothing_and_comes_again(whole: Whole, shown: str) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    again = press(whole, maria, page, shown=shown, item=["contact.iban"])
    assert again.status_code == 200
    assert "Some of this changed while you were reading" in again.text
    assert whole.types() == ["access.previewed"]
    assert press(whole, maria, maria.open(page.url)).status_code == 303


def test_a_screen_in_another_language_is_another_screen(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    maria.open(f"{page.url}?lang=ar")
    assert press(whole, maria, page).status_code == 200
    assert whole.types() == ["access.previewed"]


def test_a_refusal_leaves_nothing_with_the_agency_and_nothing_sealed(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    said = agency.receives(maria.press(maria.open(agency.asks()), "consent", "refuse"))
    assert said == {"error": "access_denied"}
    assert whole.types() == ["access.previewed"]
    with whole.parts.database.read() as tx:
        assert tx.execute(select(sealed_row)).all() == []
        (kept,) = activity.read(tx, whole.parts.vault, whole.person_ids["maria"])
    assert kept == {
        "type": "permission.refused",
        "party": "norr-childcare",
        "purpose": "norr.childcare-allowance@3",
        "ts": whole.clock(),
        "id": kept["id"],
    }


def test_a_refusal_with_ticks_shares_nothing(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.press(maria.open(agency.asks()), "consent", "refuse", item=["contact.iban"])
    assert agency.receives(page)["error"] == "access_denied"


# fmt: off
PRESSES = [
    # first         second      where it leads                  what stands
    ("share",       "share",    "/done",                        ["access.previewed", "permission.given"]),
    ("share",       "refuse",   "shared",                       ["access.previewed", "permission.given"]),
    ("refuse",      "share",    "refused",                      ["access.previewed"]),
    ("refuse",      "refuse",   "/callback",                    ["access.previewed"]),
]
# fmt: on


@pytest.mark.parametrize(("first", "second", "leads", "stands"), PRESSES)
def test_the_first_press_counts(whole: Whole, first: str, second: str, leads: str, stands: list[str]) -> None:
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    press(whole, maria, page, decision=first)
    again = maria.press(page, "consent", second)
    if leads.startswith("/"):
        assert urlsplit(again.url).path.endswith(leads)
    else:
        assert (again.status, again.get("already")["data-outcome"]) == (409, leads)
    assert whole.types() == stands


def test_what_was_refused_is_forgotten_at_the_press(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    items = agency.items(agency.token(maria.shares(maria.open(agency.asks())))["access_token"])
    assert {item for item, said in items.items() if said["status"] == "provided"} == REQUIRED
    assert items["contact.iban"]["status"] == "not_provided"
    assert [phase for _, phase in whole.registers["tax"].asked] == ["preview"]


@pytest.mark.parametrize("status", ["withheld", "source_unavailable"])
def test_what_could_not_be_shown_is_not_given(whole: Whole, status: str) -> None:
    whole.registers["population"].statuses["address.registered"] = status
    maria, agency = whole.present(), whole.agency()
    maria.press(maria.open(agency.asks()), "consent", "share")
    assert "address.registered" not in given(whole).body["items"]
    assert given(whole).private["items"]["address.registered"] == "not_shown"


def test_a_new_decision_takes_the_place_of_the_one_before(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    maria.shares(maria.open(agency.asks()))
    first = given(whole).permission
    maria.shares(maria.open(agency.asks(prompt="consent")), "contact.iban")
    assert given(whole).private["supersedes"] == first
    assert maria.sharing().keys() == {first, given(whole).permission}


def test_an_agency_registered_for_it_gets_the_person_back_without_a_receipt(whole: Whole) -> None:
    uses = whole.parts.uses
    direct = uses.current["norr.childcare-allowance"].model_copy(update={"direct_return": True})
    changed = {
        "current": {**uses.current, direct.id: direct},
        "versions": {**uses.versions, (direct.id, direct.version): direct},
    }
    whole.give(uses=replace(uses, **changed))
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    back = maria.press(page, "consent", "share")
    assert agency.token(back)["grant_id"] == given(whole).permission


def test_what_is_entered_names_no_value(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    maria.shares(maria.open(agency.asks()), "contact.iban", "contact.email")
    told = str([(event.body, event.private) for event in whole.events()])
    for value in ("Maria", "Møller", "Fjordgata", "XN08", "maria@", "1990"):
        assert value not in told
