"""What people read is plain: short sentences, everyday words, no jargon, in every language."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent import catalogue as catalogues
from consent import intended_use, wording

CONFIG = Path(__file__).parents[2] / "openid-config"
LONGEST_SENTENCE = 25
OLDEST_READER = 12  # years; a Flesch-Kincaid grade is about the age less five

JARGON = {
    "en": r"\b(scopes?|claims?|rely\w* part(y|ies)|grant(s|ed|ing)?|revo[ck]\w*|consent\w*|attributes?|authori[sz]\w*|tokens?)\b",
    "ar": r"(نطاق الوصول|المطالبات|الطرف المعتمد|إلغاء المنح|رمز الوصول|السمات)",
}


def texts() -> Iterator[tuple[str, str, str]]:
    """(where, language, text) of every text of the product and the demo that a person reads before deciding."""
    uses = intended_use.load(CONFIG)
    for use in uses.versions.values():
        parts = {
            "purpose": use.purpose,
            "title": use.title,
            "basis": use.legal_basis.text,
            "consequence": use.consequence,
            "alternative": use.alternative.text,
            **{f"reason of {item.id}": item.reason for item in use.items},
            **{f"reason of {one.client_id}": one.reason for one in use.processors},
        }
        for name, words in parts.items():
            for language, text in words.items():
                yield f"{use.id} {name}", language, text
    for attribute in catalogues.load(CONFIG).attributes.values():
        for words in (attribute.labels, attribute.help):
            for language, text in words.items():
                yield attribute.id, language, text
    for language, sentences in wording.SENTENCES.items():
        for name, text in sentences.items():
            yield f"wording {name}", language, text


ALL = list(texts())
IDS = [f"{language} {where}" for where, language, _ in ALL]


def sentences(text: str) -> list[list[str]]:
    return [part.split() for part in re.split(r"[.!?؟:]\s", text + " ") if part.split()]


def syllables(word: str) -> int:
    found = re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower()))
    return max(1, len(found))


def grade(text: str) -> float:
    """The Flesch-Kincaid grade of an English text."""
    words = [word for sentence in sentences(text) for word in sentence]
    if not words:
        return 0.0
    return 0.39 * len(words) / len(sentences(text)) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


@pytest.mark.parametrize(("where", "language", "text"), ALL, ids=IDS)
def test_sentences_are_short(where, language, text):
    assert max(map(len, sentences(text)), default=0) <= LONGEST_SENTENCE


@pytest.mark.parametrize(("where", "language", "text"), ALL, ids=IDS)
def test_no_jargon(where, language, text):
    assert re.search(JARGON[language], text, re.IGNORECASE) is None


@pytest.mark.parametrize("use", sorted(intended_use.load(CONFIG).current))
def test_a_child_of_twelve_can_read_it(use):
    whole = " ".join(text for where, language, text in ALL if where.startswith(f"{use} ") and language == "en")
    assert grade(whole) <= OLDEST_READER - 5


def test_the_product_speaks_like_that_too():
    assert (
        grade(" ".join(text for where, language, text in ALL if where.startswith("wording") and language == "en")) <= 7
    )


def test_every_language_has_every_sentence():
    english, arabic = wording.SENTENCES["en"], wording.SENTENCES["ar"]
    assert english.keys() == arabic.keys()
    for name, text in english.items():
        assert re.findall(r"{\w*}", text) == re.findall(r"{\w*}", arabic[name])


@pytest.mark.parametrize("bad", ["We need your consent for this scope.", "Access is granted.", "You may revoke it."])
def test_the_word_list_can_fail(bad):
    assert re.search(JARGON["en"], bad, re.IGNORECASE)


def test_the_grade_can_fail():
    assert grade("Notwithstanding aforementioned provisions, authorities may process personal information.") > 7


@pytest.mark.parametrize(
    ("days", "en", "ar"),
    [
        (1, "1 day", "يوم واحد"),
        (2, "2 days", "يومين"),
        (7, "7 days", "7 أيام"),
        (90, "90 days", "90 يومًا"),
        (105, "105 days", "105 أيام"),
        (365, "1 year", "سنة واحدة"),
        (730, "2 years", "سنتين"),
        (1825, "5 years", "5 سنوات"),
        (4015, "11 years", "11 سنة"),
    ],
)
def test_spans_of_time(days, en, ar):
    assert wording.span(days, "en") == en
    assert wording.span(days, "ar") == ar


@pytest.mark.parametrize(("options", "said"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_choices(options, said):
    assert wording.choice(options, "en") == said
