"""`verified_claims` in UserInfo and ID token (OpenID Connect for Identity Assurance 1.0), from an agency's use and its registers."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.actors import Agency
from tests.broker.whole import Whole

FRAMEWORK = {"trust_framework": None}
EIDAS = {"trust_framework": "eidas"}
NAME = {"given_name": None}
SHARED = "norr-planning"
MARIA = {"given_name": "Maria", "family_name": "O'Møller"}

Time = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Text = Annotated[str, Field(min_length=1)]


class Shape(BaseModel):
    """A part of an answer, as the schema in the specification has it; what this server does not say is none of it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Source(Shape):
    name: Text | None = None
    country_code: Text | None = None


class Record(Shape):
    type: Text | None = None
    created_at: Day | None = None
    source: Source | None = None


class Check(Shape):
    check_method: Text
    organization: Text | None = None
    time: Time | None = None


class Evidence(Shape):
    type: Literal["document", "electronic_record", "vouch", "electronic_signature"]
    time: Time | None = None
    check_details: Annotated[list[Check], Field(min_length=1)] | None = None
    record: Record | None = None


class Verification(Shape):
    trust_framework: Text
    assurance_level: Text | None = None
    time: Time | None = None
    verification_process: Text | None = None
    evidence: Annotated[list[Evidence], Field(min_length=1)] | None = None


class Verified(Shape):
    verification: Verification
    claims: Annotated[dict[str, Any], Field(min_length=1)]


SCHEMA: TypeAdapter[Any] = TypeAdapter(Verified | Annotated[list[Verified], Field(min_length=1)])


def element(verification: Any = FRAMEWORK, **claims: Any) -> dict[str, Any]:
    return {"verification": verification, "claims": claims or NAME}


def asked(whole: Whole, agency: Agency, **places: Any) -> dict[str, Any]:
    """Ask, let the person share everything, redeem."""
    maria = whole.present()
    page = maria.comes_from(agency.asks(claims=json.dumps(places)))
    boxes = [box["value"] for box in page.get("consent").find_all("input", type="checkbox")]
    return agency.token(maria.shares(page, *boxes))


def told(whole: Whole, agency: Agency, verified: Any) -> Any:
    """What UserInfo says to a request for verified claims; always a good answer, never an error."""
    body = asked(whole, agency, userinfo={"verified_claims": verified})
    answer = agency.call("GET", "/userinfo", token=body["access_token"])
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said.pop("sub") == body["subject"]
    found = said.pop("verified_claims", None)
    assert said == {}, "what is verified is not told as plain claims, and nothing else comes along"
    if found is not None:
        SCHEMA.validate_python(found)
    return found


def test_the_least(whole: Whole) -> None:
    """§5.1: framework and claims, and nothing that was not asked for (§6)."""
    agency = whole.agency(SHARED)
    found = told(whole, agency, element(given_name=None, family_name=None))
    assert found == {"verification": EIDAS, "claims": MARIA}
    released = whole.events()[0]
    assert (released.type, released.private["door"]) == ("access.released", "userinfo")
    assert released.private["items"] == {"identity.given_name": "provided", "identity.family_name": "provided"}
    assert released.private["sources"] == ["population"]


def test_everything_that_is_known(whole: Whole) -> None:
    """§5.4: each part is asked for by itself; the reference is the ledger's entry, made for this agency alone."""
    wish = {
        "trust_framework": {"values": ["de_aml", "eidas"]},
        "assurance_level": {"value": "substantial"},
        "time": {"max_age": 60},
        "verification_process": None,
        "evidence": [
            {
                "type": {"value": "electronic_record"},
                "time": None,
                "check_details": [{"check_method": None, "organization": None, "txn": None}],
                "record": {"type": None, "created_at": {"max_age": 3e9}, "source": None, "personal_number": None},
            }
        ],
    }
    found = told(whole, whole.agency(SHARED), element(wish))
    verification = found["verification"]
    assert verification.pop("verification_process") == whole.events()[0].body["id"]
    moment = verification.pop("time")
    (evidence,) = verification.pop("evidence")
    assert evidence.pop("time") == moment
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert verification == {"trust_framework": "eidas", "assurance_level": "substantial"}
    name = evidence["record"]["source"]["name"]
    assert evidence == {
        "type": "electronic_record",
        "check_details": [{"check_method": "data", "organization": name}],
        "record": {
            "type": "population_register",
            "created_at": "2026-03-12",
            "source": {"name": name, "country_code": "XN"},
        },
    }


