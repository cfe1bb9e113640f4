"""An agency listens with the code it was given to copy: what ends here is heard there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec

from examples.agencies.fapi import Fapi
from examples.agencies.listener import SESSION_REVOKED, Listener
from tests.world import World

Story = Callable[[Listener], Coroutine[Any, Any, None]]


def ended(world: World) -> str:
    return f"{world.issuer}/events/grant-ended/v1"


def told(world: World, story: Story) -> None:
    """Let an agency's listener live through a story; its stream is gone afterwards."""

    async def run() -> None:
        async with listening(world) as listener:
            await story(listener)

    asyncio.run(run())


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[Listener]:
    agency = world.agency()
    key, kid = agency.key()
    fapi = Fapi(agency.client_id, world.issuer, key, kid, ec.generate_private_key(ec.SECP256R1()))
    async with httpx2.AsyncClient(trust_env=False, timeout=40) as http:
        listener = Listener(fapi, http)
        await listener.tune_in([SESSION_REVOKED, ended(world)])
        try:
            yield listener
        finally:
            where = (await listener.metadata("ssf-configuration"))["configuration_endpoint"]
            gone = await listener.call("DELETE", f"{where}?stream_id={listener.stream['stream_id']}")
            assert gone.status_code == 204


def test_a_person_stops_sharing_and_signs_out(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    token = agency.token(person.shares(person.comes_from(agency.asks())))

    async def story(listener: Listener) -> None:
        waiting = asyncio.create_task(listener.listen())
        await asyncio.sleep(0.5)
        await asyncio.to_thread(person.stops, token["grant_id"])
        (event,) = await waiting
        assert event["events"][ended(world)]["grant_id"] == token["grant_id"]
        assert event["events"][ended(world)]["reason"] == "withdrawn"
        assert event["sub_id"]["sub"] == token["subject"]
        page = await asyncio.to_thread(person.open, "/sign-out")
        await asyncio.to_thread(person.press, page, "sign-out", "sign-out")
        (event,) = await listener.listen()
        assert event["sub_id"]["user"]["sub"] == token["subject"]
        assert event["sub_id"]["session"]["id"] == agency.verify(token["id_token"])["sid"]
        assert await listener.listen(wait=False) == []
        assert not listener.unusable

    told(world, story)


def test_a_second_listener_takes_the_stream_over(world: World) -> None:
    async def story(listener: Listener) -> None:
        other = Listener(listener.fapi, listener.http)
        await other.tune_in([ended(world)])
        assert other.stream["stream_id"] == listener.stream["stream_id"]
        assert other.stream["events_delivered"] == [ended(world)]

    told(world, story)


def broken(_text: str, _keys: dict[str, Any]) -> dict[str, Any]:
    raise KeyError


def test_what_does_not_verify_is_given_back(world: World) -> None:
    async def story(listener: Listener) -> None:
        where = (await listener.metadata("ssf-configuration"))["verification_endpoint"]
        asked = await listener.call("POST", where, {"stream_id": listener.stream["stream_id"], "state": "x"})
        assert asked.status_code == 204
        listener.verify = broken  # type: ignore[method-assign]  # an agency whose keys are out of date
        assert await listener.listen(wait=False) == []
        assert [said["err"] for said in listener.unusable.values()] == ["invalid_key"]
        assert await listener.listen(wait=False) == []
        assert not listener.unusable

    told(world, story)
