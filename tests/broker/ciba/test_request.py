"""What may be asked behind the front, refusal by refusal; nothing of a refused request is kept (CIBA Core §7.1, §13, FAPI-CIBA §5.2.2)."""

from typing import Any

import jwt
import pytest
from sqlalchemy import func, select

from broker import tables
from tests.actors import Agency
from tests.broker import elsewhere
from tests.broker.ciba.conftest import METADATA
from tests.broker.counting import metered
from tests.broker.elsewhere import asking, ciba_asks, ciba_polls, signed, told
from tests.broker.whole import Whole
from tests.conftest import NOW

SECONDS = NOW // 1_000_000


def kept(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        rows = [select(func.count()).select_from(table) for table in (tables.waiting_request, tables.waiting_person)]
        return sum(int(tx.execute(row).scalar_one()) for row in rows)


def posts(agency: Agency, form: dict[str, str]) -> Any:
    return agency.post("/backchannel_authentication", form)


# fmt: off
REFUSED = [
    # text                     what the signed request says                                    error
    ("CIBA Core §7.1 hint",    {"login_hint": None},                                           "invalid_request"),
    ("CIBA Core §7.1 hint",    {"id_token_hint": "a.b.c"},                                     "invalid_request"),
    ("CIBA Core §7.1 hint",    {"login_hint": None, "id_token_hint": "a.b.c"},                 "invalid_request"),
    ("CIBA Core §7.1 hint",    {"login_hint": None, "login_hint_token": "a.b.c"},              "invalid_request"),
    ("CIBA Core §7.1 hint",    {"login_hint_token": "a.b.c"},                                  "invalid_request"),
    ("CIBA Core §7.1 scope",   {"scope": None},                                                "invalid_scope"),
    ("CIBA Core §7.1 scope",   {"scope": "use:norr.childcare-allowance"},                      "invalid_scope"),
    ("house",                  {"scope": "openid use:norr.building-permit"},                   "invalid_scope"),
    ("FAPI-CIBA §5.2.2",       {"binding_message": None},                                      "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "x" * 81},                                  "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "   "},                                     "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "a\nb"},                                    "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "a\u202eb"},                                "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "a\u200bb"},                                "invalid_binding_message"),
    ("CIBA Core §7.1 message", {"binding_message": "a" + "\u0301" * 9},                        "invalid_binding_message"),
    ("CIBA Core §7.1 expiry",  {"requested_expiry": "0"},                                      "invalid_request"),
    ("CIBA Core §7.1 expiry",  {"requested_expiry": -5},                                       "invalid_request"),
    ("CIBA Core §7.1 expiry",  {"requested_expiry": "soon"},                                   "invalid_request"),
    ("RFC 8707 §2",            {"resource": "https://elsewhere.example/"},                     "invalid_target"),
    ("RFC 9396 §5",            {"authorization_details": [{"type": "x"}]},                     "invalid_authorization_details"),
    ("RFC 9101 §4",            {"scope": ["openid"]},                                          "invalid_request"),
    ("RFC 9101 §4",            {"request": "a.b.c"},                                           "invalid_request"),
    ("CIBA Core §7.1.1 iss",   {"iss": "norr-planning"},                                       "invalid_request"),
    ("CIBA Core §7.1.1 aud",   {"aud": "https://elsewhere.example"},                           "invalid_request"),
    ("CIBA Core §7.1.1 aud",   {"aud": None},                                                  "invalid_request"),
    ("CIBA Core §7.1.1 jti",   {"jti": None},                                                  "invalid_request"),
    ("CIBA Core §7.1.1 iat",   {"iat": None},                                                  "invalid_request"),
    ("CIBA Core §7.1.1 nbf",   {"nbf": None},                                                  "invalid_request"),
    ("CIBA Core §7.1.1 exp",   {"exp": None},                                                  "invalid_request"),
    ("CIBA Core §7.1.1 exp",   {"exp": SECONDS - 60},                                          "invalid_request"),
    ("FAPI-CIBA §5.2.2 nbf",   {"nbf": SECONDS - 3700, "exp": SECONDS + 60},                   "invalid_request"),
    ("FAPI-CIBA §5.2.2 exp",   {"exp": SECONDS + 3700},                                        "invalid_request"),
]
# fmt: on


@pytest.mark.parametrize(("spec", "said", "error"), REFUSED, ids=[f"{s}-{n}" for n, (s, _, _) in enumerate(REFUSED)])
def test_a_refused_request_leaves_nothing(behind: Whole, spec: str, said: dict[str, Any], error: str) -> None:
    assert told(ciba_asks(behind.agency(), **said)) == (400, error)
    assert kept(behind) == 0


def test_a_client_of_fapi_signs(behind: Whole) -> None:
    agency = behind.agency()
    assert told(posts(agency, asking(agency))) == (400, "invalid_request")
    assert kept(behind) == 0


@pytest.mark.parametrize("beside", ["scope", "login_hint", "binding_message", "requested_expiry", "acr_values"])
def test_nothing_stands_beside_a_signed_request(behind: Whole, beside: str) -> None:
    agency = behind.agency()
    form = {"request": signed(agency, asking(agency)), beside: "openid"}
    assert told(posts(agency, form)) == (400, "invalid_request")
    assert kept(behind) == 0


