"""Nothing is kept in a process's memory: the story goes through with the broker stopped and started before every request."""

import json
import re

from tests.broker.elsewhere import (
    CIBA,
    DEVICE,
    ciba_asks,
    ciba_polls,
    comes_to_decide,
    device_asks,
    opens,
    poll,
    told,
)
from tests.broker.issuing import example_wallet
from tests.broker.whole import Whole


def restarting(whole: Whole) -> list[str]:
    """From now on every client restarts the broker before each of its requests; gives the addresses it was done for."""
    done: list[str] = []
    made = whole.client

    def client(**headers: str) -> object:
        one = made(**headers)

        def restart(request: object) -> None:
            whole.restart()
            done.append(str(request.url))  # type: ignore[attr-defined]  # httpx2's request

        one.event_hooks["request"].append(restart)
        return one

    whole.client = client  # type: ignore[method-assign, assignment]  # on this one world
    return done


def registered(whole: Whole, **members: object) -> None:
    """Write into the agencies' files what they registered: a restart reads it from there."""
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in members.items()]
    for path in sorted((whole.settings.config_dir / "clients").iterdir()):
        kept = [line for line in path.read_text().splitlines(keepends=True) if line.split(" = ")[0] not in members]
        path.write_text("".join(lines + kept))
    whole.restart()


def test_a_form_is_filled_again_and_stopped(whole: Whole) -> None:
    done = restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    page = maria.comes_from(agency.asks())
    page = maria.open(page.url)
    token = agency.token(maria.shares(page, "contact.iban"))["access_token"]
    first, second = agency.items(token), agency.items(token)
    assert first["contact.iban"]["value"] == second["contact.iban"]["value"] == "XN0855667788990012"
    again = agency.token(maria.open(agency.asks()))
    permission = agency.data(again["access_token"]).json()["grant_id"]
    maria.stops(permission)
    assert agency.data(again["access_token"]).status_code == 401
    assert whole.types() == [
        "access.previewed",
        "permission.given",
        "access.released",
        "access.released",
        "access.released",
        "permission.withdrawn",
    ]
    assert len(done) > 20
    assert whole.registers["population"].asked, "the registers are those of the test throughout"


def test_a_refusal_stays_one(whole: Whole) -> None:
    restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    page = maria.comes_from(agency.asks())
    assert agency.receives(maria.press(page, "consent", "refuse"))["error"] == "access_denied"
    late = maria.press(page, "consent", "share")
    assert (late.status, late.get("already")["data-outcome"]) == (409, "refused")
    assert whole.types() == ["access.previewed"]


def test_a_code_asked_for_twice_is_one_code(whole: Whole) -> None:
    restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    done = maria.press(maria.comes_from(agency.asks()), "consent", "share")
    codes = {agency.receives(maria.press(done, "done", "continue"))["code"] for _ in range(2)}
    assert len(codes) == 1
    code = codes.pop()
    assert agency.redeem(code).status_code == 200
    assert agency.redeem(code).json()["error"] == "invalid_grant"


def test_a_credential_comes_through(whole: Whole) -> None:
    restarting(whole)
    maria = whole.citizen()
    maria.sign_in()
    page = maria.press(maria.open("/account/documents/residence/add-to-wallet"), "add-to-wallet", "offer")
    offer = page.get("credential-offer")["href"]
    whole.clock.later(30)
    page = maria.press(maria.open(f"{page.url}/code"), "one-time-code", "continue", code=maria.codes.code())
    wallet = example_wallet()
    held = wallet.receive(
        offer, re.sub(r"\D", "", page.get("tx-code").text), http=whole.client(), clock=whole.clock.seconds
    )
    assert held.credential.count("~") > 1
    assert whole.types()[-1] == "credential.issued"


def test_a_device_is_let_in(whole: Whole) -> None:
    registered(whole, grant_types=["authorization_code", DEVICE])
    restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    asked = device_asks(agency).json()
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")
    end = maria.press(comes_to_decide(maria, asked), "consent", "share")
    assert end.get("answered")["data-outcome"] == "shared"
    whole.clock.later(10)
    token = poll(agency, asked["device_code"]).json()["access_token"]
    assert agency.items(token)["identity.given_name"]["value"] == "Maria"
    assert told(poll(agency, asked["device_code"])) == (400, "invalid_grant")


def test_a_person_is_asked_in_their_account(whole: Whole) -> None:
    alg = {"backchannel_authentication_request_signing_alg": "ES256"}
    mode = {"backchannel_token_delivery_mode": "poll"}
    registered(whole, grant_types=["authorization_code", CIBA], **alg, **mode)
    restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    maria.sign_in()
    asked = ciba_asks(agency).json()["auth_req_id"]
    page = maria.press(maria.press(opens(maria), "request", "continue"), "consent", "share")
    assert page.get("answered")["data-outcome"] == "shared"
    token = ciba_polls(agency, asked).json()["access_token"]
    assert agency.items(token)["identity.given_name"]["value"] == "Maria"


def test_a_phone_lets_a_screen_in(whole: Whole) -> None:
    restarting(whole)
    screen, phone = whole.citizen(), whole.citizen()
    phone.sign_in()
    page = screen.press(screen.open("/sign-in/phone"), "phone", "show-code")
    asked = phone.press(phone.open("/x"), "phone-code", "continue", typed=page.get("typed").text)
    end = phone.press(asked, "phone-confirm", "continue", number=page.get("number").text)
    assert end.get("phone-answered")["data-outcome"] == "approved"
    assert screen.press(screen.open("/sign-in/phone"), "phone", "continue").url.endswith("/account")


def test_a_grant_goes_on_and_ends(whole: Whole) -> None:
    """Refreshed, its session signed out of, taken back by the agency."""
    registered(whole, grant_types=["authorization_code", "refresh_token"])
    restarting(whole)
    maria, agency = whole.citizen(), whole.agency()
    body = agency.token(maria.shares(maria.comes_from(agency.asks())))
    again = agency.post("/token", {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}).json()
    assert agency.items(again["access_token"])["identity.given_name"]["value"] == "Maria"
    page = maria.press(maria.open("/sign-out"), "sign-out", "sign-out")
    assert page.url.endswith("/signed-out")
    assert agency.data(again["access_token"]).status_code == 200, "the permission goes on without the session"
    assert agency.post("/revocation", {"token": body["refresh_token"]}).status_code == 200
    assert agency.data(again["access_token"]).status_code == 401
