"""Names that people see: what is refused by kind, and what looks like what (Unicode UTS #39)."""

import unicodedata

import pytest

from broker.clients import display_name

GOOD = [
    "City of Norr \u00b7 Families", "\u0645\u062f\u064a\u0646\u0629 \u0646\u0648\u0631 \u00b7 \u0634\u0624\u0648\u0646 \u0627\u0644\u0623\u0633\u0631\u0629", "Minist\u00e8re de l\u2019\u00c9ducation", "\u0141\u00f3d\u017a", "\u0391\u03b8\u03ae\u03bd\u03b1", "\u041a\u0438\u0457\u0432", "\u6771\u4eac\u90fd\u5e81", "\u3064\u304f\u3070\u5e02\u5f79\u6240", "\u30bd\u30a6\u30eb\u5e02",
    "\uc11c\uc6b8\ud2b9\ubcc4\uc2dc", "Stra\u00dfe 12", "Office (North) & Co.", "Norr 2030", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0935\u093f\u092d\u093e\u0917", "\u0e44\u0e17\u0e22", "Norr/IT \u2013 R&D", "\u0130stanbul", "N\u00b04", "\u00c7",
    "City of \u6771\u4eac",
]  # fmt: skip
BAD = [
    "No\u200brr", "Norr\u202egro", "\u2066Norr\u2069", "No\u00adrr", "Norr\u034f", "Norr\x00", "Norr\n", "Norr\ttax", " Norr", "Norr ", "Norr  tax",
    "Norr\u00a0tax", "Norr\u3000tax", "Norr\u2028", "\U000e0041Norr", "\ufeffNorr", "Norr\ue000", "Norr\u0378", "\u2060Norr", "N\u180eorr",
    "N\u043err", "N\u043err tax", "T\u03b1x", "\u0422ax", "\U0001d40dorr\u0430", "Norr 1\u0661", "N" + "\u0301" * 4 + "orr",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_names_of_all_scripts_are_good(name: str) -> None:
    display_name.check(name)
    display_name.check(unicodedata.normalize("NFD", name))


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_names_that_are_not_what_they_look_like(name: str) -> None:
    with pytest.raises(ValueError, match=r"a name|a word"):
        display_name.check(name)


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
def test_no_character_of_a_whole_category(category: str) -> None:
    """By category: what a future Unicode adds to one of them is refused, too."""
    found = [chr(n) for n in range(0x11000) if unicodedata.category(chr(n)) == category]
    assert found
    for letter in found[:: max(1, len(found) // 200)]:
        with pytest.raises(ValueError, match="control, invisible"):
            display_name.check(f"A{letter}b")


ALIKE = [
    ("City of Norr", "CITY OF NORR"), ("City of Norr", "City-of-Norr"), ("City of Norr", "City of N0rr"), ("City of Norr", "Clty of Norr"),
    ("Norr", "\u039d\u039fRR"), ("Norr tax", "N\u043err tax"), ("Modern", "Modem"), ("Tax", "\u0422\u0430\u0445"), ("Norr", "N\u00f6rr"), ("Norr", "\uff2e\uff2f\uff32\uff32"), ("Norr", "\U0001d40dorr"),
    ("Office 10", "Office lO"), ("Stra\u00dfe", "STRASSE"), ("Norr \u00b7 Families", "Norr Families"),
]  # fmt: skip
UNLIKE = [("City of Norr", "City of Sund"), ("مدينة نور", "مدينة سند"), ("東京都", "京都"), ("Norr tax", "Norr health")]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_a_reader_may_take_for_another(one: str, other: str) -> None:
    assert display_name.is_taken([other], ["Elsewhere", one])


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_what_nobody_takes_for_another(one: str, other: str) -> None:
    assert not display_name.is_taken([other], [one])
