"""Polling: what is handed out, acknowledged, refused, waited for (RFC 8936 §2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from broker.database import Database
from broker.endpoints import poll
from broker.endpoints import streams as endpoint
from broker.errors import Wire
from broker.notices import event_types, streams
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.tables import security_event
from keys.keyring import RootKeyring
from tests import machine_clock
from tests.broker import signals
from tests.broker.signals import STATUS, STREAMS, VERIFICATION, VERIFY, Receiver
from tests.broker.whole import Whole


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process; its agencies may hear of security events."""
    with signals.running(database, database_url, tmp_path, now) as running:
        yield running


@pytest.fixture
def agency(whole: Whole) -> Receiver:
    """An agency with a stream; it waits no longer than a second."""
    whole.give(durations=signals.SHORT)
    made = signals.receiver(whole)
    made.create()
    return made


def raises(whole: Whole, agency: Receiver, *states: str) -> None:
    """Put verifications into the stream, a second apart."""
    with whole.parts.database.write() as tx:
        stream = streams.find(tx, agency.agency.client_id, agency.stream_id)
        assert stream is not None
        for n, state in enumerate(states):
            event = event_types.verification(agency.stream_id, state)
            whole.parts.signals.send(tx, stream, event, whole.clock() + n * 1_000_000)


def states(agency: Receiver, sets: dict[str, str]) -> list[str]:
    return [agency.reads(text, jti)["events"][VERIFICATION]["state"] for jti, text in sets.items()]


def count(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(security_event)).scalar_one())


def test_until_it_is_acknowledged(whole: Whole, agency: Receiver) -> None:
    """§2.4: the same events come again, under the same ids; once acknowledged never more."""
    raises(whole, agency, "a", "b")
    first, again = agency.polls()["sets"], agency.polls()["sets"]
    assert first.keys() == again.keys()
    assert sorted(states(agency, first)) == ["a", "b"]
    jti = next(jti for jti in first if states(agency, {jti: first[jti]}) == ["a"])
    assert states(agency, agency.polls(ack=[jti])["sets"]) == ["b"]
    assert count(whole) == 1


def test_the_oldest_first_and_how_many(whole: Whole, agency: Receiver) -> None:
    raises(whole, agency, *"abcde")
    told = agency.polls(maxEvents=2)
    assert (sorted(states(agency, told["sets"])), told["moreAvailable"]) == (["a", "b"], True)
    told = agency.polls(maxEvents=3, ack=list(told["sets"]))
    assert (sorted(states(agency, told["sets"])), "moreAvailable" in told) == (["c", "d", "e"], False)


def test_no_event_is_wanted(whole: Whole, agency: Receiver) -> None:
    """§2.2: maxEvents 0 acknowledges only, and does not wait."""
    raises(whole, agency, "a")
    assert agency.polls(maxEvents=0, returnImmediately=False) == {"sets": {}, "moreAvailable": True}
    jti = next(iter(agency.polls()["sets"]))
    assert agency.polls(maxEvents=0, returnImmediately=False, ack=[jti]) == {"sets": {}}
    assert count(whole) == 0


def test_no_more_than_a_hundred(whole: Whole, agency: Receiver) -> None:
    raises(whole, agency, *map(str, range(poll.MOST + 1)))
    told = agency.polls(maxEvents=10**9)
    assert (len(told["sets"]), told["moreAvailable"]) == (poll.MOST, True)


