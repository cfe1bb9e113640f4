"""Codes as people type them: digits and letters of their own keyboard, with whatever a copy carries along (Unicode, UAX #15, UAX #44).

Arabic, Persian and Indian keyboards have digits of their own, chat programs put invisible marks around a number, and a
Cyrillic or Greek keyboard has capitals that look like ours. All of these say the same code; none makes it easier to guess.
"""

# ruff: noqa: RUF001 - look-alikes are what this is about

import unicodedata

MAX_TYPED = 200  # characters that are looked at: a code, and what a copy may carry along
#: Capitals of other scripts that look like a Latin one.
LOOKS_LIKE = str.maketrans("ВСЕНЈКМОРЅТХΒΕΗΚΜΝΟΡΤΧΖ", "BCEHJKMOPSTXBEHKMNOPTXZ")
#: Space, format, control and dash: what stands between the characters of a code.
BETWEEN = {"Zs", "Zl", "Zp", "Cf", "Cc", "Pd"}


def plain(typed: str) -> str:
    """Return what was typed as a code is written: ASCII digits, Latin capitals, without what stands between them.

    Characters that are neither stay, so that what is no code stays none.
    """
    given = unicodedata.normalize("NFKC", typed[:MAX_TYPED])
    kept = (one for one in given if unicodedata.category(one) not in BETWEEN)
    return (
        "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in kept).upper().translate(LOOKS_LIKE)
    )
