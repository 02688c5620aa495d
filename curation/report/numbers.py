"""Numbers and texts as the report shows them."""

import html
import re

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def escape(text: object) -> str:
    """Text that is inert in element content and in quoted attributes; what no page may hold becomes U+FFFD.

    >>> escape('<b title="x">\\x00')
    '&lt;b title=&quot;x&quot;&gt;\ufffd'
    """
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(text)), quote=True)


def foreign(text: object, limit: int = 400) -> str:
    """A text of the web within a line: escaped, cut after `limit` characters, its direction kept to itself."""
    text = str(text)
    return f"<bdi>{escape(text if len(text) <= limit else text[:limit].rstrip() + '…')}</bdi>"


def number(value: float) -> str:
    """A count or a decimal for readers: exact below ten million, three digits and a suffix above.

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


def exact(value: float) -> str:
    """A number with its exact value as a hint where `number` shortens it."""
    short = number(value)
    return short if short[-1] not in "TBM" else f'<span title="{int(value):,}">{short}</span>'


def spelled(value: float) -> str:
    """A count for a headline: as `number`, its suffix in words.

    >>> spelled(1234), spelled(104_000_000_000)
    ('1,234', '104 billion')
    """
    short = number(value)
    words = {"M": "million", "B": "billion", "T": "trillion"}
    return f"{short[:-1]} {words[short[-1]]}" if short[-1] in words else short


def plural(count: int, noun: str, plural_noun: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "file"), plural(2000, "file"), plural(0, "entry", "entries")
    ('1 file', '2,000 files', '0 entries')
    """
    return f"{number(count)} {noun if count == 1 else plural_noun or noun + 's'}"


def percent(part: float, whole: float) -> str:
    """A share as a percentage with the digits that mean something; a dash where there is no whole.

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


def byte_size(value: float) -> str:
    """Bytes in decimal units.

    >>> [byte_size(v) for v in (0, 999, 1500, 2_340_000, 5.1e12)]
    ['0 B', '999 B', '1.5 kB', '2.34 MB', '5.1 TB']
    """
    for size, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """Seconds for readers.

    >>> [duration(v) for v in (0.04, 12.34, 75, 7300)]
    ['0.04 s', '12.3 s', '1 min 15 s', '2 h 1 min']
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
