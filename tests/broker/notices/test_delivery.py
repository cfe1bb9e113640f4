"""Letters go out: to a real server that is there, down, slow, wrong; from processes that die; once each from two."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from sqlalchemy import func, select, update

from broker.database import Database
from broker.egress import Egress
from broker.notices import delivery
from broker.notices.outbox import Outbox, Unsigned
from broker.tables import outbox as rows
from keys.keyring import RootKeyring
from tests import machine_clock
from tests.broker.notices.courier import ISSUER, KEYRING, KINDS, clock, courier
from tests.broker.notices.receiver import Receiver, listening
from tests.world import free_ports

ROOT = Path(__file__).parents[3]
ROOTS = RootKeyring.generate().text()
BOX = Outbox(RootKeyring.parse(ROOTS).ring("outbox"), KINDS)


def write(database: Database, url: str, *texts: Any, kind: str = "text", client_id: str = "rp", **more: Any) -> None:
    with database.write() as tx:
        for text in texts:
            BOX.enqueue(tx, kind=kind, client_id=client_id, destination=f"{url}/in", content=text, now=clock(), **more)


def state(database: Database) -> list[tuple[str, int, str | None]]:
    with database.read() as tx:
        return [tuple(one) for one in tx.execute(select(rows.c.state, rows.c.attempts, rows.c.error))]


def hurry(database: Database) -> bool:
    """Make everything due now that waits or is leased by the dead: back-off is for machines that have time."""
    with database.write() as tx:
        tx.execute(update(rows).where(rows.c.state == "waiting").values(due=clock() - 1))
    return True


def hurry_failed(database: Database) -> bool:
    """As `hurry`, but for what is not under way."""
    with database.write() as tx:
        late = rows.c.error.is_not(None), rows.c.due < clock() + 30_000_000
        tx.execute(update(rows).where(*late).values(due=clock()))
    return True


def slow(seconds: float) -> Callable[[int], tuple[int, dict[str, str], bytes]]:
    def answer(_count: int) -> tuple[int, dict[str, str], bytes]:
        time.sleep(seconds)
        return 202, {}, b""

    return answer


def holding(released: Event) -> Callable[[int], tuple[int, dict[str, str], bytes]]:
    def answer(_count: int) -> tuple[int, dict[str, str], bytes]:
        released.wait(machine_clock.PATIENCE)
        return 202, {}, b""

    return answer


def deliver(database: Database, until: Callable[[], bool], seconds: float = 10.0, egress: Egress | None = None) -> None:
    """Run a courier in this process until it is so, hurrying what waits."""

    async def story() -> None:
        way_out = egress or Egress(["127.0.0.1"])
        running = asyncio.create_task(courier(database, ROOTS, way_out).run(0.02))
        for _ in range(int(seconds / 0.02)):
            if until():
                break
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await way_out.aclose()

    asyncio.run(story())
    assert until()


def test_a_letter_arrives_as_its_kind_says(database: Database) -> None:
    with listening() as there:
        write(database, there.url, "hello", authorization="Bearer shown")
        deliver(database, lambda: state(database) == [])
    (one,) = there.got
    assert (one.path, one.body) == ("/in", "hello")
    assert one.headers["content-type"] == "text/plain"
    assert (one.headers["accept"], one.headers["authorization"]) == ("application/json", "Bearer shown")


def test_a_token_is_signed_when_it_is_sent(database: Database) -> None:
    """However long it waited, what arrives is young; what identifies it is what was written."""
    with listening(Receiver(lambda count: (500 if count < 3 else 200, {}, b""))) as there:
        write(database, there.url, Unsigned("ES256", {"aud": "rp", "jti": "j", "sub": "s"}), kind="form")
        with database.write() as tx:
            tx.execute(update(rows).values(due=clock() - 3_000_000_000))
        began = clock()
        deliver(database, lambda: hurry_failed(database) and state(database) == [])
    tokens = [parse_qs(one.body, strict_parsing=True)["token"][0] for one in there.got]
    key = jwt.PyJWK(dict(KEYRING.signer().public_jwk))
    for token in tokens:
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        claims = jwt.decode(token, key, algorithms=["ES256"], audience="rp", issuer=ISSUER)
        assert (claims["jti"], claims["exp"] - claims["iat"]) == ("j", 120)
        assert began // 1_000_000 <= claims["iat"] <= clock() // 1_000_000
    assert len(tokens) == 3


def test_a_server_that_is_down_gets_it_when_it_is_back(database: Database) -> None:
    port = free_ports(1)
    write(database, f"http://127.0.0.1:{port}", "patience")
    deliver(database, lambda: [one[2] for one in state(database)] == ["unreachable"])
    with listening(port=port) as there:
        hurry(database)
        deliver(database, lambda: state(database) == [])
    assert [one.body for one in there.got] == ["patience"]


def test_an_error_is_tried_again_and_the_first_good_answer_ends_it(database: Database) -> None:
    with listening(Receiver(lambda count: (500 if count == 1 else 202, {}, b"gone wrong: Maria"))) as there:
        write(database, there.url, "x")
        deliver(database, lambda: bool(state(database)) and state(database)[0][2] == "status_500")
        hurry(database)
        deliver(database, lambda: state(database) == [])
    assert len(there.got) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "error", "fate"),
    [
        (slow(1.5), "hasty", "timeout", "waiting"),
        (lambda _: (202, {}, b"x" * 101), "small", "too_large", "waiting"),
        (lambda _: (302, {"Location": "http://127.0.0.1:1/"}, b""), "text", "redirect", "waiting"),
        (lambda _: (202, {"Content-Encoding": "gzip"}, b""), "text", "encoding", "waiting"),
        (lambda _: (200, {}, b""), "text", "status_200", "waiting"),
        (lambda _: (503, {}, b""), "text", "status_503", "waiting"),
        (lambda _: (400, {}, b'{"err":"invalid_key"}'), "text", "status_400", "dead"),
    ],
)
def test_what_does_not_count_as_received(
    database: Database, answer: Any, kind: str, error: str, fate: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with listening(Receiver(answer)) as there:
        write(database, there.url, "the secret text", kind=kind)
        deliver(database, lambda: bool(state(database)) and state(database)[0][2] is not None)
    assert state(database) == [(fate, 1, error)]
    assert len(there.got) == 1
    logged = capfd.readouterr()
    assert "secret" not in logged.out + logged.err
    assert there.url not in logged.out + logged.err


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://10.1.2.3", "address"),
        ("https://[::1]", "address"),
        ("https://169.254.169.254", "address"),
        ("http://127.0.0.1:8", "address"),
        ("https://2130706433", "host"),
    ],
)
def test_no_letter_leaves_for_a_private_address(database: Database, url: str, error: str) -> None:
    """By default nothing but public addresses; no second try mends that, an operator decides."""
    write(database, url, "x")
    deliver(database, lambda: state(database) == [("dead", 1, error)], egress=Egress())


def test_a_client_that_was_stopped_gets_nothing(database: Database) -> None:
    with listening() as there:
        write(database, there.url, "x", client_id="stopped")
        deliver(database, lambda: state(database) == [("dead", 1, "client")])
    assert there.got == []


def test_a_letter_whose_root_is_gone_is_dead_and_the_next_one_goes_out(database: Database) -> None:
    with listening() as there:
        write(database, there.url, "lost")
        with database.write() as tx:
            tx.execute(update(rows).values(box=b"\x02r9" + b"0" * 40))
        write(database, there.url, "found")
        deliver(database, lambda: len(there.got) == 1 and state(database) == [("dead", 1, "sealed")])
    assert there.got[0].body == "found"


def test_a_slow_receiver_holds_up_nobody_else(database: Database) -> None:
    """A client may have so many under way; the others' letters overtake what waits behind them."""
    released = Event()
    with listening(Receiver(holding(released))) as stuck, listening() as quick:
        write(database, stuck.url, *map(str, range(20)), client_id="slow")
        write(database, quick.url, *map(str, range(20)), client_id="quick")
        try:
            deliver(database, lambda: len(quick.got) == 20)
            assert len(quick.got) == 20
            assert len(stuck.got) <= 2 * delivery.FOR_ONE
        finally:
            released.set()
    assert {one[0] for one in state(database)} == {"waiting"}


