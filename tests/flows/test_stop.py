"""Stop sharing: from that moment the agency gets nothing, and is told why (GDPR art. 7(3))."""

import pytest

from tests.world import World

ENDED = "the person ended this permission"


def test_the_next_call_says_why(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks()), "contact.iban"))
    agency.items(token["access_token"])
    page = person.stops(token["grant_id"], ask_erasure="yes")
    assert page.has("stopped")
    assert "delete" in page.get("stopped").text
    for path in ("/prefill", "/userinfo"):
        answer = agency.call("GET", path, token=token["access_token"])
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert answer.json()["error_description"] == ENDED
        assert f'error_description="{ENDED}"' in answer.headers["www-authenticate"]
    stopped = world.inside.events(person)[0]
    assert (stopped.type, stopped.body["erasure"]) == ("permission.withdrawn", "asked")
    assert "released" not in stopped.type
    states = {
        e["data-permission"]: e["data-state"] for e in person.open("/account/sharing").content if "data-state" in e
    }
    assert states == {token["grant_id"]: "withdrawn"}


def test_before_the_code_is_redeemed(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    code = agency.receives(person.shares(person.comes_from(agency.asks())))["code"]
    rows = world.inside.rows("sealed_row")
    person.stops(next(iter(person.sharing())))
    assert world.inside.rows("sealed_row") == rows - 1, "the values are still kept"
    answer = agency.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_before_continue(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    done = person.press(person.comes_from(agency.asks()), "consent", "share")
    person.stops(next(iter(person.sharing())))
    page = person.press(done, "done", "continue")
    if page.url.startswith(agency.callback):
        assert agency.redeem(agency.receives(page)["code"]).json()["error"] == "invalid_grant"
    else:
        assert page.has("already")


def test_after_it_the_person_is_asked_again(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    first = agency.token(person.shares(person.comes_from(agency.asks())))
    person.stops(first["grant_id"])
    page = person.open(agency.asks())
    assert page.has("consent")
    second = agency.token(person.shares(page))
    assert second["grant_id"] != first["grant_id"]
    assert agency.items(second["access_token"])["identity.given_name"]["status"] == "provided"
    assert agency.data(first["access_token"]).status_code == 401


def test_twice_is_once(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    form = person.open(f"/account/sharing/{token['grant_id']}/stop")
    person.press(form, "stop", "stop-sharing")
    again = person.press(form, "stop", "stop-sharing")
    assert again.has("stopped")
    assert [event.type for event in world.inside.events(person)].count("permission.withdrawn") == 1
    assert not person.open(form.url).has("stop")


def test_only_the_own_ones(world: World) -> None:
    person, stranger, agency = world.neighbour(), world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))
    own = agency.token(stranger.shares(stranger.comes_from(agency.asks())))
    for path in ("", "/stop"):
        assert stranger.open(f"/account/sharing/{token['grant_id']}{path}").status == 404
    form = stranger.open(f"/account/sharing/{own['grant_id']}/stop")
    said = stranger.fields(form, "stop") | {"action": "stop-sharing"}
    answer = stranger.walker.post(form.url.replace(own["grant_id"], token["grant_id"]), **said)
    assert answer.status_code == 404
    assert agency.data(token["access_token"]).status_code == 200


@pytest.mark.parametrize("token", [None, "00" * 32])
def test_stopping_takes_the_own_form(world: World, token: str | None) -> None:
    person, agency = world.neighbour(), world.agency()
    given = agency.token(person.shares(person.comes_from(agency.asks())))
    address = f"{world.issuer}/account/sharing/{given['grant_id']}/stop"
    said = {"action": "stop-sharing"} | ({} if token is None else {"form_token": token})
    assert person.walker.post(address, **said).status_code == 403
    assert agency.data(given["access_token"]).status_code == 200


def test_one_agency_stopped_the_other_goes_on(world: World) -> None:
    person, agency, office = world.neighbour(), world.agency(), world.agency("norr-planning")
    one = agency.token(person.shares(person.comes_from(agency.asks())))
    two = office.token(person.shares(person.open(office.asks())))
    person.stops(one["grant_id"])
    assert agency.data(one["access_token"]).status_code == 401
    assert office.data(two["access_token"]).status_code == 200
