"""One browser and one demo for all stories; a story that asks for `world` ends with the last look at it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import world as worlds
from tests.world import World

CHROMIUM = os.environ.get("SEMEL_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


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
