"""A sentence about the past is made from the entry's statuses, never from what was asked (issue: the history said what did not happen)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker.pages.citizen.told import Voice
from broker.pages.render import Renderer
from consent import catalogue, intended_use, item_status
from consent.history import Event

CONFIG = Path("openid-config")
USE = "norr.childcare-allowance"
KNOWN, USES = catalogue.load(CONFIG), intended_use.load(CONFIG)
RENDERER = Renderer()


def told(kind: str, truth: dict[str, str], seen: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    voice = Voice(USES, KNOWN, "en", SimpleNamespace(get=lambda _: None))  # type: ignore[arg-type]  # a use has its own names
    given = Event(
        1, 1, 1_795_302_000_000_000, kind, "norr-childcare", USES.get(USE).purpose_id, "p",
        body={"items": seen or {}, **body}, private={"items": truth},
    )  # fmt: skip
    return voice.event(given)


def text(event: dict[str, Any]) -> str:
    return RENDERER.render("activity.html", {"events": [event], "more_href": None}, language="en")


def label(item: str) -> str:
    return KNOWN.attribute(item).labels["en"]


@pytest.mark.parametrize("kind", ["access.released", "access.previewed", "credential.issued"])
@pytest.mark.parametrize("status", item_status.STATUSES)
def test_only_what_was_provided_stands_under_the_sentence(kind: str, status: str) -> None:
    """Withheld for a protected person, not delivered by a register, left out: none of it was sent, shown or issued."""
    event = told(kind, {"identity.given_name": "provided", "address.registered": status})
    listed = [label("identity.given_name")] + [label("address.registered")] * (status == "provided")
    assert event["items"] == listed
    missing = [] if status == "provided" else [{"label": label("address.registered"), "why": status}]
    assert event["missing"] == missing
    if status != "provided":
        after = text(event).split(label("address.registered"))[1]
        assert len(after.split("</li>")[0].split()) > 2, "and why"


def test_nothing_sent_is_said_to_be_nothing() -> None:
    event = told("access.released", {"address.registered": "withheld", "income.taxable_band": "source_unavailable"})
    page = text(event)
    assert "Asked for by the service. Nothing was sent." in page
    assert "Sent to the service" not in page
    assert "not sent: it is protected" in page
    assert "not sent: the register did not answer" in page


def test_what_the_service_was_told_of_an_absence() -> None:
    truth = {"identity.given_name": "not_held", "address.registered": "not_held"}
    seen = {"identity.given_name": "not_held", "address.registered": "not_provided"}
    assert [one["why"] for one in told("access.released", truth, seen)["missing"]] == ["not_held_told", "not_held"]


def test_a_decision_lists_what_was_given() -> None:
    truth = {"identity.given_name": "given", "address.registered": "not_shown", "contact.iban": "refused"}
    event = told("permission.given", truth, {"identity.given_name": "given"})
    assert event["items"] == [label("identity.given_name")]
    assert [one["why"] for one in event["missing"]] == ["not_shown", "refused"]


def test_a_repeat_is_told_as_one() -> None:
    event = told("access.released", {"identity.given_name": "provided"}, repeat_of=7)
    assert "once more" in text(event)


def test_left_out_is_said_of_a_decision_only() -> None:
    """A later release knows what is not shared, not why: the person may never have been offered it."""
    truth = {"identity.given_name": "provided", "contact.iban": "refused"}
    assert "you left it out" not in text(told("access.released", truth))
    assert "not part of what you share" in text(told("access.released", truth))
    given = {"identity.given_name": "given", "contact.iban": "refused"}
    assert "you left it out" in text(told("permission.given", given))
