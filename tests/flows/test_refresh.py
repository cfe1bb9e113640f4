"""An agency comes back without the person: while the permission lives, and no longer (RFC 6749 §6, RFC 7009)."""

from collections import Counter
from typing import Any

from tests.actors import Agency, Citizen
from tests.flows import volley
from tests.flows.service import Service
from tests.world import World

MANY = 64


def shared(world: World) -> tuple[Citizen, Agency, dict[str, Any]]:
    """A person, an agency, and what its code gave."""
    person, agency = world.neighbour(), world.agency()
    return person, agency, agency.token(person.shares(person.comes_from(agency.asks())))


def refresh(agency: Agency, token: str) -> Any:
    return agency.post("/token", {"grant_type": "refresh_token", "refresh_token": token})


def test_the_data_again_and_each_time_an_entry(world: World) -> None:
    person, agency, first = shared(world)
    before = agency.items(first["access_token"])
    second = refresh(agency, first["refresh_token"])
    assert second.status_code == 200, second.text
    body = second.json()
    assert "refresh_token" not in body
    assert agency.verify(body["id_token"])["sub"] == first["subject"]
    again = agency.items(body["access_token"])
    assert {item: one["status"] for item, one in again.items()} == {item: one["status"] for item, one in before.items()}
    assert again["identity.given_name"]["value"] == before["identity.given_name"]["value"]
    released = [event for event in world.inside.events(person) if event.type == "access.released"]
    assert [event.permission for event in released] == [first["grant_id"]] * 2


def test_a_stop_ends_it(world: World) -> None:
    person, agency, first = shared(world)
    body = refresh(agency, first["refresh_token"]).json()
    tokens, rows = world.inside.rows("refresh_token"), world.inside.rows("sealed_row")
    person.stops(first["grant_id"])
    assert world.inside.rows("refresh_token") == tokens - 1
    assert world.inside.rows("sealed_row") == rows - 2, "who it was is still kept"
    answer = refresh(agency, first["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    late = agency.data(body["access_token"])
    assert (late.status_code, late.json()["error"]) == (401, "invalid_token")


def test_the_agency_gives_it_back(world: World) -> None:
    """The permission stays the person's: it is still in the account, and the agency may ask again."""
    person, agency, first = shared(world)
    answer = agency.post("/revocation", {"token": first["refresh_token"]})
    assert (answer.status_code, answer.json()) == (200, {})
    assert refresh(agency, first["refresh_token"]).json()["error"] == "invalid_grant"
    assert agency.data(first["access_token"]).status_code == 401
    assert first["grant_id"] in person.sharing()


def test_an_agency_learns_nothing_about_its_own_tokens(world: World) -> None:
    _, agency, first = shared(world)
    for token in (first["access_token"], first["refresh_token"]):
        answer = agency.post("/introspection", {"token": token})
        assert (answer.status_code, answer.json()) == (200, {"active": False})


def test_after_kill_minus_nine(service: Service, world: World) -> None:
    _, agency, first = shared(world)
    revoked = refresh(agency, first["refresh_token"]).json()["access_token"]
    assert agency.post("/revocation", {"token": revoked}).status_code == 200
    service.kill_all()
    service.start_broker()
    assert agency.data(revoked).status_code == 401
    body = refresh(agency, first["refresh_token"]).json()
    assert agency.items(body["access_token"])


def test_sixty_four_at_once(service: Service, world: World) -> None:
    """A token that is not rotated serves all of them; none fails, and no two get the same."""
    _, agency, first = shared(world)
    said = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    answers = service.volley([volley.signed(agency, "/token", said) for _ in range(MANY)])
    assert Counter(answer.status_code for answer in answers) == {200: MANY}
    assert len({answer.json()["access_token"] for answer in answers}) == MANY


def test_given_back_among_sixty_four(service: Service, world: World) -> None:
    """Whoever was first: afterwards nothing of it lives."""
    _, agency, first = shared(world)
    said = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    calls = [volley.signed(agency, "/token", said) for _ in range(MANY)]
    calls.insert(MANY // 2, volley.signed(agency, "/revocation", {"token": first["refresh_token"]}))
    answers = service.volley(calls)
    assert answers.pop(MANY // 2).status_code == 200
    assert {(a.status_code, a.json().get("error")) for a in answers} <= {(200, None), (400, "invalid_grant")}
    got = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    for token in [first["access_token"], *got[:3]]:
        assert agency.data(token).status_code == 401
