"""One browser and one demo for all stories; a story that asks for `world` ends with the last look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import world as worlds
from tests.browser.window import chromium
from tests.world import World


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo, on SQLite: what a browser shows does not depend on the database."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with worlds.running(folder) as world:
        yield world


@pytest.fixture
def world(demo: World) -> Iterator[World]:
    """The demo as this story sees it; when the story is told, everything is read again."""
    yield demo
    demo.check()
