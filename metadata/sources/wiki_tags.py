"""Comments and tags of wikitext: which contents are text of the page, which tags have no width within a word."""

import re

OPAQUE = (
    "ref|references|math|chem|ce|gallery|timeline|score|nowiki|pre|source|syntaxhighlight|graph|mapframe|maplink"
    "|hiero|imagemap|inputbox|templatedata|templatestyles|categorytree|section|indicator|style|script|noinclude"
)
"""Tags that MediaWiki passes to extensions. Their contents are not text of the page; nowiki's are."""

# A `>` in a quoted value does not end a tag. Where a quote has no end in its line, the first `>` ends the tag.
_REST = r"""(?:(?:[^<>"']++|"[^"<\n]*+"|'[^'<\n]*+'|["'])*+>|[^<>]*+>)"""
_OPAQUE = re.compile(rf"<!--|<(/?)({OPAQUE})\b({_REST})", re.IGNORECASE)
# Tags without width, which can stand within a word (km<sup>2</sup>); other tags (asphalt<br>road) part words.
_INLINE = re.compile(
    r"</?(?:b|i|u|s|em|strong|small|big|sub|sup|span|font|tt|code|a|abbr|del|ins|bdi|bdo|rb|ruby|wbr|kbd|samp|var|cite"
    rf"|dfn|q|mark|strike|time|data|onlyinclude|translate|tvar)\b{_REST}",
    re.IGNORECASE,
)
_TAG = re.compile(rf"</?[A-Za-z]{_REST}")
_WITHOUT_WIDTH = frozenset({"nowiki", "section", "templatestyles", "indicator"})

# Markup characters in the contents of nowiki become noncharacters, which no page holds, until the end.
_MARKUP = "[]{}|'<>!_:"
_FIRST, _GONE = 0xFDD0, "\ufdef"
_HIDE = {ord(mark): _FIRST + index for index, mark in enumerate(_MARKUP)}
_PLACES = range(len(_MARKUP))
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef]")
# Soft hyphens and word joiners are places for the end of a line or its ban, no part of a word.
_INVISIBLE = re.compile("[\u00ad\u2060\ufeff\ufdd0-\ufdef]")
# Joiners spell words in Arabic, Indic and other scripts. Between these letters they part ligatures: Auf&zwnj;lage.
_JOINERS = re.compile("(?<=[A-Za-z\u00c0-\u052f\u1e00-\u1fff])[\u200c\u200d]+(?=[A-Za-z\u00c0-\u052f\u1e00-\u1fff])")


def without_tags(wikitext: str) -> str:
    """Return wikitext without comments and tags; `restore` gives the contents of nowiki back after all other markup.

    Of an opaque tag without an end only the tag is removed. Any other `<` is text, and becomes `&lt;`.

    >>> restore(without_tags("[[walk]]<nowiki/>ing 5<br>5<ref name='a>b'>c</ref> <nowiki>[[d]]</nowiki>"))
    '[[walk]]ing 5 5  [[d]]'
    """
    text = _NONCHARACTERS.sub("", wikitext)
    if "<" not in text:
        return text
    text = _INLINE.sub("", _without_opaque(text))
    return _TAG.sub(" ", text).replace("<", "&lt;")


def restore(text: str) -> str:
    """Return plain text with the contents of nowiki, and without characters that have no width and are no letters."""
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    return _INVISIBLE.sub(lambda place: _MARKUP[at] if (at := ord(place[0]) - _FIRST) in _PLACES else "", text)


def _without_opaque(text: str) -> str:
    tags = list(_OPAQUE.finditer(text))
    closing: dict[str, list[int]] = {}
    for index in range(len(tags) - 1, -1, -1):
        if tags[index][1]:
            closing.setdefault(tags[index][2].lower(), []).append(index)
    kept, start = [], 0
    for index, tag in enumerate(tags):
        if tag.start() < start:
            continue
        kept.append(text[start : tag.start()])
        if tag[2] is None:
            end = text.find("-->", tag.end())
            start = len(text) if end < 0 else end + 3
            continue
        name, end_tag = tag[2].lower(), None
        ends = closing.get(name, [])
        if not tag[1] and not tag[3].endswith("/>"):
            while ends and ends[-1] < index:
                ends.pop()
            end_tag = tags[ends.pop()] if ends else None
        start = (end_tag or tag).end()
        kept.append(_GONE if name in _WITHOUT_WIDTH else " ")
        if name == "nowiki" and end_tag:
            kept.append(text[tag.end() : end_tag.start()].translate(_HIDE))
    kept.append(text[start:])
    return "".join(kept)
