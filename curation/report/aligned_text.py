"""Rows as aligned text for a terminal: columns cut to its width, control characters shown as their codes."""

import unicodedata
from collections.abc import Mapping, Sequence

from curation.core.terminal import printable

GAP = "  "
NARROWEST = 6
"""Columns are cut down to this width, in places of the terminal, before columns are left out."""
CUT = "…"


def aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    right: Sequence[int] = (),
    weights: Mapping[int, int] | None = None,
) -> list[str]:
    """Return a header and rows as lines of at most `width` places; the columns numbered in `right` are numbers.

    The widest columns are cut first; one with a weight, by its number, keeps so many times the places of another.
    Columns that find no room are left out, and the header says how many.

    >>> print("\\n".join(aligned(["id", "text"], [["7", "a long text"], ["12", "b"]], 12, right=[0])))
    id  text
     7  a long …
    12  b
    """
    cells = [[one_line(cell) for cell in row] for row in [header, *rows]]
    widths = [max(places(row[k]) for row in cells) for k in range(len(header))]
    shown = len(widths)
    while shown > 1 and sum(min(each, NARROWEST) for each in widths[:shown]) + len(GAP) * (shown - 1) > width:
        shown -= 1
    left_out = [f"+{len(widths) - shown}"] if shown < len(widths) else []
    room = width - len(GAP) * (shown - 1) - sum(len(GAP) + len(note) for note in left_out)
    fitted = _fit(widths[:shown], max(room, shown), weights or {})
    lines = []
    for row in cells:
        padded = [_pad(cut(row[k], fitted[k]), fitted[k], k in right) for k in range(shown)]
        lines.append(GAP.join([*padded, *(left_out if row is cells[0] else [])]).rstrip())
    return lines


def _fit(widths: Sequence[int], room: int, weights: Mapping[int, int]) -> list[int]:
    """Return widths whose sum is at most `room`: those of columns that are cut are as their weights."""
    fitted, left = list(widths), room
    waiting = sorted(range(len(widths)), key=lambda k: widths[k] / weights.get(k, 1))
    while waiting:
        column = waiting[0]
        share = left * weights.get(column, 1) // sum(weights.get(k, 1) for k in waiting)
        fitted[column] = max(1, min(widths[column], share))
        left -= fitted[column]
        del waiting[0]
    return fitted


def one_line(text: str) -> str:
    r"""Return a text without line ends, tabs and control characters: they are shown as their codes.

    >>> print(one_line("a\tb\x1b[31m"))
    a\tb\x1b[31m
    """
    return printable(text.replace("\n", "\\n").replace("\t", "\\t"))


def places(text: str) -> int:
    """Return the number of places that a text takes on a terminal: two for a wide character, none for a mark.

    >>> places("né"), places("ne\u0301"), places("中文")
    (2, 2, 4)
    """
    return len(text) if text.isascii() else sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` places; one that was longer ends with an ellipsis.

    >>> cut("a text", 5), cut("中文字", 4)
    ('a te…', '中…')
    """
    if places(text) <= width:
        return text
    kept, left = [], width - 1
    for character in text:
        left -= _places(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT


def _pad(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - places(text))
    return blanks + text if right else text + blanks
