"""What the tests of evidence share: the catalogue as declared, subjects, and looking at values without opening them."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.evidence.source import Found, Subject
from consent import catalogue, release

CONFIG = Path(__file__).parents[3] / "openid-config"
Check = Callable[[str, Any], None]


@pytest.fixture(scope="session")
def known() -> catalogue.Catalogue:
    return catalogue.load(CONFIG)


@pytest.fixture(scope="session")
def check(known: catalogue.Catalogue) -> Check:
    return lambda attribute, value: catalogue.check_value(known.attribute(attribute), value)


@pytest.fixture(scope="session")
def personas() -> dict[str, dict[str, Any]]:
    declared = tomllib.loads((CONFIG / "personas.toml").read_text("utf-8"))["personas"]
    return {one["id"]: one for one in declared}


@pytest.fixture(scope="session")
def subject_of(personas: dict[str, dict[str, Any]]) -> Callable[[str], Subject]:
    return lambda name: Subject(name, personas[name]["person_number"], {})


@pytest.fixture
def holds() -> Callable[[Found, Any], bool]:
    """Whether a sealed value is this one, told by its authentication code."""
    key = b"k" * 32
    return lambda found, value: (
        found.value is not None and release.value_mac(found.value, key) == release.value_mac(release.seal(value), key)
    )
