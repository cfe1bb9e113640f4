"""One demo for all stories, beside it one service that may be killed, and the last look at them after each story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world as worlds
from tests.flows import service as services
from tests.flows.service import Service
from tests.world import World


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo, on the database under test."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with worlds.fresh_database() as url, worlds.running(folder, url) as world:
        yield world
        world.memory.pop("events", None)
        world.check()  # once more from the beginning


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same programs, each started by itself: for stories in which the broker is killed, or asked much at once."""
    with services.running(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The demo, or the service where a story uses that; when the story is told, everything is read again."""
    if "service" in request.fixturenames:
        here: World = request.getfixturevalue("service").world
    else:
        here = request.getfixturevalue("demo")
    try:
        yield here
        here.check()
    finally:
        here.forget()
