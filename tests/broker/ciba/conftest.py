"""A broker whose agencies may ask people behind the front."""

from typing import Any

import pytest

from tests.broker import elsewhere
from tests.broker.whole import Whole

METADATA: dict[str, Any] = {
    "grant_types": ("authorization_code", "refresh_token", elsewhere.CIBA),
    "backchannel_token_delivery_mode": "poll",
    "backchannel_authentication_request_signing_alg": "ES256",
}


@pytest.fixture
def behind(whole: Whole) -> Whole:
    """The broker with one person, its agencies registered for the back channel."""
    elsewhere.register(whole, **METADATA)
    whole.citizen()
    return whole
