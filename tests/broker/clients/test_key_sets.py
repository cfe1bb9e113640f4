"""A client's keys behind `jwks_uri`: kept, asked for again on rotation, never hammered (OpenID Connect Core §10.1.1)."""

import asyncio
import json
from typing import Any, cast

import pytest

from broker.clients import fetch_failure
from broker.clients.key_sets import KeySets, NoKeys
from broker.egress import Egress, EgressRefused, Reply
from tests.broker.relying import Key, client
from tests.certified import make

SECOND = 1_000_000
ADDRESS = "https://rp.example/jwks.json"


class Site:
    """The client's web site: what it serves now, and how often it was asked."""

    def __init__(self, *keys: Key) -> None:
        self.body: bytes = b""
        self.asked = 0
        self.down = False
        self.serve(*keys)

    def serve(self, *keys: Key) -> None:
        self.body = json.dumps({"keys": [key.jwk for key in keys]}).encode()

    async def request(self, method: str, url: str, **_: Any) -> Reply:
        assert (method, url) == ("GET", ADDRESS)
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise EgressRefused("timeout")
        return Reply(200, {"content-type": "application/json"}, self.body)


def sets(site: Site) -> KeySets:
    return KeySets(cast("Egress", site))


CLIENT = client(Key(), jwks_uri=ADDRESS)


def test_rotation_is_seen_at_once_and_strangers_cause_no_storm(now: int) -> None:
    old, new = Key("old"), Key("new")
    site = Site(old)
    kept = sets(site)

    async def story() -> None:
        assert (await kept.of(CLIENT, "old", now)).keys[0]["kid"] == "old"
        await kept.of(CLIENT, "old", now + 200 * SECOND)
        assert site.asked == 1
        site.serve(old, new)
        found = await kept.of(CLIENT, "new", now + 201 * SECOND)
        assert [key["kid"] for key in found.keys] == ["old", "new"]
        for step in range(50):
            await kept.of(CLIENT, f"stranger-{step}", now + 202 * SECOND)
        assert site.asked == 2
        await kept.of(CLIENT, "new", now + 502 * SECOND)
        assert site.asked == 3

    asyncio.run(story())


def test_a_renewed_certificate_is_seen_at_once(now: int) -> None:
    """RFC 8705 §2.2.2; who shows one that is not there causes no storm."""
    old, new = make("CN=old"), make("CN=new")
    site = Site()
    site.body = json.dumps({"keys": [old.jwk]}).encode()
    kept = sets(site)

    async def story() -> None:
        assert old.x5t in (await kept.of(CLIENT, None, now, certificate=old.x5t)).certificates
        assert old.x5t in (await kept.of(CLIENT, None, now + 100 * SECOND, certificate=old.x5t)).certificates
        assert site.asked == 1
        site.body = json.dumps({"keys": [old.jwk, new.jwk]}).encode()
        assert new.x5t in (await kept.of(CLIENT, None, now + 100 * SECOND, certificate=new.x5t)).certificates
        for step in range(50):
            await kept.of(CLIENT, None, now + 101 * SECOND, certificate=f"stranger-{step}")
        assert site.asked == 2

    asyncio.run(story())


def test_many_at_once_ask_once(now: int) -> None:
    site = Site(Key("k1"))
    kept = sets(site)

    async def story() -> None:
        await asyncio.gather(*(kept.of(CLIENT, "k1", now) for _ in range(20)))

    asyncio.run(story())
    assert site.asked == 1


def test_an_outage_is_bridged_for_an_hour(now: int) -> None:
    site = Site(Key("k1"))
    kept = sets(site)

    async def story() -> None:
        await kept.of(CLIENT, "k1", now)
        site.down = True
        assert (await kept.of(CLIENT, "k1", now + 1800 * SECOND)).keys
        with pytest.raises(NoKeys):
            await kept.of(CLIENT, "k1", now + 3700 * SECOND)

    asyncio.run(story())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b'{"keys": {}}', id="no set"),
        pytest.param(b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', id="a shared secret RFC 7591 §5"),
        pytest.param(json.dumps({"keys": [{**Key().jwk, "d": "AA"}]}).encode(), id="a private key RFC 7591 §5"),
        pytest.param(json.dumps({"keys": [Key().jwk] * 100}).encode(), id="too many keys"),
    ],
)
def test_a_bad_set_gives_no_keys(now: int, body: bytes) -> None:
    site = Site()
    site.body = body
    with pytest.raises(NoKeys):
        asyncio.run(sets(site).of(CLIENT, "k1", now))


