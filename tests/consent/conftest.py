"""The operator's own declarations, as the demo has them."""

from pathlib import Path

import pytest

from consent import catalogue as catalogues
from consent import intended_use
from consent.catalogue import Catalogue
from consent.intended_use import IntendedUse, Processor, Uses
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
def lent(childcare: IntendedUse) -> IntendedUse:
    """The childcare allowance with another agency that works for the city."""
    office = Processor(
        client_id="norr-processing",
        name={"en": "Norr Processing", "ar": "معالجة نور"},
        reason={"en": "It checks the form.", "ar": "تتحقق من النموذج."},
    )
    return childcare.model_copy(update={"processors": (office,)})


@pytest.fixture(scope="session")
def permit(uses: Uses) -> IntendedUse:
    return uses.get("norr.building-permit")


@pytest.fixture(scope="session")
def asked(uses: Uses) -> DataRequest:
    found = normalise(["openid", "use:norr.childcare-allowance"], uses, "norr-childcare")
    assert found is not None
    return found
