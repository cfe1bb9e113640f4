"""A code used twice, or by somebody else: refused, and the tokens of the first use end (RFC 6749 §4.1.2, RFC 9449 §10)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.world import World


def test_a_second_use_ends_the_tokens_of_the_first(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    back = person.shares(person.comes_from(agency.asks()), "contact.iban")
    token = agency.token(back)
    assert agency.data(token["access_token"]).status_code == 200
    again = agency.redeem(agency.receives(back)["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    for path in ("/prefill", "/userinfo"):
        assert agency.call("GET", path, token=token["access_token"]).status_code == 401
    assert world.inside.permission(person, token["grant_id"]).state == "live", "the permission is the person's to end"
    fresh = agency.token(person.open(agency.asks()))
    assert fresh["grant_id"] == token["grant_id"]
    assert agency.data(fresh["access_token"]).status_code == 200


def test_another_agency_cannot_use_it_nor_end_its_tokens(world: World) -> None:
    person, agency, office = world.neighbour(), world.agency(), world.agency("norr-planning")
    back = person.shares(person.comes_from(agency.asks()))
    code = agency.receives(back)["code"]
    office.asked = agency.asked
    assert office.redeem(code, redirect_uri=agency.callback).json()["error"] == "invalid_grant"
    token = agency.token(back)
    assert office.redeem(code, redirect_uri=agency.callback).json()["error"] == "invalid_grant"
    assert agency.data(token["access_token"]).status_code == 200


WRONG = [
    {"code_verifier": "A" * 64},
    {"code_verifier": ""},
    {"redirect_uri": "http://127.0.0.1:1/callback"},
    {"redirect_uri": ""},
    {"code": "A" * 43},
    {"grant_type": "refresh_token"},
    {"grant_type": "password"},
]


@pytest.mark.parametrize("changed", WRONG)
def test_a_wrong_redemption_spends_nothing(world: World, changed: dict[str, str]) -> None:
    person, agency = world.neighbour(), world.agency()
    back = person.shares(person.comes_from(agency.asks()))
    code = agency.receives(back)["code"]
    answer = agency.redeem(**{"code": code} | changed)
    assert answer.status_code == 400
    refused = {"invalid_grant", "invalid_request", "unsupported_grant_type", "unauthorized_client"}
    assert answer.json()["error"] in refused
    agency.token(back)


def test_the_code_is_bound_to_the_key_it_was_asked_with(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    back = person.shares(person.comes_from(agency.asks()))
    own, agency.dpop = agency.dpop, ec.generate_private_key(ec.SECP256R1())
    assert agency.redeem(agency.receives(back)["code"]).json()["error"] == "invalid_grant"
    agency.dpop = own
    agency.token(back)


def test_a_token_needs_its_key(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))["access_token"]
    size = world.inside.size()
    stranger = world.agency()
    assert stranger.data(token).status_code == 401
    bearer = world.http.get(f"{world.issuer}/prefill", headers={"Authorization": f"Bearer {token}"})
    query = world.http.get(f"{world.issuer}/prefill", params={"access_token": token})
    world.visited.remove(str(query.request.url))
    assert (bearer.status_code, query.status_code) == (401, 401)
    assert world.inside.size() == size


def test_a_proof_counts_once(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))["access_token"]
    agency.items(token)
    headers = {"DPoP": agency.proof("GET", f"{world.issuer}/prefill", token), "Authorization": f"DPoP {token}"}
    first = world.http.get(f"{world.issuer}/prefill", headers=headers)
    second = world.http.get(f"{world.issuer}/prefill", headers=headers)
    assert (first.status_code, second.status_code) == (200, 401)
    assert second.json()["error"] == "invalid_dpop_proof"
    world.answers.append(first.json() | {"client": agency.client_id})