class Silent:
    """An address that never answers: how often it was asked, and the calls that still wait."""

    def __init__(self) -> None:
        self.asked = 0
        self.gone = asyncio.Event()

    async def request(self, *_: Any, **__: Any) -> Reply:
        self.asked += 1
        await self.gone.wait()
        raise EgressRefused("timeout")


def test_a_failed_fetch_is_remembered_and_shared(now: int) -> None:
    """Six at once wait for one fetch, and who comes in the next seconds waits for none; then it is tried again."""
    site = Silent()
    kept = sets(cast("Site", site))

    async def story() -> None:
        waiting = [asyncio.create_task(kept.of(CLIENT, f"k{n}", now)) for n in range(6)]
        await asyncio.sleep(0)
        waiting.pop().cancel()  # who goes away takes nothing from the others
        await asyncio.sleep(0)
        site.gone.set()
        said = await asyncio.gather(*waiting, return_exceptions=True)
        assert {str(one) for one in said} == {"the jwks_uri cannot be used: it did not answer in time"}
        assert site.asked == 1
        for later in (0, 1, 14):
            with pytest.raises(NoKeys, match="did not answer in time"):
                await kept.of(CLIENT, "k1", now + later * SECOND)
        assert site.asked == 1
        with pytest.raises(NoKeys):
            await kept.of(CLIENT, "k1", now + 15 * SECOND)
        assert site.asked == 2

    asyncio.run(story())


def test_two_clients_of_one_address_ask_once(now: int) -> None:
    site = Site(Key("k1"))
    site.down = True
    kept = sets(site)

    async def story() -> None:
        for who in (CLIENT, client(Key(), "other", jwks_uri=ADDRESS)):
            with pytest.raises(NoKeys):
                await kept.of(who, "k1", now)

    asyncio.run(story())
    assert site.asked == 1


def test_nobody_waits_for_a_fetch_that_a_stranger_set_off(now: int) -> None:
    """The address hangs; whoever's key is there goes on, also when the set is old."""
    site, hanging = Site(Key("k1")), Silent()
    kept = sets(site)

    async def story() -> None:
        await kept.of(CLIENT, "k1", now)
        kept._egress = cast("Egress", hanging)
        stranger = asyncio.create_task(kept.of(CLIENT, "strange", now + 20 * SECOND))
        await asyncio.sleep(0)
        for later in (20, 400):
            assert (await asyncio.wait_for(kept.of(CLIENT, "k1", now + later * SECOND), 5)).keys
        hanging.gone.set()
        left = await stranger  # the old set, with the reason why there is no newer one
        assert (left.trouble, hanging.asked) == ("the jwks_uri cannot be used: it did not answer in time", 1)

    asyncio.run(story())


@pytest.mark.parametrize("reason", sorted(fetch_failure.SENTENCES))
def test_why_a_set_cannot_be_had_is_told(now: int, reason: str) -> None:
    class Refusing:
        async def request(self, *_: Any, **__: Any) -> Reply:
            raise EgressRefused(reason)

    with pytest.raises(NoKeys) as told:
        asyncio.run(sets(cast("Site", Refusing())).of(CLIENT, "k1", now))
    assert str(told.value).endswith(f": {fetch_failure.SENTENCES[reason]}")


def test_every_reason_of_a_failed_fetch_has_its_sentence() -> None:
    named = (EgressRefused.__doc__ or "").split("Reasons:")[1].split(".")[0].replace("\n", " ").split(",")
    assert {name.strip() for name in named} == set(fetch_failure.SENTENCES)


def test_inline_keys_need_no_network(now: int) -> None:
    site = Site()
    found = asyncio.run(sets(site).of(client(Key("in")), "in", now))
    assert (found.keys[0]["kid"], site.asked) == ("in", 0)
