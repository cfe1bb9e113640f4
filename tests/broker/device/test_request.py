"""What a device may ask, refusal by refusal; nothing of a refused request is kept (RFC 8628 §3.1; protocol of refusals, cross-device)."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from broker import tables
from broker.authorization import waiting
from consent.intended_use import IntendedUse
from tests.broker import elsewhere
from tests.broker.device.conftest import GRANTS
from tests.broker.elsewhere import device_asks, told
from tests.broker.whole import Whole

OWN = "use:norr.childcare-allowance"


def kept(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.waiting_request)).scalar_one())


def detail(issuer: str, *items: str) -> str:
    return json.dumps([{"type": f"{issuer}/rar/prefill/v1", "items": [{"id": item} for item in items]}])


# fmt: off
REFUSED = [
    # text                        what is sent                                              status, error
    ("RFC 6749 §3.3",             {"scope": None},                                          (400, "invalid_scope")),
    ("OpenID Connect Core §3.1.2.1", {"scope": OWN},                                        (400, "invalid_scope")),
    ("house",                     {"scope": "openid use:norr.building-permit"},             (400, "invalid_scope")),
    ("RFC 6749 §3.3",             {"scope": "openid \x07"},                                 (400, "invalid_scope")),
    ("RFC 6749 §3.3",             {"scope": "openid " + "a " * 3000},                       (400, "invalid_scope")),
    ("RFC 6749 §2.3",             {"client_id": "norr-planning"},                           (401, "invalid_client")),
    ("RFC 9101 §5",               {"request": "a.b.c"},                                     (400, "invalid_request")),
    ("RFC 9126 §2.1",             {"request_uri": "urn:ietf:params:oauth:request_uri:x"},   (400, "invalid_request")),
    ("RFC 8707 §2",               {"resource": "https://elsewhere.example/"},               (400, "invalid_target")),
    ("RFC 9396 §5",               {"authorization_details": "[{\"type\":\"x\"}]"},          (400, "invalid_authorization_details")),
    ("RFC 9396 §5",               {"authorization_details": "nonsense"},                    (400, "invalid_authorization_details")),
    ("OpenID Connect Core §5.5",  {"claims": "[]"},                                         (400, "invalid_request")),
    ("OpenID Connect Core §3.1.2.1", {"max_age": "-1"},                                     (400, "invalid_request")),
    ("OpenID Connect Core §3.1.2.1", {"id_token_hint": "a.b.c"},                            (400, "invalid_request")),
    ("RFC 9449 §10",              {"dpop_jkt": "short"},                                    (400, "invalid_request")),
    ("RFC 9449 §10",              {"dpop_jkt": "A" * 43},                                   (400, "invalid_dpop_proof")),
]
# fmt: on


@pytest.mark.parametrize(("spec", "sent", "refused"), REFUSED, ids=[f"{s}-{n}" for n, (s, _, _) in enumerate(REFUSED)])
def test_a_refused_request_leaves_nothing(
    devices: Whole, spec: str, sent: dict[str, str | None], refused: tuple[int, str]
) -> None:
    assert told(device_asks(devices.agency(), **sent)) == refused
    assert kept(devices) == 0


def test_an_item_beyond_the_use(devices: Whole) -> None:
    answer = device_asks(devices.agency(), authorization_details=detail(devices.settings.issuer, "education.degree"))
    assert told(answer) == (400, "invalid_authorization_details")
    assert kept(devices) == 0


def test_a_client_that_was_not_registered_for_devices(whole: Whole) -> None:
    assert told(device_asks(whole.agency())) == (400, "unauthorized_client")
    assert told(elsewhere.poll(whole.agency(), "x" * 43)) == (400, "unauthorized_client")
    assert kept(whole) == 0


def test_a_disabled_client(devices: Whole) -> None:
    agency = devices.agency()
    code = device_asks(agency).json()["device_code"]
    elsewhere.register(devices, grant_types=GRANTS, disabled=True)
    assert told(device_asks(agency)) == (401, "invalid_client")
    assert told(elsewhere.poll(agency, code)) == (401, "invalid_client")


def test_an_assertion_counts_once(devices: Whole) -> None:
    agency = devices.agency()
    device_asks(agency)
    made = agency.assertion()
    agency.assertion = lambda: made  # type: ignore[method-assign]  # the same one twice
    assert [told(device_asks(agency)) for _ in range(2)] == [(200, ""), (401, "invalid_client")]
    assert kept(devices) == 2


def test_other_methods_and_bodies(devices: Whole) -> None:
    http = devices.client()
    assert http.get("/device_authorization").status_code == 405
    assert http.post("/device_authorization", json={}).status_code == 415
    twice = http.post(
        "/device_authorization",
        content="client_id=a&client_id=b",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert told(twice) == (400, "invalid_request")
    assert kept(devices) == 0


def test_what_is_too_sensitive_is_not_for_devices(devices: Whole) -> None:
    """A use with an item that is never remembered (class 3) cannot be asked for across devices (BCP 247)."""
    use = devices.parts.uses.get("norr.childcare-allowance")
    changed = IntendedUse.model_construct(
        **{**use.__dict__, "items": tuple(item.model_copy(update={"sensitivity": 3}) for item in use.items)}
    )
    uses = devices.parts.uses
    current = {**uses.current, use.id: changed}
    from dataclasses import replace

    devices.give(uses=replace(uses, current=current))
    assert told(device_asks(devices.agency())) == (400, "invalid_scope")
    assert kept(devices) == 0


def test_every_spelling_asks_for_the_same(devices: Whole) -> None:
    """Scope, authorization details and claims narrow a device's request as they narrow every other."""
    agency, issuer = devices.agency(), devices.settings.issuer
    spelled: list[dict[str, Any]] = [
        {"scope": f"openid {OWN} identity.given_name"},
        {"authorization_details": detail(issuer, "identity.given_name")},
        {"claims": json.dumps({"userinfo": {"given_name": None}})},
    ]
    for one in spelled:
        code = device_asks(agency, **one).json()["device_code"]
        with devices.parts.database.read() as tx:
            found = waiting.find(tx, code)
        assert found is not None
        assert found.request.data.item_ids == ("identity.given_name",)


def test_codes_are_kept_as_codes_of_codes(devices: Whole) -> None:
    """A copy of the database gives neither code away; the user code is too short for a plain hash."""
    asked = device_asks(devices.agency()).json()
    with devices.parts.database.read() as tx:
        row = tx.execute(select(tables.waiting_request)).one()
    held = repr(tuple(row)).encode() + b"".join(part for part in row if isinstance(part, bytes))
    assert asked["device_code"].encode() not in held
    assert asked["user_code"].encode() not in held
    assert asked["user_code"].replace("-", "").encode() not in held


def test_a_public_client_may_ask(devices: Whole) -> None:
    elsewhere.register(
        devices,
        grant_types=GRANTS,
        profile="baseline",
        token_endpoint_auth_method="none",
        jwks=None,
        dpop_bound_access_tokens=False,
    )
    http = devices.client()
    said = {"client_id": "norr-childcare", "scope": f"openid {OWN}"}
    answer = http.post("/device_authorization", data=said)
    assert answer.status_code == 200, answer.text
    agency, maria = devices.agency(), devices.present()
    page = elsewhere.comes_to_decide(maria, answer.json())
    maria.press(page, "consent", "share")
    polled = {
        "client_id": "norr-childcare",
        "grant_type": elsewhere.DEVICE,
        "device_code": answer.json()["device_code"],
    }
    token = http.post("/token", data=polled).json()
    assert token["token_type"] == "Bearer"
    assert agency.client_id == "norr-childcare"
