"""Numbers, sizes, times and texts formatted for the page."""

import html
import re

from curation.core.amounts import byte_size as byte_size  # beside the page's other formats
from curation.core.amounts import duration as duration

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def escape(text: object) -> str:
    """Return text for element content and quoted attributes; characters that HTML does not allow become U+FFFD.

    >>> escape('<b title="x">\\x00')
    '&lt;b title=&quot;x&quot;&gt;\ufffd'
    """
    return html.escape(printable(str(text)), quote=True)


def printable(text: str) -> str:
    """Return a text in which characters that HTML does not allow are U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def web_text(text: object, limit: int = 400) -> str:
    """Return a text from the web for use within a line: escaped, at most `limit` characters, and isolated.

    A <bdi> element isolates it, so that right-to-left text does not reorder the line around it.
    """
    text = str(text)
    return f"<bdi>{escape(text if len(text) <= limit else text[:limit].rstrip() + '…')}</bdi>"


def number(value: float) -> str:
    """Return a count, exact below ten million, else with three digits and a suffix; decimals get three digits.

    >>> [number(v) for v in (0, 1234, 56_700_000, 0.25, 12.5, 1e-05, 2.0)]
    ['0', '1,234', '56.7M', '0.25', '12.5', '1e-05', '2']
    """
    if value != int(value):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if abs(value) >= 1e7:
        for size, suffix in _SUFFIXES:
            if abs(value) >= size:
                return f"{value / size:.3g}{suffix}"
    return f"{int(value):,}"


def exact_number(value: float) -> str:
    """Return a number as HTML; where `number` shortens it, the tooltip has the exact value."""
    short = number(value)
    return short if short[-1] not in "TBM" else f'<span title="{int(value):,}">{short}</span>'


def number_in_words(value: float) -> str:
    """Return a count as `number` does, with the suffix as a word.

    >>> number_in_words(1234), number_in_words(104_000_000_000)
    ('1,234', '104 billion')
    """
    short = number(value)
    words = {"M": "million", "B": "billion", "T": "trillion"}
    return f"{short[:-1]} {words[short[-1]]}" if short[-1] in words else short


def plural(count: float, noun: str, plural_noun: str = "") -> str:
    """Return a count with its noun in singular or plural.

    >>> plural(1, "file"), plural(2000, "file"), plural(0, "entry", "entries")
    ('1 file', '2,000 files', '0 entries')
    """
    return f"{number(count)} {noun if count == 1 else plural_noun or noun + 's'}"


def percent(part: float, whole: float) -> str:
    """Return part / whole as a percentage with about two significant digits; a dash if `whole` is 0.

    >>> [percent(*pair) for pair in ((1, 3), (1, 3000), (0, 5), (5, 5), (2999, 3000), (0, 0))]
    ['33%', '0.033%', '0%', '100%', '99.97%', '–']
    """
    if not whole:
        return "–"
    share = part / whole
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.1:
        return f"{share * 100:.2g}%"
    return f"{share:.0%}" if share < 0.99 else f"{share * 100:.2f}%"
