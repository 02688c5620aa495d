"""The text of a `<figcaption>`, as a reader sees it."""

import re

from resiliparse.parse.html import HTMLTree

MAX_CAPTION_BYTES = 16 << 10
"""Bytes of markup that are read of a caption."""
_LINES = re.compile(
    r"address|article|aside|blockquote|br|center|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|h[1-6r]|header|"
    r"li|main|nav|[ou]l|p|pre|section|summary|table|tbody|t[dhr]|tfoot|thead",
    re.IGNORECASE,
)
"""Elements that begin a line: words on both sides of their tags stand apart."""
# Every branch takes what it has begun to read, to the end if need be: else the time grows with the square of the text.
_MARKUP = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(script|style|template|noscript|textarea|title|svg|iframe|noembed|noframes|xmp|select|button)(?=[\s/>])"
    r".*?(?:</\1(?=[\s/>])[^>]*+(?:>|\Z)|\Z)"
    r"|</?([a-z][^\s/>]*+)(?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+(?:>|\Z)"
    r"|<[!?/][^>]*+(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_SPACES = re.compile(r"[ \t\n\r\f]+")


def caption_text(markup: bytes) -> str:
    """Return the text of a caption's markup, each run of white space as one blank.

    >>> caption_text(b" A <b>red</b> kite<br>&copy; <!-- x --> Ann<script>var a</script> ")
    'A red kite © Ann'
    """
    text = _MARKUP.sub(_gap, markup[:MAX_CAPTION_BYTES].decode("utf-8", "ignore"))
    if "&" in text:
        document = HTMLTree.parse(f"<p>{text.replace('<', '&lt;')}")
        text = (document.body.text if document.body else None) or ""
    return _SPACES.sub(" ", text).strip(" ")


def _gap(found: re.Match[str]) -> str:
    return " " if found[2] and _LINES.fullmatch(found[2]) else ""
