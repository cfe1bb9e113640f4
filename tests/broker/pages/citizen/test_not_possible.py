"""Whoever cannot be served learns why from us, and what to do now, before the service learns anything."""

import pytest

from broker.sign_in import acr
from tests.broker.whole import Whole


def test_a_password_only_person(whole: Whole) -> None:
    maria, agency = whole.present(acr=acr.value("low"), amr=("pwd",)), whole.agency()
    with whole.parts.database.write() as tx:
        from sqlalchemy import update

        from broker.tables import person

        tx.execute(update(person).values(totp_sealed=None))
    page = maria.open(agency.asks())
    assert page.get("not-possible")["data-reason"] == "second_factor"
    assert page.links("/help")
    back = agency.receives(maria.press(page, "not-possible-back", "continue"))
    assert back["error"] == "unmet_authentication_requirements"


def test_a_weak_session_of_somebody_who_has_an_app_by_now_signs_in_again(whole: Whole) -> None:
    maria, agency = whole.present(acr=acr.value("low"), amr=("pwd",)), whole.agency()
    page = maria.open(agency.asks())
    assert page.has("sign-in")
    assert page.get("again")["data-cause"] == "stronger"
    whole.clock.later(31)
    assert maria.sign_in(page).has("consent")


def test_an_unproven_person(whole: Whole) -> None:
    whole.person_ids["unproven"] = whole.enrol("unproven", proofing="low")
    person, agency = whole.citizen("unproven"), whole.agency()
    page = person.comes_from(agency.asks())
    assert page.get("not-possible")["data-reason"] == "proof"
    back = agency.receives(person.press(page, "not-possible-back", "continue"))
    assert back["error"] == "unmet_authentication_requirements"


def test_a_person_whom_a_register_calls_dead(whole: Whole) -> None:
    whole.registers["population"].eligible = False
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    assert page.get("not-possible")["data-reason"] == "not_eligible"
    assert whole.types() == []
    back = agency.receives(maria.press(page, "not-possible-back", "continue"))
    assert back == {"error": "access_denied", "error_description": "subject_not_eligible"}
    assert whole.types() == []


def test_what_was_mended_meanwhile_goes_on(whole: Whole) -> None:
    whole.registers["population"].eligible = False
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    whole.registers["population"].eligible = True
    assert maria.open(page.url).has("consent")


def test_pressed_twice_it_stays_over(whole: Whole) -> None:
    whole.registers["population"].eligible = False
    maria, agency = whole.present(), whole.agency()
    page = maria.open(agency.asks())
    maria.press(page, "not-possible-back", "continue")
    again = maria.press(page, "not-possible-back", "continue")
    assert again.get("already")["data-outcome"] == "refused"


@pytest.mark.parametrize("prompt", ["none"])
def test_without_a_page_where_none_may_be_shown(whole: Whole, prompt: str) -> None:
    whole.registers["population"].eligible = False
    maria, agency = whole.present(), whole.agency()
    assert agency.receives(maria.open(agency.asks(prompt=prompt)))["error"] == "consent_required"
