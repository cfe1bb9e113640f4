"""The pages and files of every public service: there for everybody, named after the operator (RFC 9116, RFC 9309)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker.evidence.breaker import FAILURES, Breaker, Guarded
from broker.pages import operator_texts
from broker.pages.citizen import public_pages
from consent.errors import BadDeclaration
from tests.broker.whole import Whole

CONFIG = Path(__file__).parents[4] / "openid-config"
PAGES = ["help", "privacy", "accessibility", "cookies", "contact", "status"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_for_everybody_in_every_language(whole: Whole, page: str) -> None:
    for language in ("en", "ar"):
        answer = whole.client().get(f"/{page}?lang={language}")
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text
        assert f'data-page="{page}"' in answer.text
        assert "noindex" not in answer.text


@pytest.mark.parametrize("page", ["help", "privacy", "accessibility", "contact"])
def test_the_operator_is_named_and_can_be_reached(whole: Whole, page: str) -> None:
    text = whole.client().get(f"/{page}").text
    assert "mailto:help@id.norr.example" in text
    assert page == "help" or "Norr identity office" in text


def test_every_page_leads_to_them(whole: Whole) -> None:
    text = whole.client().get("/").text
    assert [page for page in PAGES if f'href="/{page}"' not in text] == []


def test_security_txt_is_never_stale(whole: Whole) -> None:
    """RFC 9116 §2.5: contact, an end in the future and less than a year away, the languages and the file's own address."""
    for _ in range(2):
        answer = whole.client().get("/.well-known/security.txt")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        ends = datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        left = ends - datetime.fromtimestamp(whole.clock() / 1_000_000, UTC)
        assert timedelta(days=100) < left < timedelta(days=365)
        assert fields["Contact"] == "mailto:security@id.norr.example"
        assert fields["Canonical"] == f"{whole.parts.issuer}/.well-known/security.txt"
        assert fields["Preferred-Languages"] == "en, ar"
        whole.clock.later(400 * 86_400)


def test_security_txt_of_an_operator_who_declared_nothing() -> None:
    assert operator_texts.OperatorTexts().security is None
    told = public_pages.act_security(("https://id.example", "https://id.example/contact"), 0)
    assert b"Contact: https://id.example/contact\n" in told.content


def test_what_machines_ask_for(whole: Whole) -> None:
    robots = whole.client().get("/robots.txt")
    assert robots.headers["content-type"].startswith("text/plain")
    assert "Disallow: /account\n" in robots.text
    assert "/help" not in robots.text
    mark = whole.client().get("/favicon.ico")
    assert (mark.status_code, mark.headers["content-type"]) == (200, "image/svg+xml")
    assert b"<svg" in mark.content


def test_the_status_says_which_register_does_not_answer(whole: Whole) -> None:
    """What has failed again and again is left alone, and said; nothing is asked for the page."""
    breaker = Breaker(lambda: 0.0)
    guarded: Any = Guarded(SimpleNamespace(id="tax"), 1.0, breaker)  # type: ignore[arg-type]  # never asked
    wired: Any = SimpleNamespace(catalogue=whole.parts.catalogue, registers=SimpleNamespace(by_id={"tax": guarded}))
    facts = public_pages.Facts(wired, operator_texts.load(CONFIG), "status", "en")
    with whole.parts.database.read() as tx:
        assert public_pages.act_status(tx, facts, 0).context["registers"] == [{"name": "Tax Agency", "answers": True}]
        for _ in range(FAILURES):
            breaker.failed()
        assert public_pages.act_status(tx, facts, 0).context["registers"] == [{"name": "Tax Agency", "answers": False}]


def test_the_operators_own_text_stands_in_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "en.toml").write_text('[[help]]\nheading = "Visit us"\ntext = ["At the town hall."]\n')
    texts = operator_texts.load(tmp_path)
    assert texts.context("help", "en")["sections"] == [{"heading": "Visit us", "text": ["At the town hall."]}]
    assert texts.context("help", "ar")["sections"] == []
    assert texts.context("contact", "en")["mail"] is None
    assert texts.context("contact", "en")["operator"] is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("xx.toml", "", "no language xx"),
        ("en.toml", 'shop = "x"', "shop"),
        ("en.toml", 'security = "us"', "security"),
        ("en.toml", '[[help]]\nheading = "x"\ntext = []', "text"),
        ("en.toml", "mail = 7", "mail"),
    ],
)
def test_what_is_no_text_of_the_operators(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / name).write_text(text)
    with pytest.raises(BadDeclaration, match=said):
        operator_texts.load(tmp_path)


def test_what_the_operator_writes_is_text_and_no_markup(whole: Whole) -> None:
    page = whole.app.state.operator_texts.pages["en"].model_copy(
        update={"help": (operator_texts.Section(heading="<b>x", text=("<script>alert(1)</script>",)),)}
    )
    before = whole.app.state.operator_texts
    whole.app.state.operator_texts = operator_texts.OperatorTexts(pages={"en": page})
    try:
        text = whole.client().get("/help?lang=en").text
    finally:
        whole.app.state.operator_texts = before
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
