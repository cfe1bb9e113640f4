"""Kill -9 in the middle of 200 releases: whatever was answered is in the ledger, which has neither gap nor fork."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests import machine_clock
from tests.actors import Agency, unb64
from tests.flows import volley
from tests.flows.service import Service
from tests.world import CHECKOUT, World

RELEASES = 200
PEOPLE = 4  # each shares with an agency that may ask again: four access tokens


@dataclass(frozen=True)
class Checkpoint:
    """What an auditor kept of a ledger: its size and root."""

    size: int
    root: bytes

    @classmethod
    def of(cls, world: World) -> "Checkpoint":
        _, size, root, *_ = world.http.get(f"{world.issuer}/ledger/checkpoint").text.split("\n")
        return cls(int(size), unb64(root.translate(str.maketrans("+/", "-_")).rstrip("=")))


@pytest.fixture(scope="module")
def held(service: Service) -> list[tuple[Agency, str]]:
    """Access tokens of some people, each used once: the agency knows a nonce."""
    found = []
    for citizen in [service.world.neighbour() for _ in range(PEOPLE)]:
        agency = service.world.agency()
        token = agency.token(citizen.shares(citizen.comes_from(agency.asks())))["access_token"]
        assert agency.data(token).status_code == 200
        found.append((agency, token))
    return found


def interrupted(world: World, held: Sequence[tuple[Agency, str]], kill: Any, *, after: int) -> list[dict[str, Any]]:
    """Ask for 200 releases at once and kill when so many were answered; the answers that came whole.

    On PostgreSQL a second worker may live on, and answers everything that it was asked.
    """
    calls = [held[number % len(held)] for number in range(RELEASES)]
    answers = volley.at_once(
        [volley.release(agency, token) for agency, token in calls],
        answered=lambda count: kill() if count == after else None,
    )
    assert {answer.status_code for answer in answers if answer is not None} == {200}
    assert answers.count(None) > 0, "everything was answered before the kill"
    got = [
        answer.json() | {"client": agency.client_id}
        for (agency, _), answer in zip(calls, answers, strict=True)
        if answer is not None
    ]
    assert len(got) >= after
    world.answers += got
    return got


@pytest.mark.parametrize("after", [1, 50, 100])
def test_what_was_answered_is_in_the_ledger(
    service: Service, world: World, held: list[tuple[Agency, str]], after: int
) -> None:
    before = [Checkpoint.of(world)]
    answered = interrupted(world, held, service.kill_worker, after=after)
    service.wait_broker()  # nobody starts it: its parent does
    before.append(Checkpoint.of(world))
    answered += interrupted(world, held, service.kill_all, after=after)
    service.start_broker()
    agency, token = held[0]
    assert agency.data(token).status_code == 200, "a token that was good before is good after"
    places = {answer["ledger"]["seq"]: answer["ledger"]["leaf"] for answer in answered}
    assert len(places) == len(answered), "two releases have one place"
    published = entries(world, reaching=max(places))
    assert {seq: published[seq] for seq in places} == {seq: unb64(leaf) for seq, leaf in places.items()}
    for checkpoint in before:
        assert root(published[: checkpoint.size]) == checkpoint.root, "the ledger does not begin with what was signed"
    verified(f"{world.issuer}/ledger", str(world.data / "ledger"))


def entries(world: World, *, reaching: int) -> list[bytes]:
    """The published entries, as any auditor fetches them (C2SP tlog-tiles), once they reach this number."""
    machine_clock.wait_for(lambda: Checkpoint.of(world).size > reaching, lambda: "the publisher does not go on")
    size = Checkpoint.of(world).size
    found: list[bytes] = []
    while len(found) < size:
        number, width = len(found) // 256, min(256, size - len(found))
        path = f"{number:03}" + (f".p/{width}" if width < 256 else "")
        bundle = world.http.get(f"{world.issuer}/ledger/tile/entries/{path}").raise_for_status().content
        found += split(bundle)
    assert len(found) == size
    return found


def split(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle: each has its length before it."""
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over these entries (RFC 6962 §2.1)."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:left]) + root(leaves[left:])).digest()


def verified(*sources: str) -> None:
    """`semel ledger verify` finds nothing wrong."""
    command = [sys.executable, "-m", "broker.cli", "ledger", "verify"]
    running = [
        subprocess.Popen([*command, source], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for source in sources
    ]
    for process in running:
        said, _ = process.communicate()
        assert process.returncode == 0, said
