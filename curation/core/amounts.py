"""Amounts and lists as people read them: bytes and times in units that fit, counts with their noun, choices."""

from collections.abc import Iterable

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_ENDINGS = (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("s", ""))


def byte_size(count: float) -> str:
    """Return bytes with three digits, in the largest decimal unit that leaves at least one before the point.

    >>> [byte_size(count) for count in (0, 999, 1500, 999_700, 2_340_000, 5.1e12, 2e18)]
    ['0 B', '999 B', '1.5 kB', '1 MB', '2.34 MB', '5.1 TB', '2,000 PB']
    """
    place = 0
    while count >= 999.5 and place < len(_UNITS) - 1:
        count, place = count / 1000, place + 1
    if place == 0 or count >= 999.5:
        return f"{count:,.0f} {_UNITS[place]}"
    return f"{count:.3g} {_UNITS[place]}"


def duration(seconds: float) -> str:
    """Return seconds as seconds, minutes or hours.

    >>> [duration(seconds) for seconds in (0.04, 12.34, 59.97, 75, 7300, 3.6e6)]
    ['0.04 s', '12.3 s', '1 min 0 s', '1 min 15 s', '2 h 1 min', '1,000 h']
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 100 else f"{hours:,} h"


def counted(count: float, nouns: str) -> str:
    """Return a count with its noun, which is given in the plural.

    >>> counted(1, "files"), counted(2000, "files"), counted(0, "entries"), counted(1, "entries"), counted(1, "matches")
    ('1 file', '2,000 files', '0 entries', '1 entry', '1 match')
    """
    if count == 1:
        ending, singular = next(pair for pair in _ENDINGS if nouns.endswith(pair[0]))
        nouns = nouns.removesuffix(ending) + singular
    return f"{round(count):,} {nouns}"


def are(count: float) -> str:
    """Return the verb behind a count: `is` behind one."""
    return "is" if count == 1 else "are"


def join_or(words: Iterable[str]) -> str:
    """Return words as a sentence lists them: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
