"""A device is let in: from its code to the data, and everything that may go otherwise (RFC 8628 §3)."""

import pytest

from tests.actors import Agency
from tests.broker.elsewhere import comes_to_decide, device_asks, enters, linked_code, poll, told
from tests.broker.whole import Whole


def asked_by(agency: Agency) -> dict:
    answer = device_asks(agency)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_a_device_gets(devices: Whole) -> None:
    answer = device_asks(devices.agency())
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert body.keys() == {
        "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval",
    }  # fmt: skip
    assert body["verification_uri"] == f"{devices.settings.issuer}/device"
    assert linked_code(body) == body["user_code"]
    assert (body["expires_in"], body["interval"]) == (600, 5)
    assert len(body["device_code"]) == 43


def test_a_device_is_let_in(devices: Whole) -> None:
    maria, agency = devices.citizen(), devices.agency()
    asked = asked_by(agency)
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")
    page = comes_to_decide(maria, asked)
    assert page.has("consent")
    assert "Maria" in page.content.text
    end = maria.press(page, "consent", "share", item=["contact.iban"])
    assert end.get("answered")["data-outcome"] == "shared"
    answer = poll(agency, asked["device_code"])
    assert answer.status_code == 200, answer.text
    token = answer.json()
    claims = agency.verify(token["id_token"])
    assert "nonce" not in claims
    items = agency.items(token["access_token"])
    assert items["identity.given_name"]["value"] == "Maria"
    assert items["contact.iban"]["status"] == "provided"
    assert items["contact.email"]["status"] == "not_provided"
    assert devices.types() == ["access.previewed", "permission.given", "access.released"]
    assert token["refresh_token"]
    assert told(poll(agency, asked["device_code"])) == (400, "invalid_grant")
    assert agency.data(token["access_token"]).status_code == 200, "a second question ends nothing"


def test_a_restart_between_any_two_steps_loses_nothing(devices: Whole) -> None:
    from tests.broker import elsewhere
    from tests.broker.device.conftest import GRANTS

    def again() -> None:
        devices.restart()
        elsewhere.register(devices, grant_types=GRANTS)

    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    again()
    page = enters(maria, asked["user_code"])
    again()
    page = maria.press(page, "request", "continue")
    again()
    page = maria.press(maria.open(page.url), "consent", "share")
    again()
    token = poll(agency, asked["device_code"]).json()["access_token"]
    again()
    assert agency.data(token).status_code == 200


def test_a_person_who_agreed_before_is_asked_again(devices: Whole) -> None:
    """Nobody is let through without a question on another device (BCP 247)."""
    maria, agency = devices.present(), devices.agency()
    maria.shares(maria.comes_from(agency.asks()))
    assert "code" in agency.receives(maria.open(agency.asks()))
    asked = asked_by(agency)
    assert comes_to_decide(maria, asked).has("consent")
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")


def test_no_at_the_decision(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = comes_to_decide(maria, asked)
    end = maria.press(page, "consent", "refuse")
    assert end.get("answered")["data-outcome"] == "refused"
    for _ in range(2):
        assert told(poll(agency, asked["device_code"])) == (400, "access_denied")
    assert devices.types() == ["access.previewed"]
    back = maria.open(page.url)
    assert back.get("already")["data-outcome"] == "refused"


def test_no_at_the_code(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = enters(maria, asked["user_code"])
    end = maria.press(page, "request", "refuse")
    assert end.get("answered")["data-outcome"] == "refused"
    assert told(poll(agency, asked["device_code"])) == (400, "access_denied")
    assert devices.types() == []
    assert maria.open(page.url).get("already")["data-outcome"] == "refused"
    assert enters(maria, asked["user_code"]).has("device"), "a refused code leads nowhere"


def test_back_after_no_cannot_turn_it_into_yes(devices: Whole) -> None:
    """Denial, then Back: the decision stays (RFC 8628 §5.4)."""
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    first = enters(maria, asked["user_code"])
    consent = maria.press(first, "request", "continue")
    maria.press(first, "request", "refuse")  # Back, and no
    answer = maria.walker.post(consent.url, **maria.fields(consent, "consent"), decision="share")
    assert answer.status_code == 409
    assert told(poll(agency, asked["device_code"])) == (400, "access_denied")
    assert devices.types() == ["access.previewed"]


def test_a_second_press_shares_once(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = comes_to_decide(maria, asked)
    maria.press(page, "consent", "share")
    assert maria.press(page, "consent", "share").get("already")["data-outcome"] == "shared"
    assert poll(agency, asked["device_code"]).status_code == 200
    assert maria.press(page, "consent", "refuse").get("already")["data-outcome"] == "shared"
    assert maria.open(page.url).get("already")["data-outcome"] == "shared"
    assert devices.types() == ["access.previewed", "permission.given"]


def test_another_person_in_another_browser(devices: Whole) -> None:
    """Who is signed in elsewhere cannot decide what somebody began here."""
    maria, omar, agency = devices.present(), devices.present("omar"), devices.agency()
    asked = asked_by(agency)
    page = enters(maria, asked["user_code"])
    assert enters(omar, asked["user_code"]).has("device")
    assert omar.open(page.url).get("already")["data-outcome"] == "other_browser"
    form = omar.open("/device")
    answer = omar.walker.post(page.url, **omar.fields(form, "device"), action="continue")
    assert answer.status_code == 403
    consent = maria.press(page, "request", "continue")
    assert omar.open(consent.url).get("already")["data-outcome"] == "other_browser"
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")


@pytest.mark.parametrize("seconds", [601, 4000])
def test_nobody_decides_in_time(devices: Whole, seconds: int) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = enters(maria, asked["user_code"])
    devices.clock.later(seconds)
    assert told(poll(agency, asked["device_code"])) == (400, "expired_token")
    if seconds < 1000:
        assert maria.open(page.url).get("already")["data-outcome"] == "expired"
    assert enters(devices.present(), asked["user_code"]).has("device")
    assert devices.types() == []


def test_what_is_decided_too_late_is_not_recorded(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = comes_to_decide(maria, asked)
    devices.clock.later(601)
    end = maria.press(page, "consent", "share")
    assert end.get("already")["data-outcome"] == "expired"
    assert devices.types() == ["access.previewed"]
    assert told(poll(agency, asked["device_code"])) == (400, "expired_token")


def test_what_is_decided_at_the_last_moment_can_be_fetched(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    page = comes_to_decide(maria, asked)
    devices.clock.later(598)
    assert maria.press(page, "consent", "share").get("answered")["data-outcome"] == "shared"
    devices.clock.later(50)
    assert poll(agency, asked["device_code"]).status_code == 200


def test_what_is_not_fetched_is_gone(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    devices.clock.later(661)
    assert told(poll(agency, asked["device_code"])) == (400, "expired_token")


def test_a_person_who_stops_before_the_device_asks(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = asked_by(agency)
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    maria.stops(next(iter(maria.sharing())))
    assert told(poll(agency, asked["device_code"])) in {(400, "invalid_grant"), (400, "expired_token")}


def test_a_sign_in_that_is_too_weak(devices: Whole) -> None:
    maria, agency = devices.present(acr="http://eidas.europa.eu/LoA/low"), devices.agency()
    asked = asked_by(agency)
    why = maria.press(enters(maria, asked["user_code"]), "request", "continue")
    assert why.get("not-possible")["data-reason"] == "proof"
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")
    devices.clock.later(6)
    end = maria.goes_back(why)
    assert end.get("answered")["data-outcome"] == "impossible"
    assert told(poll(agency, asked["device_code"])) == (400, "access_denied")
