"""The page that asks is the notice with its values: what the digest stands for, whole and in its order, and nothing else (records §3.5)."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from babel.messages.pofile import read_po

from broker.pages import render
from tests.broker.pages.samples import NAMES, sample

ASKS = [name for name in NAMES if sample(name, "en")[0] == "consent.html"]
EVERY = pytest.mark.parametrize(
    ("name", "language"), [(name, tongue) for name in ASKS for tongue in render.languages()]
)
RENDERER = render.Renderer()
ISOLATES = re.compile("[\u2068\u2069]")


class Form(HTMLParser):
    """The text of the form in which a person decides."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(html[html.index('<form id="consent"') : html.index("</form>")])

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(text: str) -> str:
    return " ".join(ISOLATES.sub("", text).split())


def drawn(context: dict[str, Any], language: str) -> str:
    return plain(Form(RENDERER.render("consent.html", context, language=language)).text)


def told(context: dict[str, Any]) -> list[str]:
    """Every text of the notice that has its place on the page, in the notice's order; registers stand with their rows."""
    rows, said = {row["id"]: row for row in context["rows"]}, []
    for block in context["notice"]["blocks"]:
        said += [block.get("heading", ""), block.get("text", "")] if block["kind"] != "sources" else []
        for row in (rows[item] for item in block.get("items", [])):
            said += [row["label"]] + [row["reason"]] * (row["status"] == "provided")
        said += [text for party in block.get("parties", []) for text in (party["text"], party["reason"])]
        said += [block.get("kept", "")]
    return [plain(text) for text in said if text]


def registers(context: dict[str, Any]) -> list[dict[str, str]]:
    return [one for block in context["notice"]["blocks"] for one in block.get("registers", [])]


@EVERY
def test_every_text_of_the_notice_is_on_the_page_in_its_order(name: str, language: str) -> None:
    _, context = sample(name, language)
    page, at = drawn(context, language), 0
    for text in told(context):
        at = page.find(text, at)
        assert at >= 0, text
    judged = [row for row in context["rows"] if row["status"] in {"provided", "not_held", "not_applicable"}]
    for register in registers(context):
        assert plain(register["text"]) in page
        corrected = [row for row in judged if row["source"] == register["text"]]
        assert page.count(plain(register["correction"])) == len(corrected)


@EVERY
def test_nothing_else_is_on_the_page_but_values_and_our_own_words(name: str, language: str) -> None:
    _, context = sample(name, language)
    parts = [*told(context), *(plain(one[key]) for one in registers(context) for key in ("text", "correction"))]
    parts += [plain(line) for row in context["rows"] for line in row["lines"]]
    parts += [*map(str, context["service"].values()), *own_words(language), *days(context, language), *sites(context)]
    page = drawn(context, language)
    for part in sorted({part for part in parts if len(part) > 1}, key=len, reverse=True):
        page = page.replace(part, " ")
    assert re.findall(r"\w+", page) == []


@EVERY
def test_a_text_that_is_not_the_notices_is_found(name: str, language: str) -> None:
    """The comparison can fail: another purpose on the page is noticed."""
    _, context = sample(name, language)
    page = drawn(context, language)
    assert plain("Something else is done with it.") not in page
    changed = [
        {**one, "text": "Something else is done with it."} if one["kind"] == "why" else one
        for one in context["notice"]["blocks"]
    ]
    assert "Something else is done with it." in drawn({**context, "notice": {"blocks": changed}}, language)


def own_words(language: str) -> list[str]:
    """The product's own sentences, cut at what is filled in."""
    with (render.LOCALES / language / "LC_MESSAGES" / "semel.po").open("rb") as stream:
        texts = [message.string or message.id for message in read_po(stream, locale=language) if message.id]
    flat = [text for one in texts for text in ((one,) if isinstance(one, str) else one)]
    return [plain(piece) for text in flat for piece in re.split(r"%\(\w+\)s", text) if plain(piece)]


def days(context: dict[str, Any], language: str) -> list[str]:
    known = [row["as_of"] for row in context["rows"]] + [one["until"] for one in context["durations"]]
    return [plain(render.writing(language).day(day)) for day in known if day]


def sites(context: dict[str, Any]) -> list[str]:
    links = [block.get("link") for block in context["notice"]["blocks"]] + [one["link"] for one in registers(context)]
    return [render.host(link) for link in links if link]