# fmt: off
UNMET: list[tuple[str, Any]] = [
    # §5.7.4: a demand on the verification that is not fulfilled takes the whole element away
    ("another framework",        {"trust_framework": {"value": "de_aml"}}),
    ("none of the frameworks",   {"trust_framework": {"values": ["a", "b"]}}),
    ("a higher level",           {**FRAMEWORK, "assurance_level": {"value": "high"}}),
    ("another kind of evidence", {**FRAMEWORK, "evidence": [{"type": {"value": "document"}}]}),
    ("a document's number",      {**FRAMEWORK, "evidence": [{"type": {"value": "electronic_record"}, "document_details": {"document_number": {"value": "1"}}}]}),
    ("a younger record",         {**FRAMEWORK, "evidence": [{"type": {"value": "electronic_record"}, "record": {"created_at": {"max_age": 1}}}]}),
    ("what nobody knows",        {**FRAMEWORK, "assurance_process": {"policy": {"value": "x"}}}),
    ("a reference of its own",   {**FRAMEWORK, "verification_process": {"value": "x"}}),
]
# fmt: on


@pytest.mark.parametrize("wish", [row[1] for row in UNMET], ids=[row[0] for row in UNMET])
def test_a_demand_that_is_not_met(whole: Whole, wish: Any) -> None:
    assert told(whole, whole.agency(SHARED), element(wish)) is None
    assert whole.types()[-1] == "permission.given", "nothing was handed over, nothing is entered"


# fmt: off
LEFT_OUT: list[tuple[str, Any, Any]] = [
    # §5.7.2: what is not there, not known, or not supported is left out
    ("an unknown claim",         element(given_name=None, shoe_size=None),                       {"verification": EIDAS, "claims": {"given_name": "Maria"}}),
    ("a claim of the account",   element(given_name=None, email={"essential": False}),            {"verification": EIDAS, "claims": {"given_name": "Maria"}}),
    ("another value",            element(given_name={"value": "Max"}, family_name=None),          {"verification": EIDAS, "claims": {"family_name": "O'Møller"}}),
    ("one of its values",        element(given_name={"values": ["Max", "Maria"]}),                {"verification": EIDAS, "claims": {"given_name": "Maria"}}),
    ("no claim is left",         element(given_name={"value": "Max"}),                           None),
    ("no claim is known",        element(shoe_size=None),                                        None),
    ("unknown of a verification", element({**FRAMEWORK, "assurance_process": None, "x": None}),    {"verification": EIDAS, "claims": {"given_name": "Maria"}}),
    ("evidence by itself",       element({**FRAMEWORK, "evidence": None}),                       {"verification": {**EIDAS, "evidence": [{"type": "electronic_record"}]}, "claims": {"given_name": "Maria"}}),
    ("one of two kinds",         element({**FRAMEWORK, "evidence": [{"type": {"value": "document"}}, {"type": {"value": "electronic_record"}}]}),
                                                                                                 {"verification": {**EIDAS, "evidence": [{"type": "electronic_record"}]}, "claims": {"given_name": "Maria"}}),
    ("a list comes as a list",   [element()],                                                    [{"verification": EIDAS, "claims": {"given_name": "Maria"}}]),
    ("each by itself",           [element({"trust_framework": {"value": "x"}}), element(), element(family_name=None)],
                                                                                                 [{"verification": EIDAS, "claims": {"given_name": "Maria"}}, {"verification": EIDAS, "claims": {"family_name": "O'Møller"}}]),
]
# fmt: on


