"""The last look sees what it is for: each story here leaves something behind that must not be, and the look says so."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.database import Database
from consent import audit
from consent.errors import ConsentError
from tests import last_look
from tests.world import World


@pytest.fixture(autouse=True)
def world(demo: World) -> Iterator[World]:
    """The demo without the look at the end: the stories here spoil what it sees."""
    demo.check()
    yield demo
    demo.forget()
    demo.check()


@pytest.fixture
def said(world: World) -> dict[str, object]:
    """A data answer that a played agency got."""
    person, agency = world.neighbour(), world.agency()
    agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    return world.answers[-1]


def test_an_answer_without_its_entry(world: World, said: dict[str, object]) -> None:
    world.answers.append(said | {"ledger": {**said["ledger"], "seq": 10**9}})  # type: ignore[dict-item]  # as received
    with pytest.raises((AssertionError, KeyError)):
        last_look.check(world)


def test_an_answer_that_says_more_than_its_entry(world: World, said: dict[str, object]) -> None:
    items = {**said["items"], "identity.sex": {"status": "provided", "value": "2"}}  # type: ignore[dict-item]  # as received
    world.answers.append(said | {"items": items})
    with pytest.raises(AssertionError):
        last_look.check(world)


def test_a_credential_without_its_entry(world: World) -> None:
    world.received.append({"vct": "forged"})
    world.memory["issued"] = 10**6
    with pytest.raises(AssertionError, match="a credential has no entry"):
        last_look.check(world)
    world.memory["issued"] = 0


def test_a_value_in_an_address(world: World) -> None:
    person = world.neighbour()
    world.visited.append(f"{world.issuer}/account?name={world.inside.declared(person)['population']['family_name']}")
    with pytest.raises(AssertionError, match=r"family_name .* stands in an address"):
        last_look.check(world)


@pytest.mark.parametrize("spelled", [str, lambda value: json.dumps(value)[1:-1], lambda value: value.encode().hex()])
def test_a_value_in_the_log(world: World, spelled) -> None:  # type: ignore[no-untyped-def]  # ways to spell
    person = world.neighbour()
    with world.log.open("a") as log:
        log.write(spelled(world.inside.declared(person)["email"]) + "\n")
    with pytest.raises(AssertionError, match=r"email .* stands in the log"):
        last_look.check(world)


def test_a_failure_in_the_log(world: World) -> None:
    with world.log.open("a") as log:
        log.write('{"event": "failed", "level": "error"}\n')
    with pytest.raises(AssertionError, match="the server failed"):
        last_look.check(world)


@pytest.mark.parametrize("name", ["stray", "tile/0/stray"])
def test_a_value_or_a_stranger_in_the_published_files(world: World, name: str) -> None:
    person = world.neighbour()
    stray: Path = world.data / "ledger" / name
    stray.write_text(world.inside.declared(person)["tax"]["iban"])
    try:
        with pytest.raises(AssertionError), closing(Database.open(world.database_url)) as database:
            last_look.hidden(world, database)
        assert not audit.verify_folder(world.data / "ledger").ok
    finally:
        stray.unlink()


def test_an_event_that_does_not_fit(world: World, said: dict[str, object]) -> None:
    with world.inside.reading() as tx:
        events = last_look.opened(tx, world)
        given = next(seq for seq, one in events.items() if one.permission == said["grant_id"])
        with pytest.raises((AssertionError, ConsentError)):
            last_look.projected(tx, {seq: one for seq, one in events.items() if seq != given})