def test_what_cannot_be_used(whole: Whole, agency: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    """§2.4: an error settles an event; of what it says one known word is logged."""
    raises(whole, agency, "a", "b")
    first, second = agency.polls()["sets"]
    told = agency.polls(
        setErrs={first: {"err": "invalid_key", "description": "tell-tale"}, second: {"err": "tell-tale"}}
    )
    assert told == {"sets": {}}
    logged = capsys.readouterr().err
    assert '"reason": "invalid_key"' in logged
    assert "tell-tale" not in logged


def test_anothers_events_cannot_be_settled(whole: Whole, agency: Receiver) -> None:
    other = signals.receiver(whole, "norr-planning")
    other.create()
    raises(whole, agency, "a")
    (jti,) = agency.polls()["sets"]
    other.polls(ack=[jti], setErrs={jti + "x": {"err": "invalid_key"}})
    assert list(agency.polls()["sets"]) == [jti]


@contextmanager
def polling(whole: Whole, count: int = 1) -> Iterator[None]:
    """Until so many polls that were begun inside have reached the broker."""
    reached = threading.Semaphore(0)

    async def front(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path", "").startswith(poll.PREFIX):
            reached.release()
        await whole.app(scope, receive, send)

    whole.front = front
    yield
    for _ in range(count):
        assert reached.acquire(timeout=machine_clock.PATIENCE)
    whole.front = None


def test_it_waits_and_says_that_there_is_nothing(agency: Receiver) -> None:
    """§2.2: long polling is the default; it is bounded."""
    assert agency.polls(returnImmediately=False) == {"sets": {}}


def test_it_waits_until_something_comes(whole: Whole, agency: Receiver) -> None:
    whole.give(durations=signals.Durations(long_poll=machine_clock.PATIENCE))
    told: list[Any] = []
    other = signals.receiver(whole)  # the same agency, elsewhere: nothing is held up meanwhile
    waiting = threading.Thread(target=lambda: told.append(agency.polls(returnImmediately=False)))
    with polling(whole):
        waiting.start()
    assert not told
    assert other.call("POST", VERIFY, agency.named(state="now")).status_code == 204
    waiting.join(machine_clock.PATIENCE)
    assert states(agency, told[0]["sets"]) == ["now"]


def test_it_ends_with_the_stream(whole: Whole, agency: Receiver) -> None:
    """A stream that goes while somebody waits is gone for them."""
    whole.give(durations=signals.Durations(long_poll=machine_clock.PATIENCE))
    told: list[int] = []
    path = f"/ssf/poll/{agency.stream_id}"
    waiting = threading.Thread(target=lambda: told.append(agency.call("POST", path, {}).status_code))
    other = signals.receiver(whole)
    with polling(whole):
        waiting.start()
    other.call("DELETE", STREAMS, stream_id=agency.stream_id)
    waiting.join(machine_clock.PATIENCE)
    assert told == [404]


def test_nobody_waits_with_a_connection_out(whole: Whole, agency: Receiver) -> None:
    """More wait than there are connections, and everything else is answered."""
    whole.give(durations=signals.Durations(long_poll=machine_clock.PATIENCE))
    path, answers = f"/ssf/poll/{agency.stream_id}", []
    programs = [signals.receiver(whole) for _ in range(8)]
    waiting = [
        threading.Thread(target=lambda one=one: answers.append(one.call("POST", path, {}).status_code))
        for one in programs
    ]
    with polling(whole, len(waiting)):
        for one in waiting:
            one.start()
    assert all(agency.call("GET", STATUS, stream_id=agency.stream_id).status_code == 200 for _ in range(5))
    assert answers == [], "all of them still wait"
    assert agency.call("POST", VERIFY, agency.named(state="now")).status_code == 204
    for one in waiting:
        one.join(machine_clock.PATIENCE)
    assert answers == [200] * 8


def test_not_faster_than_that(agency: Receiver) -> None:
    """Waiting is cheap and bounded by how often one may ask."""
    path = f"/ssf/poll/{agency.stream_id}"
    asked = [agency.call("POST", path, {"returnImmediately": True}) for _ in range(poll.POLLS.burst + 1)]
    assert [one.status_code for one in asked] == [200] * poll.POLLS.burst + [429]
    assert int(asked[-1].headers["retry-after"]) >= 1


# fmt: off
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("§2.2 maxEvents negative",        {"maxEvents": -1}),
    ("§2.2 maxEvents not a number",    {"maxEvents": "5"}),
    ("§2.2 maxEvents not whole",       {"maxEvents": 1.5}),
    ("§2.2 maxEvents true",            {"maxEvents": True}),
    ("§2.2 returnImmediately",         {"returnImmediately": "no"}),
    ("§2.2 ack not a list",            {"ack": "x"}),
    ("§2.2 ack not ids",               {"ack": [1]}),
    ("§2.2 ack empty id",              {"ack": [""]}),
    ("§2.2 ack long id",               {"ack": ["x" * 129]}),
    ("§2.2 too many",                  {"ack": ["x"] * 1001}),
    ("§2.4 setErrs not an object",     {"setErrs": ["x"]}),
    ("§2.4 no err",                    {"setErrs": {"x": {}}}),
    ("§2.4 error not an object",       {"setErrs": {"x": "invalid_key"}}),
    ("§2.4 err not text",              {"setErrs": {"x": {"err": 1}}}),
]
# fmt: on


@pytest.mark.parametrize("body", [row[1] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_bad_body(whole: Whole, agency: Receiver, body: dict[str, Any]) -> None:
    raises(whole, agency, "a")
    before = signals.everything_at_rest(whole)
    answer = agency.call("POST", f"/ssf/poll/{agency.stream_id}", body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert signals.everything_at_rest(whole) == before


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("maxEvents", "returnImmediately", "ack", "setErrs", "events_requested", "description", "delivery")
INSIDE = st.fixed_dictionaries({}, optional=dict.fromkeys(("method", "endpoint_url", "authorization_header"), ANYTHING))


@given(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING | INSIDE, max_size=4))
def test_whatever_is_sent_is_read_or_refused(given: dict[str, Any]) -> None:
    """Nothing but 400 comes of a JSON object, whatever is in it."""
    ring = RootKeyring.generate().ring("signals")
    who: Any = SimpleNamespace(client=SimpleNamespace(client_id="rp"))
    facts = endpoint.Facts(Signals("https://id.example", Outbox(ring), ring), who, None, given)
    told = set()
    for read in (lambda: poll._asked(given), lambda: endpoint._wants(facts, streams.Wanted())):
        try:
            read()
        except Wire as refused:
            told.add(refused.refusal.status)
    assert told <= {400}