@pytest.mark.parametrize(("wish", "found"), [row[1:] for row in LEFT_OUT], ids=[row[0] for row in LEFT_OUT])
def test_left_out(whole: Whole, wish: Any, found: Any) -> None:
    assert told(whole, whole.agency(SHARED), wish) == found


def test_only_where_it_was_asked_for(whole: Whole) -> None:
    """§5.2: ID token and UserInfo are asked for apart; what is in the ID token was entered before it was signed."""
    agency = whole.agency()
    body = asked(whole, agency, id_token={"verified_claims": element()}, userinfo={"family_name": None})
    identity = agency.verify(body["id_token"])
    assert identity["verified_claims"] == {"verification": EIDAS, "claims": {"given_name": "Maria"}}
    assert "family_name" not in identity
    assert "given_name" not in identity
    assert [event.private.get("door") for event in whole.events()[:1]] == ["id_token"]
    answer = agency.call("GET", "/userinfo", token=body["access_token"]).json()
    assert answer == {"sub": body["subject"], "family_name": "O'Møller"}
    assert agency.items(body["access_token"])["identity.given_name"]["value"] == "Maria"
    assert whole.types()[-3:] == ["access.released"] * 3


def test_one_element_for_each_register(whole: Whole) -> None:
    """wire §5.3: what the population register says and what the tax register says have verifications of their own."""
    agency = whole.agency()
    found = told(whole, agency, element(given_name=None, birthdate=None, address=None))
    assert found["claims"] == {
        "given_name": "Maria",
        "birthdate": "1990-01-01",
        "address": {"street_address": "Fjordgata 7", "postal_code": "01100", "locality": "Norr", "country": "XN"},
    }


def test_what_the_person_refused_is_not_told(whole: Whole) -> None:
    """§5.7.3; a refusal looks like an absence."""
    agency = whole.agency(SHARED)
    maria = whole.present()
    wish = {"userinfo": {"verified_claims": element(), "email": None}}
    page = maria.comes_from(agency.asks(claims=json.dumps(wish)))
    body = agency.token(maria.shares(page))
    answer = agency.call("GET", "/userinfo", token=body["access_token"]).json()
    assert answer == {
        "sub": body["subject"],
        "verified_claims": {"verification": EIDAS, "claims": {"given_name": "Maria"}},
    }
    assert "contact.email" not in whole.events()[0].private["items"]


def test_a_register_that_is_silent_costs_its_claims_only(whole: Whole) -> None:
    """§5.7.2; after the first handing over the registers are asked anew, and one may not answer."""
    agency = whole.agency()
    wish = {"userinfo": {"verified_claims": element(), "email": None}}
    body = asked(whole, agency, **wish)
    agency.items(body["access_token"])
    whole.registers["population"].down = True
    answer = agency.call("GET", "/userinfo", token=body["access_token"])
    assert (answer.status_code, answer.json()) == (200, {"sub": body["subject"], "email": "maria@post.example"})
    assert whole.events()[0].private["items"] == {"contact.email": "provided"}


