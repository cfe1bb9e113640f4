"""One agency with one intended use."""

import pytest

from consent.intended_use import Uses
from tests.broker import relying


@pytest.fixture(scope="session")
def uses() -> Uses:
    """What the clients `rp` and `other` may ask for."""
    return relying.uses()
