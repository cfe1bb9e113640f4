"""One demo for all stories, and the last look at it after each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world as worlds
from tests.world import World


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo, on the database under test."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with worlds.fresh_database() as url, worlds.running(folder, url) as world:
        yield world
        world.memory.pop("events", None)
        world.check()  # once more from the beginning


@pytest.fixture(autouse=True)
def world(demo: World) -> Iterator[World]:
    """The demo as this story sees it; when the story is told, everything is read again."""
    try:
        yield demo
        demo.check()
    finally:
        demo.forget()
