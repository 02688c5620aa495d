"""Wikitext to plain text: the text of the page, without markup, templates, references, files and categories.

`wikitextparser` does most of the work. Passes in linear time before and after it remove markup that it would keep
(tables as padded columns, categories in any language, formulae) and markup that would cost it quadratic time. Anyone
can write a page: 20,000 times `<b` keeps the library busy for four seconds, one `colspan=100000000` for ever.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import wikitextparser

from curation.core.languages import LANGUAGES
from metadata.sources.variants import Variants
from metadata.sources.wiki_tags import OPAQUE, restore, without_tags

RULES = 2
"""The version of the rules that make text of wikitext: raise it when the same page gives another text. A table of
counts keeps the rules by which it was begun (recipes.kept). Rules 2 read language variants, nowiki, and tags with
quoted values; markup and characters without width no longer part words."""
MAX_DEPTH = 60
"""Maximum of brackets open at once. MediaWiki stops at 40; the library's time grows with the depth."""

MAX_OPEN_LINKS = 100
"""So many brackets without an end in one line are left to the library."""
MAX_MARKUP, PIECE_MARKUP = 30_000, 250
"""A page with more templates, links and quotes goes to the library in pieces: so many cost up to eight seconds."""
MAX_CHARS = 2 << 20
"""Maximum size of a page. MediaWiki stores none of more than 2 MiB ($wgMaxArticleSize)."""
MAX_MARKS = 250_000
"""Maximum of brackets, quotes, entities and (twice) colons that the library is given: it takes up to 4 us for each."""
_SINGLE_BRACKET = re.compile(r"(?<!\[)\[(?!\[)")

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_OPAQUE_TAG = re.compile(rf"<(/?)({OPAQUE})\b([^<>]*)>", re.IGNORECASE)
# Formatting tags within a word (km<sup>2</sup>) are removed, other tags (asphalt<br>road) replaced by a blank.
_INLINE_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|small|big|sub|sup|span|font|tt|code|a|abbr|del|ins|bdi|bdo|rb|ruby)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PREFIXED_LINK = re.compile(r"\[\[([^\[\]|:#\n]++):[^\[\]\n]*+\]\]")
_SWITCH = re.compile(r"__[^\W_]{3,30}__")
_BRACKET = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}")
_MARK = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}|''+|\[|\n")
_CELLS = re.compile(r"\|\||!!")


@dataclass(frozen=True)
class LinkPrefixes:
    """Prefixes, in lower case, of links that are not text: categories, files, pages of other languages."""

    names: frozenset[str]

    @classmethod
    def of(cls, namespaces: Iterable[str]) -> "LinkPrefixes":
        """Return the prefixes of a wiki: its names of the namespaces File, Category and Media, and the general ones."""
        languages = (code.replace("_", "-") for code in LANGUAGES)
        names = {"file", "image", "media", "category", *languages, *(name.lower() for name in namespaces)}
        return cls(frozenset(name.replace("_", " ") for name in names if name))


class TooDeepError(ValueError):
    """More than `MAX_DEPTH` brackets are open at once."""


class TooLargeError(ValueError):
    """A page has more than `MAX_CHARS` characters, or more markup than `MAX_MARKS`."""


class BadMarkupError(ValueError):
    """The library cannot read a page."""


def article_text(wikitext: str, prefixes: LinkPrefixes, variants: Variants | None = None, rules: int = RULES) -> str:
    """Return the text of a page of a wiki with these prefixes and language variants, by a version of the rules.

    Raises TooLargeError for more characters or markup than a page of MediaWiki has, TooDeepError where brackets nest
    deeper than MediaWiki would show, BadMarkupError where the library fails.

    Headings keep their `=`, list items their `*`, and table cells are separated by `|`: words on either side of such
    punctuation do not make a bigram.

    >>> article_text("'''Cats''' are [[animal|animals]].{{cite}}[[Category:Cats]]", LinkPrefixes.of([])).rstrip()
    'Cats are animals.'
    """
    if rules > 1 and len(wikitext) > MAX_CHARS:
        raise TooLargeError(f"more than {MAX_CHARS:,} characters")
    text = without_tags(wikitext) if rules > 1 else _without_tags_1(wikitext)
    if variants and rules > 1:
        text = variants.shown(text)
    text = without_prefixed_links(text, prefixes)
    _check_depth(text)
    if rules > 1 and _count_marks(text) > MAX_MARKS:
        raise TooLargeError(f"more than {MAX_MARKS:,} marks")
    text, hidden = _hide_open_links(text)
    text = "".join(map(_remove_markup, cut_markup(text) if count_markup(text) > MAX_MARKUP else (text,)))
    text = _SWITCH.sub(" ", _without_tables(text.replace(hidden, "[") if hidden else text))
    return restore(text) if rules > 1 else text


def _without_tags_1(wikitext: str) -> str:
    text = _COMMENT.sub("", wikitext)
    if "<" not in text:
        return text
    text = _INLINE_TAG.sub("", _without_opaque(text))
    # A "<" that remains is text; the library decodes it at the end.
    return _TAG.sub(" ", text).replace("<", "&lt;")


def _remove_markup(text: str) -> str:
    try:
        return wikitextparser.remove_markup(
            text, replace_templates=_blank, replace_parser_functions=_blank, replace_tags=False, replace_tables=False
        )
    except Exception as error:
        # The library raises errors of any kind on odd markup.
        raise BadMarkupError(f"{type(error).__name__}: {error}") from error


def _count_marks(text: str) -> int:
    return sum(map(text.count, ("[", "]", "{", "}", "''", "&", ":", ":")))


def count_markup(text: str) -> int:
    """Return the number of templates, links and quotes in a text: the library's work grows with its square.

    >>> count_markup("''a'' {{b}} [[c]] [http://d]")
    5
    """
    return text.count("{{") + text.count("''") + text.count("[") - text.count("[[")


def cut_markup(text: str) -> Iterator[str]:
    """Yield pieces of a text with about PIECE_MARKUP brackets and quotes each, which together are the text.

    A piece ends with a line outside of all brackets, or anywhere if there is no such line in four times as many.
    """
    depth = marks = start = 0
    for mark in _MARK.finditer(text):
        if mark[0] in ("{{", "[[", "{|"):
            depth += 1
        elif mark[0] in ("}}", "]]", "|}"):
            depth = max(depth - 1, 0)
        if mark[0] != "\n":
            marks += 1
        if (marks >= PIECE_MARKUP and mark[0] == "\n" and not depth) or marks >= 4 * PIECE_MARKUP:
            yield text[start : mark.end()]
            start, marks, depth = mark.end(), 0, 0
    yield text[start:]


def _hide_open_links(text: str) -> tuple[str, str]:
    """Replace brackets that open outer links without an end by a character that is not in the text, if they are many.

    For each of them the library looks for the end in all of the rest of the line.
    """
    if text.count("[") <= MAX_OPEN_LINKS:
        return text, ""
    lines = text.split("\n")
    hidden = next(mark for mark in map(chr, range(0xE000, 0xF900)) if mark not in text)
    changed = False
    for number, line in enumerate(lines):
        end = line.rfind("]") + 1
        if line.count("[", end) > MAX_OPEN_LINKS:
            lines[number] = line[:end] + _SINGLE_BRACKET.sub(hidden, line[end:])
            changed = True
    return ("\n".join(lines), hidden) if changed else (text, "")


def _blank(_: object) -> str:
    return " "


def without_prefixed_links(text: str, prefixes: LinkPrefixes) -> str:
    """Return a text with a blank for each link whose prefix, without blanks around it, is one of `prefixes`."""

    def drop(link: re.Match[str]) -> str:
        return " " if link[1].strip(" _").replace("_", " ").lower() in prefixes.names else link[0]

    return _PREFIXED_LINK.sub(drop, text)


def _without_opaque(text: str) -> str:
    """Remove opaque tags with their contents; of an opening tag without a closing one only the tag is removed."""
    tags = list(_OPAQUE_TAG.finditer(text))
    closing: dict[str, list[int]] = {}
    for index in range(len(tags) - 1, -1, -1):
        if tags[index][1]:
            closing.setdefault(tags[index][2].lower(), []).append(index)
    kept, start, index = [], 0, 0
    while index < len(tags):
        tag = tags[index]
        kept.append(text[start : tag.start()])
        ends = closing.get(tag[2].lower(), [])
        if not tag[1] and not tag[3].endswith("/"):
            while ends and ends[-1] < index:
                ends.pop()
            if ends:
                index = ends.pop()
        start = tags[index].end()
        index += 1
    kept.append(text[start:])
    return " ".join(kept)


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(text):
        if bracket[0] in ("{{", "[[", "{|"):
            depth += 1
            if depth > MAX_DEPTH:
                raise TooDeepError(f"more than {MAX_DEPTH} brackets are open at once")
        elif depth:
            depth -= 1


def _without_tables(text: str) -> str:
    """Replace tables by their cells, without attributes, separated by `|`."""
    if "|" not in text and "!" not in text:
        return text
    lines = []
    for line in text.split("\n"):
        stripped = line.lstrip(" :")
        if stripped.startswith(("{|", "|-", "|}")):
            continue
        if stripped.startswith(("|", "!")):
            cells = _CELLS.split(stripped[1:].removeprefix("+"))
            line = " | ".join(cell.rpartition("|")[2] for cell in cells) + " |"
        lines.append(line)
    return "\n".join(lines)
