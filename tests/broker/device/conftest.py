"""A broker whose agencies may let devices ask."""

import pytest

from tests.broker import elsewhere
from tests.broker.whole import Whole

GRANTS = ("authorization_code", "refresh_token", elsewhere.DEVICE)


@pytest.fixture
def devices(whole: Whole) -> Whole:
    """The broker, its agencies registered for the device grant."""
    elsewhere.register(whole, grant_types=GRANTS)
    return whole
