"""Proof of residence into a wallet: offer, fresh code, number, credential; five wrong numbers and it is over (OpenID4VCI 1.0)."""

from urllib.parse import urljoin

import pytest

from examples import holder
from examples.browse import Page
from tests import machine_clock
from tests.actors import Citizen
from tests.world import World


def offered(person: Citizen) -> tuple[str, Page]:
    """The offer a wallet scans, and the page it stands on."""
    page = person.open("/account/documents")
    page = person.open(page.links("add-to-wallet")[0])
    page = person.press(page, "add-to-wallet", "offer")
    return page.get("credential-offer")["href"], page


def number(person: Citizen, page: Page) -> str:
    """The transaction code, after a fresh one-time code."""
    page = person.open(page.links("/code")[0])
    assert page.has("one-time-code"), "the number is shown without a fresh code"
    return person.press(page, "one-time-code", "continue", code=person.codes.code()).get("tx-code").text


def test_a_credential_in_the_wallet(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, page = offered(person)
    square = page.content.find("img", width="264")
    assert square is not None
    picture = person.walker.http.get(urljoin(page.url, square["src"]))
    assert picture.headers["content-type"].startswith("image/svg")
    held = world.holder.takes(offer, number(person, page))
    claims, known = world.received[-1], world.inside.declared(person)["population"]
    assert claims["address"]["street_address"] == known["street_address"]
    assert claims["family_name"] == known["family_name"]
    assert 0 < claims["exp"] - machine_clock.seconds() <= 86_400
    assert [event.type for event in world.inside.events(person)] == ["credential.issued", "permission.given"]
    shown = holder.present(held, ["address.locality"], audience="https://verifier.example", nonce="n")
    assert known["street_address"] not in str(holder.verify(shown.rsplit("~", 1)[0] + "~", world.http))
    page = person.open("/account/documents")
    states = [e["data-state"] for e in page.content if "data-document" in e and "data-state" in e]
    assert states == ["issued"]
    assert len(person.sharing()) == 1


def test_one_copy_only(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, page = offered(person)
    digits = number(person, page)
    world.holder.takes(offer, digits)
    with pytest.raises(holder.Refused):
        world.holder.takes(offer, digits)
    assert [event.type for event in world.inside.events(person)].count("credential.issued") == 1


def test_five_wrong_numbers_end_it(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, page = offered(person)
    right = number(person, page)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _ in range(5):
        with pytest.raises(holder.Refused) as refused:
            world.holder.takes(offer, wrong)
        assert refused.value.code == "invalid_grant"
    with pytest.raises(holder.Refused):
        world.holder.takes(offer, right)
    assert "credential.issued" not in [event.type for event in world.inside.events(person)]


def test_four_wrong_numbers_do_not(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, page = offered(person)
    right = number(person, page)
    for wrong in ("000000", "", "12345", "1234567"):
        with pytest.raises(holder.Refused):
            world.holder.takes(offer, wrong if wrong != right else "999999")
    world.holder.takes(offer, right)


@pytest.mark.parametrize("digits", [None, "123456"])
def test_a_photographed_square_is_not_enough(world: World, digits: str | None) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, _page = offered(person)
    with pytest.raises(holder.Refused) as refused:
        world.holder.takes(offer, digits)
    assert refused.value.code in {"invalid_request", "invalid_grant"}


def test_somebody_elses_offer_page(world: World) -> None:
    person, stranger = world.neighbour(), world.neighbour()
    person.sign_in()
    stranger.sign_in()
    _offer, page = offered(person)
    for address in (page.url, page.links("/code")[0]):
        seen = stranger.open(address)
        assert seen.status in {404, 410}
        assert not seen.has("credential-offer")


def test_stopped_before_the_wallet_came(world: World) -> None:
    person = world.neighbour()
    person.sign_in()
    offer, page = offered(person)
    digits = number(person, page)
    person.stops(next(iter(person.sharing())))
    with pytest.raises(holder.Refused):
        world.holder.takes(offer, digits)
    assert world.received == []


def test_a_protected_address_goes_into_no_wallet(world: World) -> None:
    person = world.citizen("protected")
    person.sign_in()
    page = person.open("/account/documents")
    assert page.status == 200
    offer, page = offered(person)
    with pytest.raises(holder.Refused):
        world.holder.takes(offer, number(person, page))
    assert world.received == []


def test_no_wallet_without_proven_identity(world: World) -> None:
    for persona in ("plain", "unproven"):
        person = world.citizen(persona)
        person.sign_in()
        page = person.open("/account/documents")
        assert page.links("add-to-wallet") == [] or person.open(page.links("add-to-wallet")[0]).status in {403, 404}
