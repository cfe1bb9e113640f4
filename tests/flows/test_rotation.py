"""Signing keys change while people come and go, as fast as four browsers walk: nobody notices (OpenID Connect Core §10.1.1).

On PostgreSQL, where another process may turn the keys; a key is announced for longer than the workers take to look and the
clients keep a copy of the published set. On SQLite its one process turns its own: `tests/broker/test_signing_keys.py`.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import jwt
import pytest

from broker.database import Database
from broker.settings import Settings
from broker.signing_keys import LOOK_EVERY
from keys import algorithms
from keys.keyring import RootKeyring
from keys.sources import sealed
from keys.sources.sealed import Schedule
from tests import machine_clock
from tests.actors import Agency, Citizen
from tests.conftest import POSTGRESQL
from tests.flows.service import Service
from tests.world import World

WALKERS, TURNS = 4, 1
COPY = LOOK_EVERY - 2  # seconds a client keeps its copy of the key set
ANNOUNCED = int(LOOK_EVERY) + 2  # seconds a key is published before it signs, and after
SECOND = 1_000_000


pytestmark = pytest.mark.skipif(not POSTGRESQL, reason="on SQLite only the server writes")


@dataclass
class Copy:
    """A client's copy of the published keys, asked for anew when it is old (RFC 9111), whatever it lacks."""

    agency: Agency
    taken: float = 0.0
    kids: set[str] = field(default_factory=set)

    def verify(self, token: str) -> None:
        if machine_clock.seconds() - self.taken > COPY:
            self.keys = jwt.PyJWKSet.from_dict(self.agency.http.get(f"{self.agency.issuer}/jwks").json())
            self.taken = machine_clock.seconds()
        kid = jwt.get_unverified_header(token)["kid"]
        jwt.decode(token, self.keys[kid], ["ES256"], options={"verify_aud": False})
        self.kids.add(kid)


def walk(citizen: Citizen, agency: Agency, ended: Event) -> tuple[int, set[str]]:
    """Come again and again, and use each token a second time one visit later; how often, and what signed."""
    copy, visits, earlier = Copy(agency), 0, ""
    while not ended.is_set():
        token = agency.token(citizen.open(agency.asks()))
        copy.verify(token["id_token"])
        copy.verify(token["access_token"])
        for one in (token["access_token"], earlier or token["access_token"]):
            assert agency.data(one).status_code == 200
        visits, earlier = visits + 1, token["access_token"]
    return visits, copy.kids


def turned(service: Service) -> None:
    """Turn the key of tokens: announce another one, let it sign, take the old one away once nothing it signed is valid."""
    data = service.plan.data
    settings = Settings(mode="demo", issuer=service.plan.issuer, data_dir=data, config_dir=data / "config")
    ring = RootKeyring.parse(settings.root_keyring_text()).ring("signing")
    schedule = Schedule(3600, ANNOUNCED, {"token": ANNOUNCED, "credential": 3600})
    database = Database.open(service.database_url)
    try:
        pair = algorithms.generate("ES256")
        with database.write() as tx:
            sealed.store(tx, ring, pair, purpose="token", stage="upcoming", now=machine_clock.micros())
        for _ in range(2):
            time.sleep(ANNOUNCED + 0.5)
            with database.write() as tx:
                sealed.advance(tx, machine_clock.micros(), schedule)
    finally:
        database.close()


def test_nobody_notices(service: Service, world: World) -> None:
    pairs = [(world.neighbour(), world.agency()) for _ in range(WALKERS)]
    for citizen, agency in pairs:
        agency.token(citizen.shares(citizen.comes_from(agency.asks())))
    ended = Event()
    with ThreadPoolExecutor(WALKERS) as walkers:
        running = [walkers.submit(walk, citizen, agency, ended) for citizen, agency in pairs]
        try:
            for _ in range(TURNS):
                turned(service)
                assert not [one.exception() for one in running if one.done()]
        finally:
            ended.set()
        walked = [one.result() for one in running]
    assert min(visits for visits, _ in walked) > 3 * TURNS
    assert {len(kids) for _, kids in walked} == {TURNS + 1}, "a walker missed a key"
