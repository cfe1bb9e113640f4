"""What each step of the story costs the database: a statement more is a decision somebody reviews, no stopwatch needed.

`pytest -s tests/broker/test_counts.py` prints the table. On PostgreSQL an entry in the ledger costs one more: its lock.
"""

import re
import sys
from collections.abc import Iterator

import pytest

from tests.broker.counting import Cost, Meter, metered
from tests.broker.issuing import example_wallet
from tests.broker.whole import Whole, journey_of
from tests.conftest import POSTGRESQL

# fmt: off
STORY = [
    # step                      row of the route table                          statements  commits  entry
    ("push",                    "POST /par",                                             2,       1, False),
    ("authorize",               "GET /authorize",                                        2,       1, False),
    ("sign-in page",            "GET /i/{tx}/sign-in",                                   2,       0, False),
    ("password",                "POST /i/{tx}/sign-in",                                  13,      2, False),  # counted, its network's names too, then compared; taken back
    ("code page",               "GET /i/{tx}/code",                                      3,       0, False),
    ("code",                    "POST /i/{tx}/code",                                     9,       2, False),  # counted, then compared
    ("onward",                  "GET /i/{tx}/continue",                                  4,       1, False),
    ("consent, first view",     "GET /i/{tx}/consent",                                  19,       1, True),
    ("consent, second view",    "GET /i/{tx}/consent",                                  14,       1, True),
    ("share",                   "POST /i/{tx}/consent",                                 27,       1, True),
    ("receipt",                 "GET /i/{tx}/done",                                      7,       0, False),
    ("done",                    "POST /i/{tx}/done",                                     4,       1, False),
    ("token",                   "POST /token",                                           9,       1, False),
    ("prefill, first",          "GET /prefill",                                         15,       1, True),
    ("prefill, again",          "GET /prefill",                                         16,       1, True),
    ("userinfo",                "GET /userinfo",                                         3,       1, False),
    ("repeat: push",            "POST /par",                                             2,       1, False),
    ("repeat: authorize",       "GET /authorize",                                        4,       1, False),
    ("repeat: no question",     "GET /i/{tx}/consent",                                   9,       1, False),
    ("account",                 "GET /account",                                         10,       0, False),
    ("sharing",                 "GET /account/sharing",                                  6,       0, False),
    ("activity",                "GET /account/activity",                                 7,       0, False),
    ("stop page",               "GET /account/sharing/{id}/stop",                        3,       0, False),
    ("stop",                    "POST /account/sharing/{id}/stop",                      18,       1, True),
    ("documents",               "GET /account/documents",                                6,       0, False),
    ("offer page",              "GET /account/documents/{id}/add-to-wallet",             3,       0, False),
    ("offer",                   "POST /account/documents/{id}/add-to-wallet",           15,       1, True),
    ("number",                  "POST /account/documents/offers/{id}/code",             11,       2, False),  # counted, then compared
    ("wallet: offer",           "GET /offers/{id}",                                      1,       0, False),
    ("wallet: token",           "POST /token",                                           8,       1, False),
    ("wallet: nonce",           "POST /nonce",                                           0,       0, False),
    ("credential",              "POST /credential",                                     24,       1, True),
    ("sign-out",                "POST /sign-out",                                        2,       1, False),
]
# fmt: on


@pytest.fixture
def meter(whole: Whole) -> Iterator[Meter]:
    """Counts the requests of the running broker; the agency has its nonce already."""
    with metered(whole) as counting:
        yield counting


def walk(whole: Whole, meter: Meter) -> list[Cost]:
    """Walk the story of the table, one person in one browser; every request in order."""
    maria, agency = whole.citizen(), whole.agency()
    agency.push()  # the first call of a program learns the nonce and is refused
    meter.take()
    page = maria.comes_from(agency.asks())
    page = maria.open(page.url)
    token = agency.token(maria.shares(page, "contact.iban"))["access_token"]
    permission = agency.data(token).json()["grant_id"]
    assert agency.data(token).status_code == 200
    assert agency.call("GET", "/userinfo", token=token).status_code == 200
    assert "code" in agency.receives(maria.open(agency.asks()))
    for path in ("/account", "/account/sharing", "/account/activity"):
        maria.open(path)
    maria.stops(permission)
    maria.open("/account/documents")
    page = maria.press(maria.open("/account/documents/residence/add-to-wallet"), "add-to-wallet", "offer")
    offer = page.get("credential-offer")["href"]
    whole.clock.later(30)  # another one-time code
    page = maria.press(maria.open(f"{page.url}/code"), "one-time-code", "continue", code=maria.codes.code())
    wallet = example_wallet()
    wallet.receive(offer, re.sub(r"\D", "", page.get("tx-code").text), http=whole.client(), clock=whole.clock.seconds)
    maria.press(maria.open("/sign-out"), "sign-out", "sign-out")
    return meter.take()


