"""The operator's own declarations, as the demo has them."""

from pathlib import Path

import pytest

from consent import catalogue as catalogues
from consent import intended_use
from consent.catalogue import Catalogue
from consent.intended_use import IntendedUse, Uses
from consent.request import DataRequest, normalise

CONFIG = Path(__file__).parents[2] / "openid-config"


@pytest.fixture(scope="session")
def config() -> Path:
    return CONFIG


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return catalogues.load(CONFIG)


@pytest.fixture(scope="session")
def uses() -> Uses:
    return intended_use.load(CONFIG)


@pytest.fixture(scope="session")
def childcare(uses: Uses) -> IntendedUse:
    return uses.get("norr.childcare-allowance")


@pytest.fixture(scope="session")
def permit(uses: Uses) -> IntendedUse:
    return uses.get("norr.building-permit")


@pytest.fixture(scope="session")
def asked(uses: Uses) -> DataRequest:
    found = normalise(["openid", "use:norr.childcare-allowance"], uses, "norr-childcare")
    assert found is not None
    return found
