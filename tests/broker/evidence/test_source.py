"""The values that travel between registers and the exchange."""

import pytest

from broker.evidence.source import Evidence, Found, Status, Subject, without_value
from consent import release


def test_a_value_and_the_status_provided_go_together() -> None:
    with pytest.raises(ValueError, match="provided"):
        Found("identity.given_name", "provided", None, "population", None, 1)
    for status in ("not_held", "not_applicable", "withheld", "source_unavailable"):
        with pytest.raises(ValueError, match="provided"):
            Found("identity.given_name", status, release.seal("x"), "population", None, 1)


def test_nothing_personal_is_in_what_gets_printed() -> None:
    found = Found("contact.email", "provided", release.seal("me@mail.example"), "account", None, 1)
    subject = Subject("p1", "9000000103", {"email": release.seal("me@mail.example")})
    for text in (repr(found), repr(subject), repr(Evidence([found]))):
        assert "mail.example" not in text
        assert "9000000103" not in text
    assert "contact.email" in repr(Evidence([found]))


def test_evidence_about_the_dead_holds_no_value() -> None:
    with pytest.raises(ValueError, match="eligible"):
        Evidence([Found("contact.email", "provided", release.seal("x"), "account", None, 1)], eligible=False)


@pytest.mark.parametrize("status", ["not_held", "withheld", "source_unavailable"])
def test_without_value_says_the_same_of_each(status: Status) -> None:
    found = without_value(["a.b", "c.d"], status, "population", 7)
    assert [(one.attribute, one.status, one.value, one.source, one.retrieved_at) for one in found] == [
        ("a.b", status, None, "population", 7),
        ("c.d", status, None, "population", 7),
    ]