def steps(costs: list[Cost]) -> dict[str, Cost]:
    """The requests of the table, by step; what lies between (metadata, the wallet learning its nonce) is left out."""
    found, waiting = {}, list(costs)
    for step, name, *_ in STORY:
        while waiting and (waiting[0].name != name or waiting[0].status >= 400):
            waiting.pop(0)
        assert waiting, f"{step} never came"
        found[step] = waiting.pop(0)
    return found


def table(found: dict[str, Cost]) -> str:
    together = Cost("", ["x" for cost in found.values() for _ in range(cost.statements)])
    together.commits = sum(cost.commits for cost in found.values())
    rows = [*found.items(), ("together", together)]
    lines = [f"{step:24} {cost.statements:10} {cost.commits:8}\n" for step, cost in rows]
    return f"\n{'step':24} {'statements':>10} {'commits':>8}\n" + "".join(lines)


def test_the_story(whole: Whole, meter: Meter) -> None:
    found = steps(walk(whole, meter))
    wanted = {step: (count + (entry and bool(POSTGRESQL)), commits) for step, _, count, commits, entry in STORY}
    sys.stdout.write(table(found))
    wrong = [str(cost) for step, cost in found.items() if (cost.statements, cost.commits) != wanted[step]]
    assert {step: (cost.statements, cost.commits) for step, cost in found.items()} == wanted, "\n".join(wrong)


#: Attempts are counted and committed before the secret is compared, so that nobody gets a guess for free.
TWICE = {"password", "code", "number"}


def test_one_commit_a_request(whole: Whole, meter: Meter) -> None:
    """Also when it is noted that the session is used, which is due at every step here."""
    whole.citizen()
    costs = walk(whole, meter)
    counting = {cost.name for step, cost in steps(costs).items() if step in TWICE}
    assert {cost.name for cost in costs if cost.commits > 1} == counting
    assert max(cost.commits for cost in costs) == 2


def test_that_a_session_is_used_costs_no_commit_of_its_own(whole: Whole, meter: Meter) -> None:
    maria, agency = whole.citizen(), whole.agency()
    page = maria.comes_from(agency.asks())
    meter.take()
    for step in ("second view", "share", "receipt", "done"):
        whole.clock.later(61)
        if step == "second view":
            page = maria.open(page.url)
        elif step == "share":
            page = maria.press(page, "consent", "share", item=[])
        elif step == "receipt":
            page = maria.open(page.url)
        else:
            maria.press(page, "done", "continue")
        costs = meter.take()
        assert all(cost.commits <= 1 for cost in costs), "\n".join(map(str, costs))
        noted = [one for cost in costs for one in cost.ran if one.startswith("UPDATE session SET idle_until")]
        assert len(noted) == 1, step


PAGES = ["/account", "/account/sharing", "/account/activity", "/account/documents"]


def test_pages_of_an_account_cost_the_same_with_more_in_it(whole: Whole, meter: Meter) -> None:
    """No statement for each permission, entry or document."""
    maria, office = whole.citizen(), whole.agency("norr-planning")

    def shares() -> None:
        office.token(maria.shares(maria.comes_from(office.asks())))

    def costs() -> dict[str, int]:
        meter.take()
        for path in PAGES:
            maria.open(path)
        return {cost.name: cost.statements for cost in meter.take()}

    shares()
    first = costs()
    for _ in range(4):
        shares()
    assert costs() == first


def test_stopping_costs_the_same_however_often_it_was_used(whole: Whole, meter: Meter) -> None:
    """All that is sealed under a permission and all its tokens end in statements that do not count them."""

    def stop(visits: int, username: str) -> int:
        maria, agency = whole.citizen(username), whole.agency()
        token = agency.token(maria.shares(maria.comes_from(agency.asks())))
        for _ in range(visits):
            agency.token(maria.open(agency.asks()))
        meter.take()
        maria.stops(token["grant_id"])
        return next(c.statements for c in meter.take() if c.name.startswith("POST"))

    assert stop(4, "nora") == stop(0, "maria")


def test_a_request_that_is_refused_early_costs_nothing(whole: Whole, meter: Meter) -> None:
    client = whole.client()
    client.post("/par", data={"client_id": "x"})
    client.post("/token", data={"grant_type": "authorization_code"})
    client.get("/prefill")
    client.get("/userinfo")
    client.get("/nothing")
    client.get(f"/i/{journey_of('/i/unknown/consent')}/consent", headers={"accept": "text/html"})
    assert [(cost.name, cost.statements) for cost in meter.take() if cost.statements] == [("GET /i/{tx}/consent", 1)]
