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
