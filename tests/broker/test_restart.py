"""Nothing is kept in a process's memory: the story goes through with the broker stopped and started before every request."""

import re

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
    assert (late.status, late.get("already")["data-outcome"]) == (200, "refused")
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
    vars(wallet)["time"] = type("Clock", (), {"time": staticmethod(whole.clock.seconds)})
    held = wallet.receive(offer, re.sub(r"\D", "", page.get("tx-code").text), http=whole.client())
    assert held.credential.count("~") > 1
    assert whole.types()[-1] == "credential.issued"
