"""Pressed twice, gone back, opened elsewhere: a page says what already happened, and it happened once."""

from concurrent.futures import ThreadPoolExecutor

from tests.world import World


def outcome(page) -> str:  # type: ignore[no-untyped-def]  # a page, as walked
    return str(page.get("already")["data-outcome"])


def test_share_pressed_twice_shares_once(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    first = person.press(page, "consent", "share", item=["contact.iban"])
    second = person.press(page, "consent", "share", item=[])
    assert first.get("done")["action"] == second.get("done")["action"]
    assert len(person.sharing()) == 1
    one = agency.receives(person.press(first, "done", "continue"))
    two = agency.receives(person.press(second, "done", "continue"))
    assert one == two, "the same code while it is unspent"
    token = agency.redeem(one["code"]).json()
    assert agency.items(token["access_token"])["contact.iban"]["status"] == "provided", "the first press counts"


def test_both_presses_at_the_same_moment(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    with ThreadPoolExecutor(4) as hands:
        pages = list(hands.map(lambda _: person.press(page, "consent", "share"), range(4)))
    assert {p.heading for p in pages} == {pages[0].heading}
    assert len(person.sharing()) == 1
    with ThreadPoolExecutor(4) as hands:
        codes = {
            agency.receives(back)["code"] for back in hands.map(lambda p: person.press(p, "done", "continue"), pages)
        }
    assert len(codes) == 1
    assert [event.type for event in world.inside.events(person)] == ["permission.given", "access.previewed"]


def test_share_and_dont_share_at_the_same_moment(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    with ThreadPoolExecutor(4) as hands:
        pages = list(hands.map(lambda button: person.press(page, "consent", button), ["share", "refuse"] * 2))
    refused = [p for p in pages if p.url.startswith(agency.callback)]
    given = person.sharing()
    if refused:
        assert agency.receives(refused[0]) == {"error": "access_denied"}
        assert (given, len(world.inside.activity(person))) == ({}, 1)
    else:
        assert (len(given), world.inside.activity(person)) == (1, [])
        agency.token(person.press(pages[0], "done", "continue"))


def test_back_after_sharing(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    done = person.press(page, "consent", "share")
    assert person.open(page.url).has("done"), "the decision leads to its receipt"
    agency.token(person.press(done, "done", "continue"))
    for address in (page.url, done.url):
        again = person.open(address)
        assert (again.status, outcome(again)) == (410, "returned")
    late = person.press(page, "consent", "share")
    assert outcome(late) == "returned"
    assert outcome(person.press(done, "done", "continue")) == "returned"
    assert len(person.sharing()) == 1


def test_the_same_link_again_in_the_same_browser(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    address = agency.asks()
    page = person.comes_from(address)
    assert person.open(address).url == page.url, "until it is answered, the same journey"
    agency.token(person.shares(page))
    closed = person.open(address)
    assert (closed.status, closed.get("problem")["data-code"]) == (400, "invalid_request_uri")


def test_a_second_browser_sees_nothing_of_it(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    address = agency.asks()
    page = person.comes_from(address)
    other = person.elsewhere()
    assert other.open(address).get("problem")["data-code"] == "invalid_request_uri"
    other.sign_in()
    seen = other.open(page.url)
    assert (seen.status, outcome(seen)) == (403, "other_browser")
    assert not seen.has("consent")
    assert other.open(page.url.replace("/consent", "/done")).status == 403
    answer = other.walker.post(page.url, decision="share", **person.fields(page, "consent"))
    assert answer.status_code == 403
    assert person.sharing() == {}
    agency.token(person.shares(page))


def test_another_persons_browser(world: World) -> None:
    person, stranger, agency = world.neighbour(), world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    stranger.sign_in()
    assert outcome(stranger.open(page.url)) == "other_browser"


def test_two_agencies_at_once_in_one_browser(world: World) -> None:
    person, agency, office = world.neighbour(), world.agency(), world.agency("norr-planning")
    one = person.comes_from(agency.asks())
    two = person.open(office.asks())
    first = agency.token(person.shares(one, "contact.iban"))
    second = office.token(person.shares(two))
    assert agency.items(first["access_token"])["contact.iban"]["status"] == "provided"
    assert office.items(second["access_token"])["address.registered"]["status"] == "provided"


def test_two_tabs_of_one_agency(world: World) -> None:
    person, agency, again = world.neighbour(), world.agency(), world.agency()
    one = person.comes_from(agency.asks())
    two = person.open(again.asks())
    first = agency.token(person.shares(one, "contact.iban"))
    second = again.token(person.shares(two, "contact.email"))
    assert world.inside.permission(person, first["grant_id"]).state == "superseded"
    assert world.inside.permission(person, second["grant_id"]).state == "live"
    assert agency.data(first["access_token"]).status_code == 401
    assert again.items(second["access_token"])["contact.iban"]["status"] == "not_provided"


def test_dont_share_counts_also_after_sharing_in_another_tab(world: World) -> None:
    person, agency, again = world.neighbour(), world.agency(), world.agency()
    one = person.comes_from(agency.asks())
    two = person.open(again.asks())
    first = agency.token(person.shares(one))
    assert again.receives(person.press(two, "consent", "refuse")) == {"error": "access_denied"}
    assert world.inside.permission(person, first["grant_id"]).state == "live"
    assert agency.data(first["access_token"]).status_code == 200
