"""Keys change while tokens are signed and verified, and nobody refuses a good token (RFC 7517 §5, OpenID Connect Core §10.1.1)."""

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from broker import signing_keys
from broker.database import Database
from broker.endpoints.jwks import MAX_AGE
from broker.signing_keys import SigningKeys
from broker.tokens import access_token, id_token
from keys import algorithms
from keys.keyring import Keyring, RootKeyring
from keys.sources import sealed
from keys.sources.sealed import Schedule
from tests.broker.relying import ISSUER

SECOND = 1_000_000
RING = RootKeyring.generate().ring("signing")
SCHEDULE = Schedule(every=3600, announce=600, retire={"token": 900, "credential": 90_000})
LIFETIME = 300
ALGS: list[Any] = ["ES256", "PS256", "EdDSA", "RS256"]


def begin(database: Database, now: int) -> None:
    pairs = [(purpose, algorithms.generate(alg)) for purpose, alg in sealed.WANTED]
    with database.write() as tx:
        for purpose, pair in pairs:
            sealed.store(tx, RING, pair, purpose=purpose, stage="signing", now=now)


def loaded(database: Database) -> SigningKeys:
    with database.read() as tx:
        return SigningKeys.load(tx, RING)


def sign(keyring: Keyring, now: int, alg: Any = "ES256") -> str:
    return id_token.mint(keyring, issuer=ISSUER, subject="s", client_id="rp", acr="a", now=now, alg=alg)


def accepts(published: dict[str, Any], token: str) -> bool:
    """Whether a relying party with this copy of the set can verify the token."""
    keys = {key["kid"]: key for key in published["keys"]}
    header = jwt.get_unverified_header(token)
    if header["kid"] not in keys:
        return False
    options: Any = {"verify_exp": False, "verify_iat": False}
    key = jwt.PyJWK.from_dict(keys[header["kid"]])
    jwt.decode(token, key, algorithms=[header["alg"]], audience="rp", options=options)
    return True


@dataclass
class Party:
    """A worker that looks for new keys now and then, or a relying party that keeps a copy of the set."""

    every: int
    seen: Any
    at: int = 0
    tokens: list[tuple[int, str]] = field(default_factory=list)


def test_two_rotations_by_the_clock(database: Database, now: int) -> None:
    """Every worker's tokens verify at every worker and with every copy young enough, at every minute of two rotations."""
    chance = random.Random(7)
    begin(database, now)
    workers = [Party(every, loaded(database)) for every in (60, 120, 300)]
    copies = [Party(MAX_AGE, workers[0].seen.current.jwks("token"), now) for _ in range(3)]
    kids, token_kids = set(), []
    for second in range(0, 2 * 3600 + 1200, 60):
        at = now + second * SECOND
        if second % 60 == 0:
            asyncio.run(signing_keys.turn(database, RING, SCHEDULE, at))
        for worker in workers:
            if second % worker.every == 0:
                with database.read() as tx:
                    worker.seen.refresh(tx, RING)
        for copy in copies:
            if at - copy.at > chance.randint(0, MAX_AGE) * SECOND:
                copy.seen, copy.at = chance.choice(workers).seen.current.jwks("token"), at
        worker, alg = chance.choice(workers), chance.choice(ALGS)
        worker.tokens.append((at, sign(worker.seen.current, at, alg)))
        kids.add(jwt.get_unverified_header(worker.tokens[-1][1])["kid"])
        token_kids.append(worker.seen.current.signer().kid)
        fresh = [text for w in workers for given, text in w.tokens if given >= at - LIFETIME * SECOND]
        for text in chance.sample(fresh, min(3, len(fresh))):
            assert all(accepts(copy.seen, text) for copy in copies)
        issued = mint(chance.choice(workers).seen.current, at)
        assert verified(chance.choice(workers).seen.current, issued, at)
    assert len(set(token_kids)) == 3
    assert len(kids) > 5


def mint(keyring: Keyring, now: int) -> str:
    return access_token.mint(
        keyring,
        issuer=ISSUER,
        subject="s",
        client_id="rp",
        scope=("openid",),
        acr="a",
        cnf={"jkt": "j"},
        grant_id="g",
        family="f",
        now=now,
    )


def verified(keyring: Keyring, token: str, now: int) -> bool:
    return access_token.verify(token, keyring, issuer=ISSUER, now=now).subject == "s"


def test_rotation_under_concurrent_signing_and_verification(database: Database, now: int) -> None:
    """Threads sign and verify without a pause while the stages change under them."""
    begin(database, now)
    keys = loaded(database)
    ended, failed, signed = threading.Event(), [], []

    def work() -> None:
        while not ended.is_set():
            token = mint(keys.current, now)
            if not verified(keys.current, token, now):
                failed.append(token)
            signed.append(jwt.get_unverified_header(token)["kid"])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for step in range(0, 2 * 3600 + 600, 600):
            asyncio.run(signing_keys.turn(database, RING, SCHEDULE, now + step * SECOND))
            with database.read() as tx:
                keys.refresh(tx, RING)
            until = len(signed) + 4
            while len(signed) < until and all(thread.is_alive() for thread in threads):
                time.sleep(0.001)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert failed == []  # an exception in a thread fails the test too: it is a warning, and warnings are errors
    assert len(set(signed)) >= 3


def test_what_a_deleted_key_signed_is_refused(database: Database, now: int) -> None:
    begin(database, now)
    keys = loaded(database)
    token = mint(keys.current, now)
    pair = algorithms.generate("ES256")
    with database.write() as tx:
        sealed.revoke(tx, RING, pair, purpose="token", now=now)
    with database.read() as tx:
        assert keys.refresh(tx, RING)
        assert not keys.refresh(tx, RING)
    with pytest.raises(Exception, match="invalid_token"):
        verified(keys.current, token, now)


def test_a_running_process_sees_new_stages_by_itself(database: Database, now: int) -> None:
    begin(database, now)
    keys = loaded(database)
    before = keys.current.signer().kid

    async def story() -> None:
        watching = asyncio.create_task(signing_keys.watch(keys, database, RING, every=0.01))
        turning = asyncio.create_task(signing_keys.keep(database, RING, SCHEDULE, lambda: at[0], every=0.01))
        for at[0], stages in ((now + 3000 * SECOND, {"upcoming"}), (now + 3600 * SECOND, {"signing", "retiring"})):
            async with asyncio.timeout(30):
                while not {key.stage for key in keys.current.keys if key.alg == "ES256"} >= stages:  # noqa: ASYNC110 - nothing else tells
                    await asyncio.sleep(0.01)
        for task in (watching, turning):
            task.cancel()

    at = [now]
    asyncio.run(story())
    assert keys.current.signer().kid != before


def test_two_processes_make_one_new_key(database: Database, now: int) -> None:
    begin(database, now)
    later = now + 3000 * SECOND

    async def story() -> None:
        await asyncio.gather(*(signing_keys.turn(database, RING, SCHEDULE, later) for _ in range(2)))

    asyncio.run(story())
    with database.read() as tx:
        upcoming = [(key.purpose, key.alg) for key in sealed.listed(tx) if key.stage == "upcoming"]
    assert sorted(upcoming) == sorted(sealed.WANTED)
