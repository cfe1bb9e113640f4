"""Authorization details from PAR to the token: what was asked is shown, given and told, no more (RFC 9396 §5, §7)."""

import json
from typing import Any

from sqlalchemy import select

from consent.tables import permission
from tests.broker.whole import Whole

USE = "norr.childcare-allowance"
ITEMS = [{"id": "identity.given_name", "required": True}, {"id": "address.registered", "required": False}]


def details(whole: Whole, **members: Any) -> str:
    return json.dumps([{"type": whole.settings.issuer + "/rar/prefill/v1", "intended_use": USE, **members}])


def permissions(whole: Whole) -> dict[str, tuple[str, str]]:
    with whole.parts.database.read() as tx:
        rows = tx.execute(select(permission.c.permission_id, permission.c.kind, permission.c.state)).all()
    return {row.permission_id: (row.kind, row.state) for row in rows}


def test_what_was_asked_in_detail(whole: Whole) -> None:
    """Fewer items, one of them now optional, and once: beside the permission that was given before and goes on."""
    agency, person = whole.agency(), whole.citizen()
    before = agency.token(person.shares(person.comes_from(agency.asks())))["grant_id"]
    asked = details(whole, items=ITEMS, access={"kind": "once"}, form_ref="form-7")
    page = person.comes_from(agency.asks(scope="openid", authorization_details=asked))
    assert [e["data-item"] for e in page.content if "data-item" in e] == [item["id"] for item in ITEMS]
    assert not [e for e in page.content if "name" in e and e["name"] == "duration"]
    token = agency.token(person.shares(page))
    (told,) = token["authorization_details"]
    assert (told["intended_use"], told["items"], told["access"]) == (USE, ITEMS, {"kind": "once"})
    assert (told["form_ref"], told["version"]) == ("form-7", 3)
    items = agency.items(token["access_token"])
    assert {item for item, said in items.items() if "value" in said} == {"identity.given_name"}
    assert permissions(whole) == {before: ("ongoing", "live"), token["grant_id"]: ("once", "exhausted")}


def test_the_claims_parameter_narrows(whole: Whole) -> None:
    agency, person = whole.agency(), whole.citizen()
    claims = json.dumps({"userinfo": {"given_name": {"essential": True}, "email": None}})
    page = person.comes_from(agency.asks(claims=claims))
    assert [e["data-item"] for e in page.content if "data-item" in e] == ["identity.given_name", "contact.email"]


def test_the_time_of_the_sign_in_only_where_it_is_asked_for(whole: Whole) -> None:
    """protocol §2: two agencies could compare it."""
    agency, person = whole.agency(), whole.citizen()
    plain = agency.token(person.shares(person.comes_from(agency.asks())))
    assert "auth_time" not in agency.verify(plain["id_token"])
    asked = json.dumps({"id_token": {"auth_time": {"essential": True}}})
    told = agency.token(person.shares(person.comes_from(agency.asks(claims=asked, prompt="consent"))))
    assert agency.verify(told["id_token"])["auth_time"] == int(whole.clock.seconds())
