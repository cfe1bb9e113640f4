"""Places for outbound calls: who waits, who is refused at once, and that a place always comes back."""

import asyncio

import pytest

from broker.connection_limits import Busy, Limits, Places


async def _hold(places: Places, host: str, until: asyncio.Event) -> None:
    async with places.taken(host):
        await until.wait()


async def _held(places: Places, *hosts: str) -> tuple[asyncio.Event, list[asyncio.Task[None]]]:
    until = asyncio.Event()
    tasks = [asyncio.create_task(_hold(places, host, until)) for host in hosts]
    await asyncio.sleep(0)
    return until, tasks


@pytest.mark.parametrize(
    ("hosts", "wanted", "free"),
    [
        ([], "a:443", True),
        (["a:443"], "a:443", True),
        (["a:443", "a:443"], "a:443", False),
        (["a:443", "a:443"], "a:8443", True),
        (["a:443", "b:443", "c:443"], "d:443", False),
    ],
)
def test_who_may_not_wait_is_refused_at_once(hosts: list[str], wanted: str, free: bool) -> None:
    async def run() -> bool:
        places = Places(Limits(calls=3, per_host=2, waits=False))
        until, tasks = await _held(places, *hosts)
        try:
            async with places.taken(wanted):
                return True
        except Busy:
            return False
        finally:
            until.set()
            await asyncio.gather(*tasks)

    assert asyncio.run(run()) is free


def test_who_waits_for_a_slow_host_takes_nobodys_place() -> None:
    async def run() -> int:
        places = Places(Limits(calls=3, per_host=1, waits=True))
        until, tasks = await _held(places, "slow:443", "slow:443", "slow:443", "slow:443")
        assert places.waited == 3
        async with places.taken("quick:443"):
            pass
        until.set()
        await asyncio.gather(*tasks)
        return places.waited

    assert asyncio.run(run()) == 3


def test_a_place_comes_back_when_its_holder_is_cancelled_or_fails() -> None:
    async def run() -> None:
        places = Places(Limits(calls=1, per_host=1, waits=False))
        _, tasks = await _held(places, "a:443")
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(RuntimeError):
            async with places.taken("a:443"):
                raise RuntimeError
        async with places.taken("b:443"):
            assert set(places._hosts) == {"b:443"}, "a host that nobody calls is forgotten"
        assert places._hosts == {}

    asyncio.run(run())


def test_a_refused_call_leaves_nothing_behind() -> None:
    async def run() -> None:
        places = Places(Limits(calls=1, per_host=1, waits=False))
        until, tasks = await _held(places, "a:443")
        for host in ("b:443", "c:443"):
            with pytest.raises(Busy):
                async with places.taken(host):
                    pass
        assert set(places._hosts) == {"a:443"}
        until.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
