"""Pushed requests: one browser, one client, one minute (RFC 9126 §2.2, §4)."""

import pytest

from broker.answers import Refusal
from broker.authorization import checks, pushed
from broker.authorization.checks import At
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest
from broker.database import Database
from broker.tables import pushed_request
from consent.intended_use import Uses
from tests.broker.authorization.test_checks import unchecked

MINUTE = 60 * 1_000_000
BROWSER, OTHER = b"b" * 32, b"o" * 32


@pytest.fixture
def asked(uses: Uses) -> AuthorizationRequest:
    return checks.check(unchecked(uses, {"state": "s"}), At.PUSH)


@pytest.fixture
def uri(database: Database, asked: AuthorizationRequest, now: int) -> str:
    made = pushed.new_uri()
    with database.write() as tx:
        pushed.store(tx, asked, made, now)
    return made


def claim(
    database: Database, uri: str, now: int, browser: bytes = BROWSER, client: str = "rp"
) -> PushedRequest | Refusal:
    with database.write() as tx:
        return pushed.claim(tx, uri, client, browser, now)


def test_the_uri_is_unguessable_and_not_stored(database: Database, uri: str) -> None:
    assert uri.startswith("urn:ietf:params:oauth:request_uri:")
    assert len(uri.removeprefix(pushed.PREFIX)) == 43
    with database.read() as tx:
        row = tx.execute(pushed_request.select()).one()
    assert uri.removeprefix(pushed.PREFIX) not in repr(tuple(row))
    assert row.tx not in uri


def test_the_first_browser_has_it_also_after_the_minute(
    database: Database, uri: str, asked: AuthorizationRequest, now: int
) -> None:
    first = claim(database, uri, now + MINUTE - 1)
    assert isinstance(first, PushedRequest)
    assert (first.request, first.pushed_at) == (asked, now)
    assert claim(database, uri, now + 10 * MINUTE) == first
    with database.read() as tx:
        assert pushed.find(tx, first.tx, BROWSER) == first
        assert pushed.find(tx, first.tx, OTHER) is None


def test_two_requests_of_one_browser_have_nothing_equal(
    database: Database, uri: str, asked: AuthorizationRequest, now: int
) -> None:
    """protocol §2: whoever reads the rows cannot tell that one browser went to two agencies."""
    other = pushed.new_uri()
    with database.write() as tx:
        pushed.store(tx, asked, other, now)
    assert claim(database, uri, now)
    assert claim(database, other, now)
    with database.read() as tx:
        first, second = tx.execute(pushed_request.select()).all()
    assert first.browser != second.browser
    assert BROWSER not in {first.browser, second.browser}


@pytest.mark.parametrize(
    ("browser", "client", "minutes", "claimed"),
    [
        pytest.param(OTHER, "rp", 0, True, id="another browser"),
        pytest.param(BROWSER, "other", 0, False, id="another client's RFC 9126 §4"),
        pytest.param(BROWSER, "other", 0, True, id="another client's, once claimed"),
        pytest.param(BROWSER, "rp", 1, False, id="too late RFC 9126 §2.2"),
    ],
)
def test_refused(
    database: Database, uri: str, now: int, browser: bytes, client: str, minutes: int, claimed: bool
) -> None:
    if claimed:
        assert claim(database, uri, now)
    refused = claim(database, uri, now + minutes * MINUTE, browser, client)
    assert isinstance(refused, Refusal)
    assert refused.code == "invalid_request_uri"


def test_an_unknown_and_a_closed_request(database: Database, uri: str, now: int) -> None:
    first = claim(database, uri, now)
    assert isinstance(first, PushedRequest)
    with database.write() as tx:
        pushed.close(tx, first.tx)
    assert not claim(database, uri, now)
    assert not claim(database, pushed.new_uri(), now)
    with database.read() as tx:
        assert pushed.find(tx, first.tx, BROWSER) is None
