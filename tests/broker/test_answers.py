"""Answers are values: frozen, a refusal is falsy, whatever it says."""

import dataclasses

import pytest

from broker.answers import Cookie, Json, Later, Page, Raw, Redirect, Refusal

ALL = [
    Json({}),
    Raw(b"", "text/plain"),
    Redirect("/"),
    Page("home.html", {}),
    Refusal("invalid_grant"),
    Later(lambda _: Json({})),
    Cookie("semel"),
]


@pytest.mark.parametrize("answer", ALL, ids=lambda answer: type(answer).__name__)
def test_nobody_changes_an_answer_on_its_way_out(answer: object) -> None:
    name = dataclasses.fields(answer)[0].name  # type: ignore[arg-type]  # each of them is a dataclass
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(answer, name, None)


def test_only_a_refusal_is_no_success() -> None:
    assert [type(answer) for answer in ALL if not answer] == [Refusal]


def test_a_redirect_after_a_form_is_fetched_with_get() -> None:
    """RFC 9110 §15.4.4, RFC 9700 §4.12: 303, so that no browser sends a password on."""
    assert Redirect("/").status == 303


@pytest.mark.parametrize("location", ["", "/a\r\nSet-Cookie: x=y", "https://a.example/ö", "/a b", "/a\x00"])
def test_a_redirect_that_no_header_can_hold_cannot_be_made(location: str) -> None:
    """An answer is made before the commit and sent after it: what would fail then fails while it can be taken back."""
    with pytest.raises(ValueError, match="printable"):
        Redirect(location)


UNSPELLED = [
    "https://[fe80::1%25eth0]",
    "https://a.example; script-src *",
    "https://a.example/path",
    "javascript:",
    "*",
    "",
]


@pytest.mark.parametrize("source", UNSPELLED)
def test_a_page_whose_policy_cannot_be_spelled_cannot_be_made(source: str) -> None:
    with pytest.raises(ValueError, match="origins"):
        Page("home.html", {}, form_action=source)
    with pytest.raises(ValueError, match="origins"):
        Page("home.html", {}, frames=(source,))
