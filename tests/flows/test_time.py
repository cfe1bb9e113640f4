"""Time passes: links, pages, codes, tokens, sessions and permissions end when they said they would, and a page says so."""

from collections.abc import Iterator

import pytest

from tests import clockwork
from tests import world as worlds
from tests.clockwork import Hand
from tests.world import World

DAY = 86_400


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with worlds.fresh_database() as url, clockwork.moving(tmp_path_factory.mktemp("moving"), url) as world:
        yield world


@pytest.fixture
def clock(world: World) -> Hand:
    assert isinstance(world.clock, Hand)
    return world.clock


def test_a_link_nobody_opened_in_a_minute(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    address = agency.asks()
    clock.moves_on(61)
    page = person.open(address)
    assert (page.status, page.get("problem")["data-code"]) == (400, "invalid_request_uri")


def test_a_link_opened_in_time_waits_for_a_slow_sign_in(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    form = person.open(agency.asks())
    clock.moves_on(300)
    agency.token(person.shares(person.sign_in(form)))


def test_a_page_nobody_answered(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    clock.moves_on(901)
    for late in (
        person.open(page.url),
        person.press(page, "consent", "share"),
        person.press(page, "consent", "refuse"),
    ):
        assert (late.status, late.get("already")["data-outcome"]) == (410, "expired")
        assert "Childcare allowance" in late.get("already").text
    assert [event.type for event in world.inside.events(person)] == ["access.previewed"]
    assert person.sharing() == {}
    agency.token(person.shares(person.open(agency.asks())))


def test_each_look_gives_more_time(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    for _ in range(3):
        clock.moves_on(600)
        page = person.open(page.url)
        assert page.has("consent")
    agency.token(person.shares(page, "contact.iban"))
    assert [event.type for event in world.inside.events(person)].count("access.previewed") == 1


def test_a_receipt_nobody_continued_from(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    done = person.press(person.comes_from(agency.asks()), "consent", "share")
    clock.moves_on(599)
    agency.token(person.press(done, "done", "continue"))
    person.stops(next(iter(person.sharing())))
    done = person.press(person.open(agency.asks()), "consent", "share")
    clock.moves_on(601)
    late = person.press(done, "done", "continue")
    assert (late.status, late.get("already")["data-outcome"]) == (410, "uncollected"), "not that nothing was shared"
    assert len(person.sharing()) == 2, "what was shared stands in the account, where it can be stopped"


def test_a_code_lives_a_minute(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    code = agency.receives(person.shares(person.comes_from(agency.asks())))["code"]
    clock.moves_on(61)
    assert agency.redeem(code).json()["error"] == "invalid_grant"
    back = person.open(agency.asks())
    clock.moves_on(58)
    token = agency.token(back)
    assert agency.data(token["access_token"]).status_code == 200


def test_a_token_lives_five_minutes(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks()), "contact.iban"))
    assert token["expires_in"] == 300
    clock.moves_on(298)
    assert agency.data(token["access_token"]).status_code == 200
    clock.moves_on(3)
    late = agency.data(token["access_token"])
    assert (late.status_code, late.json()["error"]) == (401, "invalid_token")
    again = agency.token(person.open(agency.asks()))
    assert again["grant_id"] == token["grant_id"], "the permission lives on"


def test_once_is_exhausted_afterwards(world: World, clock: Hand) -> None:
    person, office = world.neighbour(), world.agency("norr-planning")
    token = office.token(person.shares(person.comes_from(office.asks())))
    office.items(token["access_token"])
    clock.moves_on(16 * 60 + 1)
    assert office.data(token["access_token"]).status_code == 401
    card = person.open("/account/sharing").content.find(data_permission=token["grant_id"])
    assert card is not None
    assert card["data-state"] == "exhausted"
    assert not person.open(f"/account/sharing/{token['grant_id']}").links("/stop")
    assert person.open(office.asks()).has("consent")


def test_an_ongoing_permission_ends_on_its_day(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks()), duration="90"))
    clock.moves_on(89 * DAY)
    page = person.comes_from(agency.asks())
    assert agency.token(page)["grant_id"] == token["grant_id"]
    clock.moves_on(DAY)
    page = person.comes_from(agency.asks())
    assert page.has("consent"), "after its last day the person is asked again"
    second = agency.token(person.shares(page))
    assert second["grant_id"] != token["grant_id"]
    states = {
        e["data-permission"]: e["data-state"] for e in person.open("/account/sharing").content if "data-state" in e
    }
    assert states == {token["grant_id"]: "expired", second["grant_id"]: "live"}


def test_a_session_nobody_used(world: World, clock: Hand) -> None:
    person = world.neighbour()
    person.sign_in()
    for _ in range(3):
        clock.moves_on(1700)
        assert person.open("/account").status == 200
        assert not person.open("/account").has("sign-in")
    clock.moves_on(1801)
    assert person.open("/account").has("sign-in")


def test_a_session_used_all_day(world: World, clock: Hand) -> None:
    person = world.neighbour()
    person.sign_in()
    for _ in range(28):
        clock.moves_on(1500)
        assert not person.open("/account").has("sign-in")
    clock.moves_on(1500)
    assert person.open("/account").has("sign-in"), "after twelve hours everybody signs in again"


def test_too_old_a_sign_in(world: World, clock: Hand) -> None:
    person, agency = world.neighbour(), world.agency()
    person.sign_in()
    clock.moves_on(600)
    page = person.open(agency.asks(max_age="300"))
    assert page.has("sign-in")
    page = person.sign_in(page)
    token = agency.token(person.shares(page))
    told = agency.verify(token["id_token"])
    assert clock() - told["auth_time"] < 60


def test_wrong_passwords_lock_nobody_out_for_good(world: World, clock: Hand) -> None:
    person = world.neighbour()
    for _ in range(12):
        page = person.press(
            person.open("/sign-in"), "sign-in", "sign-in", username=person.person["username"], password="no" * 8
        )
    assert page.status == 429
    assert "minute" in page.content.text
    clock.moves_on(1800)
    assert not person.sign_in().has("sign-in")
    assert person.open("/account").status == 200


def test_an_offer_nobody_scanned(world: World, clock: Hand) -> None:
    person = world.neighbour()
    person.sign_in()
    page = person.open(person.open("/account/documents").links("add-to-wallet")[0])
    page = person.press(page, "add-to-wallet", "offer")
    clock.moves_on(601)
    assert person.open(page.url).status in {404, 410}
    assert person.open("/account/documents").status == 200
