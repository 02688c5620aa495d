"""The words of a text, in every script.

A *token* is the text between white space; each punctuation mark and each character of a script without blanks is a
token by itself (Demystifying CLIP Data, arXiv 2309.16671, and Meta CLIP 2, arXiv 2507.22062). A *word* is a token that
is no punctuation. A *bigram* is two words in a row, with neither punctuation nor the end of a page between them; a line
break may be between them.

Texts of languages without blanks are segmented first: of bo and dz at the tsheg, of the others by the dictionaries of
ICU (`icu4py`). Without that package each of their characters is a word.
"""

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np

from curation.core.choices import Edges
from curation.core.languages import Language
from curation.matching.spacing import edge_class

WORD, BLANK, MARK, SINGLE = 0, 1, 2, 3
"""Classes of characters: part of a word, white space, punctuation, a word by itself."""
PAGE_END = "\0"
"""Separates texts: no word, and no bigram across it."""

# Marks inside words: the middle dot of Catalan, geresh and gershayim of Hebrew, the tsheg between Tibetan syllables.
_WITHIN_WORDS = "\u00b7\u05f3\u05f4\u0f0b\u0f0c"
# Characters without width between words: zero-width space, joiner, byte order mark, directions.
_INVISIBLE = [0x200B, 0x2060, 0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_TSHEG = "\u0f0b"
# Character classes that mean the same in the regular expressions of Python and of Java.
TIBETAN = "[\u0f00-\u0fff]"
UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002ebef]"
ALPHABETIC = "[0-9A-Za-z\u00c0-\u058f\uff10-\uff5a]"


@cache
def character_classes(singles: bool) -> np.ndarray:
    """Return the class of each code point, uint8 of length 0x110000; with `singles` false, SINGLE characters are WORD.

    Punctuation are the characters of Unicode's categories P, those of ASCII and those of the published edge class.
    """
    classes = np.zeros(0x110000, np.uint8)
    for point in range(0x20000):
        character = chr(point)
        category = unicodedata.category(character)
        if character.isspace() or category == "Cc":
            classes[point] = BLANK
        elif category[0] == "P" and character not in _WITHIN_WORDS:
            classes[point] = MARK
    classes[_INVISIBLE] = BLANK
    classes[0] = MARK
    for point in np.flatnonzero(edge_class(Edges.script)).tolist():
        if point < 0x80 or 0xFF00 <= point < 0x10000:
            classes[point] = MARK  # symbols such as + and the full-width tilde, which are not in P
        elif singles and classes[point] == WORD:
            classes[point] = SINGLE
    classes.flags.writeable = False
    return classes


def segmenter(language: Language) -> tuple[str, Callable[[str], str] | None]:
    """Return name and function of the segmentation of a language; the function separates words by blanks.

    Names: `blanks` and `characters`, without a function, `tsheg` and `icu`.
    """
    if language.blanks:
        return "blanks", None
    if language.script == "Tibt":
        return "tsheg", lambda text: text.replace(_TSHEG, " ").replace("\u0f0c", " ")
    try:
        from icu4py.breakers import WordBreaker
    except ImportError:
        return "characters", None
    locale = {"Jpan": "ja", "Thai": "th", "Laoo": "lo", "Khmr": "km", "Mymr": "my"}.get(language.script, "zh")
    return "icu", lambda text: " ".join(WordBreaker(text, locale))
