"""Spellings of a word that a list of case-folded words has lost: capitals, final sigma, sharp s, Cyrillic Serbian.

Matching is case-sensitive, so an entry `haus` never matches the text `Haus`.
"""

import re
from collections.abc import Iterator

MAX_ABBREVIATION = 4
"""Words of up to so many letters stand in capitals, too: usa, dvd, nasa."""
# Case folding wrote every sigma alike; a word ends in another one, but for a letter left of an apostrophe.
_FINAL_SIGMA = re.compile(r"(?<=\w)σ(?![\w'’])")
_DOTTED = frozenset(("az", "crh", "gag", "kk", "tr", "tt"))
"""Languages whose small i has the capital İ."""
_PART = re.compile(r"[^\s-]+")
# Of Irish, French and Italian names (o'brien, d'artagnan), not of it's and he'll.
_NAME = re.compile(r"(\w{1,2}['’])(\w{3,})")
_DIGRAPHS = {"lj": "љ", "nj": "њ", "dž": "џ", "dj": "ђ"}
_CYRILLIC = str.maketrans("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш")
_LATIN = re.compile(r"[abcčćdđefghijklmnoprsštuvzž'-]+")


def restored(word: str, lang: str) -> str:
    """Return a case-folded word as its language writes it in small letters, as far as that can be known.

    >>> restored("τησ", "el"), restored("σασ", "el"), restored("strasse", "de")
    ('της', 'σας', 'strasse')
    """
    return _FINAL_SIGMA.sub("ς", word) if lang == "el" else word


def other_spellings(word: str, lang: str) -> list[str]:
    """Return other spellings that the case-folded word may have had, in small letters.

    A German ss may have been ß; some of the spellings are no words, and match nothing. Serbian is listed in Latin
    letters, and written in Cyrillic as well.

    >>> other_spellings("strassenfluss", "de"), other_spellings("njegoš", "sr"), other_spellings("miss", "en")
    (['straßenfluss', 'strassenfluß', 'straßenfluß'], ['његош'], [])
    """
    if lang == "de" and "ss" in word:
        places = [match.start() for match in re.finditer("ss", word)]
        one = [f"{word[:place]}ß{word[place + 2 :]}" for place in places]
        return one if len(places) == 1 else [*one, word.replace("ss", "ß")]
    if lang == "sr" and _LATIN.fullmatch(word):
        for latin, cyrillic in _DIGRAPHS.items():
            word = word.replace(latin, cyrillic)
        return [word.translate(_CYRILLIC)]
    return []


def capital_forms(text: str, lang: str) -> list[str]:
    """Return the forms of a word or name with capitals that differ from it: at its beginning, at that of each part.

    An abbreviation, a text of at most `MAX_ABBREVIATION` letters and digits, stands in capitals, too.

    >>> capital_forms("hot dog", "en"), capital_forms("usa", "en"), capital_forms("istanbul", "tr")
    (['Hot dog', 'Hot Dog'], ['Usa', 'USA'], ['İstanbul'])
    >>> capital_forms("o'brien", "en"), capital_forms("it's", "en"), capital_forms("ijs", "nl")
    (["O'brien", "O'Brien"], ["It's"], ['IJs', 'IJS'])
    """
    return list(dict.fromkeys(form for form in _capitals(text, lang) if form != text))


def _capitals(text: str, lang: str) -> Iterator[str]:
    yield _capital(text, lang)
    if len(text) <= MAX_ABBREVIATION and text.isalnum():
        yield (text.replace("i", "İ") if lang in _DOTTED else text).upper()
    elif not text.isalpha():
        yield _PART.sub(lambda part: _capital(_NAME.sub(_capital_name, part[0]), lang), text)


def _capital(text: str, lang: str) -> str:
    if lang == "nl" and text.startswith("ij"):
        return f"IJ{text[2:]}"
    if lang in _DOTTED and text.startswith("i"):
        return f"İ{text[1:]}"
    # The title case of a letter: Georgian letters have capitals, and no word begins with one.
    return f"{text[:1].title()}{text[1:]}"


def _capital_name(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2][0].title()}{match[2][1:]}"
