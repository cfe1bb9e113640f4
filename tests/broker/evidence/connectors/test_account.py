"""What a person told us themselves."""

import asyncio
from collections.abc import Callable
from typing import Any

from broker.evidence.connectors.account import AccountSource, Declaration
from broker.evidence.source import Found, Subject
from consent import release

DECLARED = Declaration(connector="account", attributes={"contact.email": "email", "contact.phone": "phone"})


def test_what_was_given_is_provided_and_the_rest_is_not_held(holds: Callable[[Found, Any], bool]) -> None:
    subject = Subject("p1", None, {"email": release.seal("me@mail.example")}, account_as_of="2026-11-01")
    asked = frozenset({"contact.email", "contact.phone"})
    source = AccountSource("account", DECLARED)
    found = asyncio.run(source.fetch(subject, asked, phase="preview", reference="r", now=5))
    assert set(found) == asked
    assert holds(found["contact.email"], "me@mail.example")
    assert (found["contact.email"].as_of, found["contact.email"].retrieved_at) == ("2026-11-01", 5)
    assert (found["contact.phone"].status, found["contact.phone"].as_of) == ("not_held", None)