@pytest.mark.parametrize("how", ["none", "HS256", "foreign", "kid", "garbage"])
def test_a_signature_that_is_not_good(behind: Whole, how: str) -> None:
    agency, other = behind.agency(), behind.agency("norr-planning")
    claims = jwt.decode(signed(agency, asking(agency)), options={"verify_signature": False})
    made = {
        "none": lambda: jwt.encode(claims, None, "none"),
        "HS256": lambda: jwt.encode(claims, "x" * 64, "HS256", headers={"kid": agency.key()[1]}),
        "foreign": lambda: jwt.encode(claims, other.key()[0], "ES256", headers={"kid": agency.key()[1]}),
        "kid": lambda: jwt.encode(claims, agency.key()[0], "ES256", headers={"kid": "unknown"}),
        "garbage": lambda: "a.b.c",
    }[how]()
    assert told(posts(agency, {"request": made})) == (400, "invalid_request")
    assert kept(behind) == 0


def test_a_signed_request_counts_once(behind: Whole) -> None:
    agency = behind.agency()
    made = signed(agency, asking(agency))
    assert [told(posts(agency, {"request": made})) for _ in range(2)] == [(200, ""), (400, "invalid_request")]
    assert kept(behind) == 2  # a request and its place before the person


def test_who_may_ask(behind: Whole) -> None:
    agency = behind.agency()
    elsewhere.register(behind, grant_types=("authorization_code",))
    assert told(ciba_asks(agency)) == (400, "unauthorized_client")
    assert told(ciba_polls(agency, "x" * 43)) == (400, "unauthorized_client")
    elsewhere.register(behind, **METADATA, disabled=True)
    assert told(ciba_asks(agency)) == (401, "invalid_client")
    anonymous = behind.client().post("/backchannel_authentication", data=asking(agency))
    assert told(anonymous) == (401, "invalid_client")
    assert behind.client().get("/backchannel_authentication").status_code == 405
    assert kept(behind) == 0


@pytest.mark.parametrize(
    "token", [None, "", "short", "x" * 21, "x" * 1025, "with space" + "x" * 30, "ü" * 30, "x" * 30 + "\n"]
)
def test_a_token_for_pings_that_is_none(behind: Whole, token: str | None) -> None:
    """CIBA Core §7.1: RFC 6750 §2.1 characters, at most 1024, at least 128 bits."""
    to = {"backchannel_client_notification_endpoint": "https://norr-childcare.example/ping"}
    elsewhere.register(behind, **{**METADATA, "backchannel_token_delivery_mode": "ping", **to})
    assert told(ciba_asks(behind.agency(), client_notification_token=token)) == (400, "invalid_request")
    assert kept(behind) == 0


def test_a_client_that_polls_needs_no_token_for_pings(behind: Whole) -> None:
    assert ciba_asks(behind.agency(), client_notification_token="x").status_code == 200


def test_push_is_not_offered(behind: Whole) -> None:
    with pytest.raises(ValueError, match="backchannel_token_delivery_mode"):
        elsewhere.register(behind, **{**METADATA, "backchannel_token_delivery_mode": "push"})
    offered = behind.agency().metadata()
    assert offered["backchannel_token_delivery_modes_supported"] == ["poll", "ping"]
    assert offered["backchannel_user_code_parameter_supported"] is False


def test_another_agency_learns_nothing(behind: Whole) -> None:
    """CIBA Core §11: what was issued to another client is `invalid_grant`, in every state; its question is not counted."""
    agency, office = behind.agency(), behind.agency("norr-planning")
    asked = ciba_asks(agency).json()["auth_req_id"]
    assert told(ciba_polls(office, asked)) == (400, "invalid_grant")
    assert told(ciba_polls(agency, asked)) == (400, "authorization_pending")
    assert told(ciba_polls(agency, asked)) == (400, "slow_down")
    behind.client().post("/sandbox/ciba", params={"token": asked, "type": "allow"})
    assert told(ciba_polls(office, asked)) == (400, "invalid_grant")
    assert ciba_polls(agency, asked).status_code == 200


@pytest.mark.parametrize("changed", [{"auth_req_id": ""}, {"grant_type": elsewhere.DEVICE}])
def test_a_wrong_question(behind: Whole, changed: dict[str, str]) -> None:
    agency = behind.agency()
    asked = ciba_asks(agency).json()["auth_req_id"]
    status, error = told(ciba_polls(agency, **{"auth_req_id": asked, **changed}))
    assert (status, error) in {(400, "invalid_request"), (400, "unauthorized_client")}


def test_an_auth_req_id_is_no_device_code(behind: Whole) -> None:
    elsewhere.register(behind, **{**METADATA, "grant_types": ("authorization_code", elsewhere.CIBA, elsewhere.DEVICE)})
    agency = behind.agency()
    asked = ciba_asks(agency).json()["auth_req_id"]
    behind.client().post("/sandbox/ciba", params={"token": asked, "type": "allow"})
    assert told(elsewhere.poll(agency, asked)) == (400, "invalid_grant")
    device = elsewhere.device_asks(agency).json()
    assert told(ciba_polls(agency, device["device_code"])) == (400, "invalid_grant")
    sandbox = behind.client().post("/sandbox/ciba", params={"token": device["device_code"], "type": "allow"})
    assert sandbox.status_code == 404
    assert ciba_polls(agency, asked).status_code == 200


def test_asking_about_nobody_costs_as_much(behind: Whole) -> None:
    """A person costs three look-ups by a key more than nobody, no password's work, and no register is asked (NIST SP 800-63B-4 §3.2.2)."""
    agency = behind.agency()
    ciba_asks(agency)
    with metered(behind) as meter:
        for name in ("maria", "nobody"):
            assert ciba_asks(agency, login_hint=name).status_code == 200
    known, unknown = meter.take()
    assert known.commits == unknown.commits
    assert known.statements - unknown.statements <= 3, f"more than look-ups by a key\n{known}\n{unknown}"
    assert not any(register.asked for register in behind.registers.values())
