"""Requests that are never sent to their end: they stop nobody, and are given up after a while."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2

from tests.actors import Citizen
from tests.flows import volley
from tests.world import World

EACH = 8  # of four kinds
MISSING = 20  # bytes of a body that are not sent
ANSWER_SECONDS = 1.0
JOURNEYS = (
    3  # of which one must be quick throughout: a machine that is busy with other things is not a server that waits
)
GIVEN_UP_SECONDS = 10 + 5  # what the server waits for a head or a body, and as much again as a busy machine needs

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


@contextmanager
def timed(http: httpx2.Client) -> Iterator[dict[str, float]]:
    """How long each answer takes, in seconds: the longest by method and address."""
    began: dict[int, float] = {}
    longest: dict[str, float] = {}

    def sent(request: httpx2.Request) -> None:
        began[id(request)] = time.monotonic()

    def came(answer: httpx2.Response) -> None:
        answer.read()
        name = f"{answer.request.method} {answer.request.url.path}"
        longest[name] = max(longest.get(name, 0.0), time.monotonic() - began.pop(id(answer.request)))

    before = {name: list(hooks) for name, hooks in http.event_hooks.items()}
    http.event_hooks = {"request": [*before["request"], sent], "response": [*before["response"], came]}
    try:
        yield longest
    finally:
        http.event_hooks = before


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
    with half_sent(requests) as links:
        everyone = [link for kind in links.values() for link in kind]
        assert len(everyone) == 32
        journeys = [journey(world)]
        while slow(journeys[-1]) and len(journeys) < JOURNEYS:
            journeys.append(journey(world))
        assert heard(everyone) == [], "the server gave some up too soon for this test to mean anything"
        assert not slow(journeys[-1]), f"answered in a second or more: {[slow(one) for one in journeys]}"

        whole = links["par"].pop()  # slow, but honest
        whole.sendall(volley.wire(requests["par"])[-MISSING:])
        assert answer_on(whole).status_code == 201
        given_up(links)
    back = deciding.shares(deciding.open(requests["consent"].url.path))
    assert "code=" in back.url, "half a Share has decided something"


def journey(world: World) -> dict[str, float]:
    """Sign-in, decision, receipt, data; and how long each answer took."""
    person, agency = world.neighbour(), world.agency()
    with timed(world.http) as programs, timed(person.walker.http) as pages:
        assert world.http.get(f"{world.issuer}/healthz").status_code == 200
        back = person.shares(person.comes_from(agency.asks()), "contact.iban")
        items = agency.items(agency.token(back)["access_token"])
        assert items["contact.iban"]["status"] == "provided"
    assert {"POST /par", "POST /token", "GET /prefill", "GET /healthz"} <= programs.keys()
    assert sum(name.startswith("POST") for name in pages) == 4  # password, code, Share, Continue
    return programs | pages


def slow(taken: dict[str, float]) -> dict[str, float]:
    """What took longer than anything may."""
    return {name: seconds for name, seconds in taken.items() if seconds >= ANSWER_SECONDS}


def given_up(links: Links) -> None:
    """Wait until the server lets go of every connection: half a head without a word, half a body with 408."""
    until = time.monotonic() + GIVEN_UP_SECONDS
    for kind, connections in links.items():
        for link in connections:
            link.settimeout(max(0.1, until - time.monotonic()))
            answer = answer_on(link)
            assert (answer.status_code if answer else None) == (None if kind == "head" else 408)


def answer_on(link: socket.socket) -> httpx2.Response | None:
    """Everything the server still says on a connection, until it closes it."""
    said = b""
    while chunk := link.recv(1 << 16):
        said += chunk
    return volley.parse(said)
