"""A device asks and asks: not too often, only about its own, with its own key, and is told yes once (RFC 8628 §3.4, §3.5)."""

import asyncio

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.actors import Agency
from tests.broker.elsewhere import DEVICE, comes_to_decide, device_asks, poll, told
from tests.broker.whole import Whole

PENDING, SLOW = (400, "authorization_pending"), (400, "slow_down")


def test_too_often_is_slower_and_slower(devices: Whole) -> None:
    """Each early question adds five seconds to every wait from now on; patience is never punished."""
    agency, later = devices.agency(), devices.clock.later
    code = device_asks(agency).json()["device_code"]
    said = []
    for wait in (0, 5, 2, 10, 8, 15, 12, 20, 19.5, 30):
        later(wait)
        said.append(told(poll(agency, code)))
    assert said == [PENDING, PENDING, SLOW, PENDING, SLOW, PENDING, SLOW, PENDING, PENDING, PENDING]


def test_haste_does_not_keep_the_tokens_back(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    for _ in range(5):
        poll(agency, asked["device_code"])
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    assert poll(agency, asked["device_code"]).status_code == 200


def test_another_agency_learns_nothing(devices: Whole) -> None:
    """Pending, decided, refused or handed over: for another client there is no such code, and nothing is spent."""
    maria, agency, office = devices.present(), devices.agency(), devices.agency("norr-planning")
    asked = device_asks(agency).json()
    assert told(poll(office, asked["device_code"])) == (400, "invalid_grant")
    assert told(poll(agency, asked["device_code"])) == PENDING, "its question was not counted"
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    assert told(poll(office, asked["device_code"])) == (400, "invalid_grant")
    token = poll(agency, asked["device_code"])
    assert token.status_code == 200
    assert told(poll(office, asked["device_code"])) == (400, "invalid_grant")
    assert agency.data(token.json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"device_code": "A" * 43}, (400, "invalid_grant")),
        ({"device_code": "A" * 500}, (400, "invalid_grant")),
        ({"device_code": "\u0645"}, (400, "invalid_grant")),
        ({"device_code": ""}, (400, "invalid_request")),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_Code"}, (400, "unsupported_grant_type")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request")),
        ({"client_id": "norr-planning"}, (401, "invalid_client")),
    ],
)
def test_a_wrong_question(devices: Whole, changed: dict[str, str], refused: tuple[int, str]) -> None:
    agency = devices.agency()
    code = device_asks(agency).json()["device_code"]
    assert told(poll(agency, **{"device_code": code, **changed})) == refused
    assert told(poll(agency, code)) == PENDING


def test_a_device_code_is_no_authorization_code(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    for more in ({}, {"redirect_uri": agency.callback, "code_verifier": "v" * 43}):
        said = {"grant_type": "authorization_code", "code": asked["device_code"], **more}
        assert told(agency.post("/token", said)) == (400, "invalid_grant")
    assert poll(agency, asked["device_code"]).status_code == 200


def test_an_authorization_code_is_no_device_code(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    back = maria.shares(maria.comes_from(agency.asks()))
    code = agency.receives(back)["code"]
    assert told(poll(agency, code)) == (400, "invalid_grant")
    assert agency.redeem(code).status_code == 200


def test_it_is_bound_to_the_key_it_was_asked_with(devices: Whole) -> None:
    """A proof at the request binds what is decided to that key (RFC 9449 §10, here as at PAR)."""
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    own, agency.dpop = agency.dpop, ec.generate_private_key(ec.SECP256R1())
    assert told(poll(agency, asked["device_code"])) == (400, "invalid_grant")
    agency.dpop = own
    token = poll(agency, asked["device_code"]).json()
    assert token["token_type"] == "DPoP"
    bearer = devices.client().get("/prefill", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert bearer.status_code == 401


def test_without_a_proof_there_is_no_token(devices: Whole) -> None:
    agency = devices.agency()
    code = device_asks(agency).json()["device_code"]
    said = {"grant_type": DEVICE, "device_code": code, "client_assertion": agency.assertion()}
    said |= {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    assert told(devices.client().post("/token", data=said)) == (400, "invalid_dpop_proof")


def test_a_person_who_was_disabled(devices: Whole) -> None:
    from sqlalchemy import update

    from broker.tables import person

    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    with devices.parts.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    assert told(poll(agency, asked["device_code"])) == (400, "invalid_grant")


def test_64_questions_at_once_are_one_yes(devices: Whole) -> None:
    """Whoever comes while the first is answered is told no, and the tokens of the first stay good."""
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    maria.press(comes_to_decide(maria, asked), "consent", "share")
    answers = asyncio.run(at_once(devices, [question(agency, asked["device_code"]) for _ in range(64)]))
    said = sorted(told(answer) for answer in answers)
    assert said == [(200, "")] + [(400, "invalid_grant")] * 63
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    assert agency.data(token).status_code == 200


def test_64_questions_at_once_are_one_in_time(devices: Whole) -> None:
    agency = devices.agency()
    code = device_asks(agency).json()["device_code"]
    answers = asyncio.run(at_once(devices, [question(agency, code) for _ in range(64)]))
    assert sorted(told(answer) for answer in answers) == [PENDING] + [SLOW] * 63


def question(agency: Agency, code: str) -> dict[str, dict[str, str]]:
    said = {"grant_type": DEVICE, "device_code": code, "client_assertion": agency.assertion()}
    said |= {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    return {"data": said, "headers": {"DPoP": agency.proof("POST", agency.issuer + "/token", None)}}


async def at_once(whole: Whole, questions: list[dict[str, dict[str, str]]]) -> list[httpx2.Response]:
    transport = httpx2.ASGITransport(app=whole.app)
    async with httpx2.AsyncClient(transport=transport, base_url=whole.settings.issuer) as http:
        return await asyncio.gather(*(http.post("/token", **one) for one in questions))
