"""Two servers on one database share everything: the story goes through with every other request answered by the other one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from broker.app import create_app
from tests.broker.whole import Whole
from tests.conftest import POSTGRESQL


@pytest.fixture
def answered(whole: Whole) -> Iterator[list[int]]:
    """A second server beside the first; which of them answered, in order."""
    if not POSTGRESQL:
        pytest.skip("SQLite has one server: one connection writes")
    second, taken = create_app(whole.settings, now=whole.clock), list[int]()
    second.state.parts = replace(second.state.parts, registers=whole.parts.registers)
    both = whole.app, second

    async def front(scope: Any, receive: Any, send: Any) -> None:
        taken.append(len(taken) % 2)
        await both[taken[-1]](scope, receive, send)

    with TestClient(second, whole.settings.issuer):
        whole.front = front
        yield taken
        whole.front = None


def test_a_form_is_filled_again_and_stopped(whole: Whole, answered: list[int]) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.comes_from(agency.asks())
    page = maria.open(page.url)
    token = agency.token(maria.shares(page, "contact.iban"))["access_token"]
    assert [agency.data(token).status_code for _ in range(4)] == [200] * 4
    assert [agency.call("GET", "/userinfo", token=token).status_code for _ in range(2)] == [200] * 2
    again = agency.token(maria.open(agency.asks()))
    permission = agency.data(again["access_token"]).json()["grant_id"]
    maria.stops(permission)
    assert [agency.data(again["access_token"]).status_code for _ in range(2)] == [401] * 2
    assert whole.types().count("access.released") == 5
    assert whole.types()[-1] == "permission.withdrawn"
    assert len(answered) > 25
    assert answered.count(0) - answered.count(1) in {0, 1}


@pytest.mark.parametrize("steps", [0, 1])
def test_what_counts_once_counts_once_for_both(whole: Whole, answered: list[int], steps: int) -> None:
    """A code, an assertion and a proof that one of them took are used for the other one too, whichever was first."""
    maria, agency = whole.citizen(), whole.agency()
    code = agency.receives(maria.shares(maria.comes_from(agency.asks())))["code"]
    if (len(answered) + steps) % 2:
        whole.client().get("/healthz")
    assert agency.redeem(code).status_code == 200
    late = [agency.redeem(code) for _ in range(2)]
    assert [(answer.status_code, answer.json()["error"]) for answer in late] == [(400, "invalid_grant")] * 2
