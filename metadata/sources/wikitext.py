"""Wikitext to plain text: the text of the page, without markup, templates, references, files and categories.

`wikitextparser` does most of the work. Passes in linear time before and after it remove markup that it would keep
(tables as padded columns, categories in any language, formulae) and markup that would cost it quadratic time. Anyone
can write a page: 20,000 times `<b` keeps the library busy for four seconds, one `colspan=100000000` for ever.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import wikitextparser

from curation.core.languages import LANGUAGES

MAX_DEPTH = 60
"""Maximum of brackets open at once. MediaWiki stops at 40; the library's time grows with the depth."""

# Tags whose contents are not text of the page: MediaWiki passes them to extensions.
_OPAQUE = (
    "ref|references|math|chem|ce|gallery|timeline|score|nowiki|pre|source|syntaxhighlight|graph|mapframe|maplink"
    "|hiero|imagemap|inputbox|templatedata|templatestyles|categorytree|section|indicator|style|script|noinclude"
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_OPAQUE_TAG = re.compile(rf"<(/?)({_OPAQUE})\b([^<>]*)>", re.IGNORECASE)
# Formatting tags within a word (km<sup>2</sup>) are removed, other tags (asphalt<br>road) replaced by a blank.
_INLINE_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|small|big|sub|sup|span|font|tt|code|a|abbr|del|ins|bdi|bdo|rb|ruby)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PREFIXED_LINK = re.compile(r"\[\[[ _]*([^\[\]|:#\n]{1,60}?)[ _]*:[^\[\]\n]*\]\]")
_SWITCH = re.compile(r"__[^\W_]{3,30}__")
_BRACKET = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}")
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


def article_text(wikitext: str, prefixes: LinkPrefixes) -> str:
    """Return the text of a page. Raises TooDeepError where brackets nest deeper than MediaWiki would show.

    Headings keep their `=`, list items their `*`, and table cells are separated by `|`: words on either side of such
    punctuation do not make a bigram.

    >>> article_text("'''Cats''' are [[animal|animals]].{{cite}}[[Category:Cats]]", LinkPrefixes.of([])).rstrip()
    'Cats are animals.'
    """
    text = _COMMENT.sub("", wikitext)
    if "<" in text:
        text = _INLINE_TAG.sub("", _without_opaque(text))
        # A "<" that remains is text; the library decodes it at the end.
        text = _TAG.sub(" ", text).replace("<", "&lt;")
    text = _PREFIXED_LINK.sub(_prefix_dropper(prefixes.names), text)
    _check_depth(text)
    text = wikitextparser.remove_markup(
        text, replace_templates=_blank, replace_parser_functions=_blank, replace_tags=False, replace_tables=False
    )
    return _SWITCH.sub(" ", _without_tables(text))


def _blank(_: object) -> str:
    return " "


def _prefix_dropper(names: frozenset[str]) -> Callable[[re.Match[str]], str]:
    def drop(link: re.Match[str]) -> str:
        return " " if link[1].replace("_", " ").lower() in names else link[0]

    return drop


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
    for bracket in _BRACKET.findall(text):
        if bracket in ("{{", "[[", "{|"):
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
