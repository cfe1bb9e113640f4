"""A world whose clock a story can move on: the broker in a process of its own, its time the machine's plus a file's seconds.

Agencies are played by the test, the tax register runs beside the broker. `main` is that process.
"""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from granian.constants import Interfaces
from granian.server.embed import Server

from broker import app, installation, personas
from broker.database import Database
from broker.demo import Plan, fill_config
from broker.serve import die_with_parent
from broker.settings import Settings
from examples.holder import public_jwk
from examples.registers import people, population, tax
from tests import machine_clock
from tests.actors import Agency
from tests.world import CHECKOUT, World, free_ports, neighbours

PEOPLE = 24


@dataclass
class Hand:
    """What moves the clock; it goes forward only."""

    file: Path

    def __call__(self) -> float:
        """The broker's time in seconds."""
        return machine_clock.seconds() + int(self.file.read_text())

    def moves_on(self, seconds: float) -> None:
        """It is that much later now, for the broker and for everybody in the story."""
        later = self.file.with_suffix(".later")
        later.write_text(str(int(self.file.read_text()) + int(seconds)))
        later.replace(self.file)


@contextmanager
def moving(folder: Path, database_url: str = "") -> Iterator[World]:
    """A broker whose clock can be moved (the world's `clock` is the `Hand`), with a few neighbours."""
    plan, hand = Plan(free_ports(4), folder / "data"), Hand(folder / "moved-by")
    hand.file.write_text("0")
    config = folder / "declared"
    shutil.copytree(CHECKOUT / "openid-config", config)
    (config / "personas.toml").write_text(neighbours(PEOPLE), "utf-8")
    for client_id in plan.agencies:
        _own_key(config / "clients" / f"{client_id}.toml", plan.data / "agencies" / client_id / "client-key.pem")
    fill_config(config, plan.data / "config", plan.placeholders())
    log = folder / "broker.log"
    command = [sys.executable, "-m", "tests.clockwork", str(plan.port), str(plan.data), str(hand.file), database_url]
    with log.open("ab") as errors:
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()[-2000:]
        process.stdout.close()
        world = World(
            issuer=plan.issuer,
            data=plan.data,
            database_url=database_url or f"sqlite:///{plan.data}/semel.db",
            log=log,
            agencies=plan.agencies,
            people={person["id"]: person for person in json.loads(line)},
            tax_url=plan.tax,
            clock=hand,
            process=process,
        )
        _wait(world)
        try:
            yield world
        finally:
            world.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _own_key(client: Path, key_file: Path) -> None:
    """Make an agency's key; its public half stands in its declaration, since nobody serves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.parent.mkdir(parents=True)
    key_file.write_bytes(pem)
    jwk = public_jwk(key)
    jwk["kid"] = Agency.kid(jwk)
    members = ", ".join(f'{name} = "{value}"' for name, value in jwk.items())
    text = re.sub(r"(?m)^jwks_uri = .*$", f"jwks = {{ keys = [{{ {members} }}] }}", client.read_text("utf-8"))
    client.write_text(text, "utf-8")


def _wait(world: World) -> None:
    def healthy() -> bool:
        try:
            return world.http.get(f"{world.issuer}/healthz").status_code == 200
        except httpx2.HTTPError:
            return False

    machine_clock.wait_for(healthy, world.log.read_text, every=0.02)


async def serve(settings: Settings, hand: Hand, port: int) -> None:
    """Serve until SIGTERM; on PostgreSQL the publisher runs here too."""

    def now() -> int:
        return int(hand() * 1_000_000)

    server = Server(app.create_app(settings, now=now), port=port, interface=Interfaces.ASGI, log_enabled=False)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, server.stop)
    publishing = None
    if not settings.database.startswith("sqlite"):
        publisher = app.publisher(settings, Database.open(settings.database), installation.root_keyring(settings), now)
        publishing = asyncio.create_task(publisher.run(settings.checkpoint_seconds))
    await server.serve()
    if publishing is not None:
        publishing.cancel()


def main(port: str, data: str, moved_by: str, database_url: str) -> None:
    """Make the installation and serve it; the first line on standard output is who may sign in."""
    die_with_parent()
    plan = Plan(int(port), Path(data))
    config = plan.data / "config"
    everyone = people.read(config / "personas.toml")
    population.build(plan.population, everyone)
    secret = tax.secret(plan.data / "registers" / "tax-client-secret")
    register = tax.TaxRegister(everyone, secret, port=int(plan.tax.rsplit(":", 1)[1])).start()
    settings = Settings(
        mode="demo",
        issuer=plan.issuer,
        data_dir=plan.data,
        config_dir=config,
        database_url=database_url,
        egress_allow=(register.url.removeprefix("http://"),),
        checkpoint_seconds=0.1,
    )
    installation.create(settings, machine_clock.micros())
    told = ("id", "username", "password", "totp_secret")
    people_told = [{name: getattr(one, name) for name in told} for one in personas.load(config)]
    sys.stdout.write(json.dumps(people_told) + "\n")
    sys.stdout.close()
    asyncio.run(serve(settings, Hand(Path(moved_by)), plan.port))


if __name__ == "__main__":
    main(*sys.argv[1:])