def test_after_a_stop_nothing(whole: Whole) -> None:
    agency, maria = whole.agency(), whole.present()
    page = maria.comes_from(agency.asks(claims=json.dumps({"userinfo": {"verified_claims": element()}})))
    body = agency.token(maria.shares(page))
    (permission,) = maria.sharing()
    maria.stops(permission)
    before = whole.size()
    answer = agency.call("GET", "/userinfo", token=body["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert whole.size() == before


def test_a_code_with_claims_is_spent_once(whole: Whole) -> None:
    """RFC 6749 §4.1.2, in the act that enters the release: a second use enters nothing and ends the first's tokens."""
    agency, maria = whole.agency(SHARED), whole.present()
    page = maria.comes_from(agency.asks(claims=json.dumps({"id_token": {"verified_claims": element()}})))
    code = agency.receives(maria.shares(page))["code"]
    first = agency.redeem(code)
    assert first.status_code == 200
    size = whole.size()
    again = agency.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert whole.size() == size
    assert agency.call("GET", "/userinfo", token=first.json()["access_token"]).status_code == 401


def test_the_document_says_so(whole: Whole) -> None:
    """§7."""
    told = whole.client().get("/.well-known/openid-configuration").json()
    assert told["verified_claims_supported"] is True
    assert told["trust_frameworks_supported"] == ["eidas"]
    assert told["evidence_supported"] == ["electronic_record"]
    assert told["electronic_records_supported"] == ["population_register"]
    assert {"given_name", "family_name", "birthdate", "address"} <= set(told["claims_in_verified_claims_supported"])
    assert "email" not in told["claims_in_verified_claims_supported"], "the account verifies nothing"
    assert set(told["claims_in_verified_claims_supported"]) <= set(told["claims_supported"])
    assert {"profile", "email", "phone", "address"} <= set(told["scopes_supported"])


def test_two_agencies_get_no_two_equal_references(whole: Whole) -> None:
    """Nothing that two agencies receive may be equal unless the person disclosed it."""
    wish = element({**FRAMEWORK, "verification_process": None})
    seen = []
    for agency in (whole.agency(), whole.agency(SHARED)):
        body = asked(whole, agency, userinfo={"verified_claims": wish})
        said = agency.call("GET", "/userinfo", token=body["access_token"]).json()
        seen.append({said["sub"], said["verified_claims"]["verification"]["verification_process"]})
    assert seen[0] & seen[1] == set()


def test_one_code_redeemed_by_many_at_once(whole: Whole) -> None:
    """RFC 6749 §4.1.2 under the ledger's lock: one answer, one entry of its release, never a server error."""
    agency, maria = whole.agency(SHARED), whole.present()
    page = maria.comes_from(agency.asks(claims=json.dumps({"id_token": {"verified_claims": element()}})))
    code = agency.receives(maria.shares(page))["code"]
    agency.call("POST", "/token", form={"grant_type": "x"})  # learns the nonce
    others = [whole.agency(SHARED) for _ in range(8)]
    for other in others:
        other.asked, other.dpop, other.nonce = agency.asked, agency.dpop, agency.nonce
    with ThreadPoolExecutor(len(others)) as threads:
        answers = list(threads.map(lambda one: one.redeem(code), others))
    said = sorted((answer.status_code, answer.json().get("error")) for answer in answers)
    assert said == [(200, None), *[(400, "invalid_grant")] * 7]
    assert whole.types().count("access.released") == 1


#: Everything of the use by a claim's name, or by the item's where no claim has one: the request is as wide as before.
WHOLE_USE = dict.fromkeys(
    [
        "given_name",
        "family_name",
        "birthdate",
        "address",
        "email",
        "address.municipality",
        "family.custody",
        "income.taxable_band",
        "contact.iban",
    ]
)


def test_a_visit_without_a_question_asks_the_registers_for_the_id_token(whole: Whole) -> None:
    """protocol §2: within what was decided nothing is shown, so the values are fetched when they are handed over."""
    agency, maria = whole.agency(), whole.present()
    page = maria.comes_from(agency.asks())
    boxes = [box["value"] for box in page.get("consent").find_all("input", type="checkbox")]
    agency.token(maria.shares(page, *boxes))
    wish = json.dumps({"id_token": WHOLE_USE})
    whole.registers["population"].asked.clear()
    identity = agency.verify(agency.token(maria.open(agency.asks(claims=wish)))["id_token"])
    assert (identity["given_name"], identity["email"]) == ("Maria", "maria@post.example")
    assert [phase for _, phase in whole.registers["population"].asked] == ["release"]
    assert whole.types()[-1] == "access.released"
    whole.registers["population"].eligible = False
    size = whole.size()
    answer = agency.redeem(agency.receives(maria.open(agency.asks(claims=wish)))["code"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert whole.size() == size
