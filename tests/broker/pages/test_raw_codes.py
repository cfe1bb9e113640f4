"""No raw code reaches a page: every page in Arabic, every coded value of the catalogue, every register (pages.md §2.3 rule 8)."""

import re
from html.parser import HTMLParser

import pytest

from broker.pages import render
from consent import catalogue
from tests.broker.pages.samples import CONFIG, NAMES, declared, sample
from tests.browser.window import LATIN

KNOWN, USES = declared()
RENDERER = render.Renderer()
#: What a program calls things: ids, statuses, event types and error codes, in a whole word.
CODE = re.compile(r"(?<![\w./@-])[a-z]{2,}(?:_[a-z]+)+(?![\w@-])|(?<![\w.])(?:permission|access|credential)\.[a-z_]+")
CODES = {*KNOWN.attributes, *USES.current}
#: Types whose values are written down by people and registers, in whatever letters.
OWN_WORDS = {"text", "identifier", "image", "email", "phone", "iban", "custody", "record", "records", "date", "partial_date", "integer"}  # fmt: skip
CODED = [one for one in KNOWN.attributes.values() if one.type not in OWN_WORDS]
EXAMPLES = {
    "language": ["en", "ar", "pt-BR"],
    "time_zone": ["Europe/Oslo", "Asia/Riyadh", "UTC"],
    "boolean": [True, False],
    "countries": [["SE", "XN"], []],
    "money": [{"amount": 25000, "currency": "EUR", "year": 2025}],
    "address": [{"locality": "نور", "country": code} for code in ("XN", "SE", "NO")],
}


class Words(HTMLParser):
    """The text of a page: `ours` is what the page says itself, `data` what stands in `<bdi>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.apart, self.ours, self.data = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in {"bdi", "script", "title", "svg"} or (tag != "html" and "lang" in dict(attrs)):
            self.apart.append(tag)

    def handle_endtag(self, tag):
        if tag in self.apart:
            while self.apart.pop() != tag:
                pass

    def handle_data(self, data):
        (self.data if self.apart else self.ours).append(data)


@pytest.mark.parametrize("name", NAMES)
def test_no_page_in_arabic_says_a_latin_word(name):
    template, context = sample(name, "ar")
    words = Words(RENDERER.render(template, context, language="ar"))
    latin = set(re.findall(r"[A-Za-z]{2,}", " ".join(words.ours))) - LATIN
    assert latin == set()
    said = " ".join([*words.ours, *words.data])
    assert not CODE.findall(said)
    assert not CODES & set(re.split(r"[\s,،]+", said))


def examples(attribute: catalogue.Attribute) -> list[object]:
    return EXAMPLES.get(attribute.type) or [*attribute.codes] * (attribute.type == "code") or [[*attribute.codes]]


@pytest.mark.parametrize("attribute", CODED, ids=lambda one: one.id)
def test_a_coded_value_is_said_in_the_readers_words(attribute):
    for value in examples(attribute):
        lines = catalogue.display(attribute, value, "ar", render.writing("ar"))
        assert lines
        assert not [line for line in lines if re.search(r"[A-Za-z]", line.replace("UTC", ""))], value


def test_what_a_register_holds_in_codes_has_words():
    bare = [one.id for one in CODED if one.type in {"code", "codes"} and not one.codes]
    reachable = (CONFIG / "sources").glob("*.toml")
    sources = "".join(path.read_text("utf-8") for path in reachable)
    assert [one for one in bare if f'"{one}"' in sources] == []


def test_every_register_has_a_name_in_every_language():
    for source in {one.source for one in KNOWN.attributes.values()}:
        english, arabic = (KNOWN.register(source, language) for language in ("en", "ar"))
        assert english != source
        assert re.search("[\u0600-\u06ff]", arabic)
        assert not re.search("[A-Za-z]", arabic)


def test_an_unknown_code_is_no_word():
    assert CODE.search("the state is source_unavailable")
    assert CODE.search("access.released at nine")
    assert not CODE.search("norr.example")
