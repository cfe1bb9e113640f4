"""Requests that are never sent to their end: they stop nobody, and are given up after a while."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2

from tests import machine_clock
from tests.actors import Citizen
from tests.flows import volley
from tests.world import World

EACH = 8  # of four kinds
MISSING = 20  # bytes of a body that are not sent
JOURNEYS = 3  # of which one must end in time: a machine that is busy is not a server that waits

Links = dict[str, list[socket.socket]]


@contextmanager
def half_sent(requests: dict[str, httpx2.Request]) -> Iterator[Links]:
    """Eight connections a request, each sent but for a few bytes of its body; and eight that end inside the head."""
    with ExitStack() as opened:
        links: Links = {}
        for name, request in requests.items():
            for _ in range(EACH):
                links.setdefault(name, []).append(opened.enter_context(volley.dial(request)))
                links[name][-1].sendall(volley.wire(request)[:-MISSING])
        head = volley.wire(next(iter(requests.values()))).split(volley.LINES_END)[0]
        for part in range(EACH):
            links.setdefault("head", []).append(opened.enter_context(volley.dial(next(iter(requests.values())))))
            links["head"][-1].sendall(head[: len(head) * part // EACH])  # the first one says nothing at all
        yield links


def heard(links: list[socket.socket]) -> list[socket.socket]:
    """The connections on which the server has said something, if only goodbye."""
    return select.select(links, [], [], 0)[0]


def consenting(world: World, citizen: Citizen) -> httpx2.Request:
    """What the browser of a person at the decision would send on Share."""
    page = citizen.comes_from(world.agency().asks())
    said = citizen.fields(page, "consent") | {"decision": "share"}
    return citizen.walker.http.build_request("POST", page.url, data=said)


def test_32_half_sent_requests_stop_nobody(world: World) -> None:
    deciding, agency = world.neighbour(), world.agency()
    agency.asks()  # learns a nonce
    requests = {
        "token": volley.signed(agency, "/token", {"grant_type": "authorization_code", "code": "x" * 43}),
        "par": volley.signed(agency, "/par", agency.request()),
        "consent": consenting(world, deciding),
    }
    assert any(served_meanwhile(world, requests) for _ in range(JOURNEYS)), "nobody is served before they are given up"
    with half_sent(requests) as links:
        whole = links["par"].pop()  # slow, but honest
        whole.sendall(volley.wire(requests["par"])[-MISSING:])
        answer = answer_on(whole)
        assert answer is not None
        assert answer.status_code == 201
        given_up(links)
    back = deciding.shares(deciding.open(requests["consent"].url.path))
    assert "code=" in back.url, "half a Share has decided something"


def served_meanwhile(world: World, requests: dict[str, httpx2.Request]) -> bool:
    """Whether a whole journey comes to its end while all 32 are still held; on a machine too slow for that it may not."""
    with half_sent(requests) as links:
        everyone = [link for kind in links.values() for link in kind]
        assert len(everyone) == 32
        journey(world)
        return heard(everyone) == []


def journey(world: World) -> None:
    """Sign-in, decision, receipt, data."""
    person, agency = world.neighbour(), world.agency()
    assert world.http.get(f"{world.issuer}/healthz").status_code == 200
    back = person.shares(person.comes_from(agency.asks()), "contact.iban")
    items = agency.items(agency.token(back)["access_token"])
    assert items["contact.iban"]["status"] == "provided"


def given_up(links: Links) -> None:
    """Wait until the server lets go of every connection: half a head without a word, half a body with 408."""
    patience = machine_clock.Patience()
    for kind, connections in links.items():
        for link in connections:
            link.settimeout(max(0.1, patience.left))
            answer = answer_on(link)
            assert (answer.status_code if answer else None) == (None if kind == "head" else 408)


def answer_on(link: socket.socket) -> httpx2.Response | None:
    """Everything the server still says on a connection, until it closes it."""
    said = b""
    while chunk := link.recv(1 << 16):
        said += chunk
    return volley.parse(said)
