"""What the quickstart shows of answers and errors is what comes back."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.database import Database
from tests.broker import signals
from tests.broker import whole as wholes
from tests.broker.whole import Whole
from tests.docs.test_commands import example, members

PAGE = Path("docs/quickstart-agency.md")


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    with wholes.running(database, database_url, tmp_path, now) as running:
        yield running


def names(told: Any) -> set[str]:
    """Every member name in an answer, at any depth."""
    if isinstance(told, dict):
        return set(told) | {name for value in told.values() for name in names(value)}
    return {name for one in told for name in names(one)} if isinstance(told, list) else set()


def test_the_answer(whole: Whole) -> None:
    maria, agency = whole.present(), whole.agency()
    told = agency.data(agency.token(maria.shares(maria.open(agency.asks())))["access_token"]).json()
    shown = example("quickstart-agency.md", "grant_id")
    assert members(shown) <= names(told)
    assert told["items"]["address.registered"]["editable"] == "never"
    assert told["items"]["address.registered"]["source"] == "population"
    assert re.search(r'"contact.iban": \{"status": "not_provided", "retryable": false\b', shown)
    assert told["items"]["contact.iban"]["status"] == "not_provided"
    assert told["items"]["contact.iban"]["retryable"] is False


def test_the_errors(whole: Whole) -> None:
    """Each error of the table, met."""
    maria, agency = whole.present(), whole.agency()
    met = {agency.http.post("/par", data={"client_id": "x"}).json()["error"]}
    first = agency.http.request(
        "POST", "/par", data={**agency.request(), **credentials(agency)}, headers={"DPoP": proof(agency)}
    )
    met.add(first.json()["error"])
    met.add(agency.push(scope=f"openid use:{agency.use} identity.sex").json()["error"])
    page = maria.press(maria.open(agency.asks()), "consent", "refuse")
    met.add(agency.receives(page)["error"])
    token = agency.token(maria.shares(maria.open(agency.asks())))
    maria.stops(token["grant_id"])
    gone = agency.push(grant_management_action="merge", grant_id=token["grant_id"])
    met.add(gone.json()["error"])
    stopped = agency.data(token["access_token"])
    met.add(stopped.json()["error"])
    assert "ended this permission" in stopped.json()["error_description"]
    table = PAGE.read_text("utf-8").split("## Errors you will meet")[1]
    told = set(
        re.findall(r"`(?:error=)?([a-z_]+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if "|" in row))
    )
    assert told <= met
    assert {"use_dpop_nonce", "invalid_client", "access_denied"} <= met


def credentials(agency: Any) -> dict[str, str]:
    from tests.actors import ASSERTION

    return {"client_assertion_type": ASSERTION, "client_assertion": agency.assertion()}


def proof(agency: Any) -> str:
    return str(agency.proof("POST", agency.issuer + "/par", None))


def test_the_event(database: Database, database_url: str, tmp_path: Path, now: int) -> None:
    """The event of the page, and every name the section uses."""
    with signals.running(database, database_url, tmp_path, now) as running:
        receiver, maria = signals.receiver(running), running.present()
        ended = signals.grant_ended(running.settings.issuer)
        receiver.create(events_requested=[ended, signals.SESSION_REVOKED])
        token = receiver.agency.token(maria.shares(maria.open(receiver.agency.asks())))
        maria.stops(token["grant_id"], ask_erasure="yes")
        (told,) = receiver.hears()
        shown = example("quickstart-agency.md", "sub_id")
        assert members(shown) == names(told) - {"erasure_requested", ended}
        section = PAGE.read_text("utf-8").split("## Hearing what ended")[1].split("\n## ")[0]
        assert told["events"][ended]["reason"] in section
        known = {
            *names(receiver.stream),
            *names(told),
            *names(running.client().get("/.well-known/ssf-configuration").json()),
        }
        spoken = {
            "ack",
            "endpoint_url",
            "authorization_header",
            "state",
            "session",
            "sid",
            "sub",
            "typ",
            "exp",
            "aud",
            "jti",
        }
        assert signals.SESSION_REVOKED in section
        assert set(re.findall(r"`([a-z]+_[a-z_]+)`", section)) <= known | spoken | {"client_credentials"}
