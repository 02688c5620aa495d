"""Tables of the report's page, as HTML."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from curation.report.numbers import escape, number

Values = dict[str, Any]
_MANY = 15
"""Rows of a table that are shown at once; the rest unfolds."""


def legend(*items: tuple[str, str]) -> str:
    """A line that tells what the colours of (class, words) mean."""
    keys = "".join(f'<span><i class="key {kind}"></i>{word}</span>' for kind, word in items)
    return f'<p class="legend">{keys}</p>'


BEFORE_AFTER = legend(("before", "before balancing"), ("after", "after balancing"))


def row_of(name: str, numbers: Sequence[str], last: str = "") -> str:
    """A table row: a header cell, cells of numbers, and a last cell where there is one (all HTML)."""
    cells = "".join(f'<td class="num">{value}</td>' for value in numbers)
    return f'<tr><th scope="row">{name}</th>{cells}{last}</tr>'


def table_of(heads: Sequence[str], rows: Iterable[str], kind: str = "", last: str | None = None) -> str:
    """A table whose columns after the first hold numbers, but for a `last` one."""
    cells = "".join(f'<th scope="col"{" class=num" if index else ""}>{head}</th>' for index, head in enumerate(heads))
    if last is not None:
        cells += f'<th scope="col" class="mini">{last}</th>'
    return f'<table class="{kind}"><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def unfold(rows: Sequence[str], table: Callable[[Sequence[str]], str], noun: str) -> str:
    """A table of the first rows, and one of the others behind a line to click."""
    if len(rows) <= _MANY + 3:
        return table(rows)
    rest = table(rows[_MANY:])
    more = f"<summary>{number(len(rows) - _MANY)} more {noun}</summary>"
    return f'{table(rows[:_MANY])}<details class="more">{more}{rest}</details>'


def bars_of(*parts: tuple[str, float], mark: float | None = None) -> str:
    """A cell with bars of (class, share of the width) over one another, and a mark at a share of the width."""
    bars = "".join(f'<i class="{kind}" style="width:{share * 100:.4g}%"></i>' for kind, share in parts if share)
    if mark is not None and mark <= 1:
        bars += f'<i class="mark" style="left:{mark * 100:.4g}%"></i>'
    return f'<td class="mini"><span class="meter" aria-hidden="true">{bars}</span></td>'


def reason_of(meaning: str, reason: str) -> str:
    """What a reason means, and its name."""
    return f"{escape(meaning)} <code>{escape(reason)}</code>"


def maybe(value: float | None) -> str:
    """A number with at most two decimals, or a dash."""
    return "–" if value is None else number(round(value, 2))
