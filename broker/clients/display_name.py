"""Names and messages that people see: judged by category, script and likeness, not by a list of what is forbidden (Unicode UTS #39, UTS #55).

1. Every character is a letter, mark, number, punctuation or symbol, or a plain space: nothing invisible, nothing that changes direction.
2. A word is of one script; Japanese and Korean write several. Its digits are of one kind. Marks are not piled up.
3. Two names are alike when their skeletons are equal: folded, without marks, look-alikes written as one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

MARKS: Final = 3  # combining marks in a row
_SHOWN: Final = frozenset("LMNPS")
_EAST: Final = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})
_STYLES: Final = {"FULLWIDTH": "LATIN", "HALFWIDTH": "KATAKANA", "KATAKANA-HIRAGANA": "KATAKANA"}
_NO_SCRIPT: Final = frozenset({"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "OHM", "KELVIN", "ANGSTROM"})
#: Letters of other scripts, and digits, that look like a Latin letter, in small form (UTS #39 §4, confusables.txt).
_ALIKE: Final[Mapping[int, int]] = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u0454\u0491\u04cf\u044c\u04d5" "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9\u03f2\u03f3" "\u0131\u0142\u00f8\u0111\u0127\u0167\u017f\u0251\u0261" "0135|!",
    "abekmhopctyxsijhdqwerlb\u00e6" "abydenikvoptuxwcj" "ilodhtsag" "olesil",
)  # fmt: skip
_CAPITALS: Final[Mapping[int, int]] = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7", "abezhikmnoptyx"
)  # those of Greek look otherwise than their small ones
_PAIRS: Final = (("i", "l"), ("rn", "m"), ("vv", "w"), ("cl", "d"), ("\u00e6", "ae"))
#: Marks and letters that show nothing (Default_Ignorable_Code_Point beyond the category Cf, and the blank of Braille).
_HIDDEN: Final = (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, 0x2800, 0x3164, 0xFFA0)
_EMPTY: Final = frozenset(
    map(chr, (*_HIDDEN, *range(0x180B, 0x180E), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)


def check(text: str) -> None:
    """Raise `ValueError` for a name that could be taken for another, or whose reading is not what it looks like."""
    if any((unicodedata.category(letter)[0] not in _SHOWN and letter != " ") or letter in _EMPTY for letter in text):
        raise ValueError("a name has no control, invisible or direction characters")
    if text != text.strip() or "  " in text:
        raise ValueError("a name has single spaces, and none at its ends")
    if _piled(text):
        raise ValueError("a name piles up no marks")
    for word in text.split(" "):
        scripts = {script for script in map(_script, word) if script}
        if len(scripts) > 1 and not any(scripts <= together for together in _EAST):
            raise ValueError("a word of a name is written in one script")
    if len({ord(digit) - unicodedata.decimal(digit) for digit in text if digit.isdecimal()}) > 1:
        raise ValueError("a name has digits of one kind")


def skeleton(text: str) -> str:
    """Return what a name looks like: equal for names that a reader may take for one another."""
    capitals = unicodedata.normalize("NFKD", text).translate(_CAPITALS)
    folded = unicodedata.normalize("NFKD", capitals.casefold())
    letters = "".join(letter for letter in folded if unicodedata.category(letter)[0] in "LN").translate(_ALIKE)
    for written, alike in _PAIRS:
        letters = letters.replace(written, alike)
    return letters


def is_taken(names: Iterable[str], others: Iterable[str]) -> bool:
    """Say whether one of these names looks like one of the others'."""
    return not {skeleton(name) for name in names}.isdisjoint({skeleton(other) for other in others})


def _script(letter: str) -> str:
    """The script of a letter by its Unicode name; empty for what all scripts share."""
    if unicodedata.category(letter)[0] != "L":
        return ""
    first = unicodedata.name(letter, "UNNAMED").split(" ")[0]
    return "" if first in _NO_SCRIPT else _STYLES.get(first, first)


def _piled(text: str) -> bool:
    row = 0
    for letter in unicodedata.normalize("NFD", text):
        row = row + 1 if unicodedata.combining(letter) else 0
        if row > MARKS:
            return True
    return False