def test_in_order_of_writing_though_some_fail(database: Database) -> None:
    with listening(Receiver(lambda count: (500 if count in (2, 3) else 202, {}, b""))) as there:
        write(database, there.url, *map(str, range(6)), kind="in_order")
        deliver(database, lambda: hurry_failed(database) and state(database) == [])
    assert [one.body for one in there.got] == ["0", "1", "1", "1", "2", "3", "4", "5"]


def test_a_stop_lets_what_is_under_way_arrive_and_gives_the_rest_back(database: Database) -> None:
    with listening(Receiver(slow(0.4))) as there:
        write(database, there.url, "under way")
        deliver(database, lambda: len(there.got) == 1)
        assert state(database) == []

    with listening(Receiver(slow(delivery.GRACE + 2))) as there:
        write(database, there.url, "stuck")
        deliver(database, lambda: len(there.got) == 1)
        with database.read() as tx:
            due = tx.execute(select(rows.c.due)).scalar_one()
    assert due <= clock()  # the next process has it at once


def spawn(url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.broker.notices.courier", url, ROOTS], cwd=ROOT)


def test_kill_9_between_commit_and_delivery_loses_nothing(database: Database, database_url: str) -> None:
    """What was committed is delivered, whatever process dies in between; twice is possible, never is not."""
    with listening(Receiver(slow(0.05))) as there:
        write(database, there.url, *map(str, range(30)))
        for killed_at in (1, 10, 20):
            running = spawn(database_url)
            there.wait(killed_at)
            running.send_signal(signal.SIGKILL)
            running.wait()
            with database.read() as tx:
                assert tx.execute(select(func.count()).select_from(rows)).scalar_one() > 0
        hurry(database)  # the leases of the dead run out
        running = spawn(database_url)
        machine_clock.wait_for(lambda: not state(database), lambda: state(database))
        running.kill()
        running.wait()
    assert state(database) == []
    assert {one.body for one in there.got} == set(map(str, range(30)))


def test_two_processes_deliver_each_letter_once(database: Database, database_url: str) -> None:
    processes = 1 if database.dialect == "sqlite" else 2  # SQLite is served by one
    with listening() as there:
        running = [spawn(database_url) for _ in range(processes)]
        for start in range(0, 200, 20):
            write(database, there.url, *map(str, range(start, start + 20)))
        write(database, there.url, *(f"o{number}" for number in range(20)), kind="in_order")
        machine_clock.wait_for(lambda: not state(database), lambda: state(database))
        for one in running:
            one.kill()
            one.wait()
    assert state(database) == []
    counted = Counter(one.body for one in there.got)
    assert set(counted) == {*map(str, range(200)), *(f"o{number}" for number in range(20))}
    assert set(counted.values()) == {1}
    assert [one.body for one in there.got if one.body[0] == "o"] == [f"o{number}" for number in range(20)]
