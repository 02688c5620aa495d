"""Dumps for tests, as MediaWiki writes them, and the simplest correct count of words and joining of bigrams."""

import bz2
import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from xml.sax.saxutils import escape

from metadata.sources.words import ALPHABETIC, TIBETAN, UNSPACED

PUBLISHED = set(string.punctuation + "，。、；：？！“”‘’（）【】《》〈〉「」『』～—")
SINGLES = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0x2CEB0, 0x2EBEF), (0xF900, 0xFAFF), (0x2E80, 0x2EFF), (0x2F00, 0x2FDF), (0x2FF0, 0x2FFF), (0x0E00, 0x0E7F),
    (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x0F00, 0x0FFF),
)  # fmt: skip


def dump(pages: Iterable[tuple[str, str]], wiki: str = "enwiki", closed: bool = True) -> bytes:
    """Return the XML of a dump with pages (title, rest of the page as XML or as wikitext)."""
    names = {-2: "Media", -1: "Special", 0: "", 1: "Talk", 6: "File", 14: "Category"}
    spaces = "".join(f'<namespace key="{key}" case="first-letter">{name}</namespace>' for key, name in names.items())
    head = (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n<siteinfo>'
        f"<sitename>W</sitename><dbname>{wiki}</dbname><namespaces>{spaces}</namespaces></siteinfo>\n"
    )
    rows = [
        f"  <page>\n<title>{escape(title)}</title>{rest if rest.startswith('<') else article(rest)}\n  </page>\n"
        for title, rest in pages
    ]
    return (head + "".join(rows) + ("</mediawiki>\n" if closed else "")).encode()


def article(wikitext: str, namespace: int = 0, more: str = "") -> str:
    """Return the rest of a page with this text, as XML."""
    text = f'<text xml:space="preserve">{escape(wikitext)}</text>'
    return f"<ns>{namespace}</ns><id>1</id>{more}<revision><id>1</id>{text}</revision>"


def multistream(data: bytes, cuts: Iterable[int]) -> bytes:
    """Return bytes as bz2 streams, cut at these places."""
    places = [0, *sorted(cuts), len(data)]
    return b"".join(bz2.compress(data[start:end]) for start, end in pairwise(places))


def count_naively(texts: Iterable[str], singles: bool) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Return words and bigrams of texts, read a character at a time."""
    words: Counter[str] = Counter()
    bigrams: Counter[tuple[str, str]] = Counter()
    for text in texts:
        tokens: list[str | None] = []
        word = ""
        for character in f"{text} ":
            kind = _kind(character, singles)
            if kind != "word":
                tokens += [word] if word else []
                word = ""
                tokens += [character] if kind == "single" else [None] if kind == "mark" else []
            else:
                word += character
        previous = None
        for token in tokens:
            if token is not None:
                words[token] += 1
                if previous is not None:
                    bigrams[previous, token] += 1
            previous = token
    return words, bigrams


def join_bigram(first: str, second: str, blanks: bool) -> str:
    """Return the entry of two words in a row; `blanks` says whether the language separates words by blanks.

    Tibetan syllables are joined by their tsheg, words of a script without blanks by nothing in any language, words of
    an alphabet by a blank in any language, other words by a blank if the language has blanks.
    """
    if re.search(TIBETAN, first[-1]) and re.search(TIBETAN, second[0]):
        return f"{first}\u0f0b{second}"
    unspaced = re.search(UNSPACED, first[-1]) and re.search(UNSPACED, second[0])
    alphabetic = re.search(ALPHABETIC, first[-1]) and re.search(ALPHABETIC, second[0])
    return f"{first}{'' if unspaced or not (blanks or alphabetic) else ' '}{second}"


@functools.cache
def _kind(character: str, singles: bool) -> str:
    point, category = ord(character), unicodedata.category(character)
    if point == 0:
        return "mark"
    if character.isspace() or category == "Cc" or point in (0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF):
        return "blank"
    if 0x202A <= point <= 0x202E or 0x2066 <= point <= 0x2069:
        return "blank"
    if character not in "·׳״་༌" and (character in PUBLISHED or category[0] == "P"):
        return "mark"
    return "single" if singles and any(first <= point <= last for first, last in SINGLES) else "word"
