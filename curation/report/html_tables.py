"""HTML of the page's tables: rows, bars in cells, legends."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from curation.report.numbers import escape, number

Values = dict[str, Any]
_FIRST_ROWS = 15
"""Rows of a long table that are always visible; a <details> element holds the others."""


def legend(*items: tuple[str, str]) -> str:
    """Return a legend of (CSS class, label) pairs."""
    keys = "".join(f'<span><i class="key {kind}"></i>{label}</span>' for kind, label in items)
    return f'<p class="legend">{keys}</p>'


BEFORE_AFTER = legend(("before", "before balancing"), ("after", "after balancing"))


def table_row(name: str, numbers: Sequence[str], last: str = "") -> str:
    """Return a table row of a header cell, number cells and an optional last cell; all arguments are HTML."""
    cells = "".join(f'<td class="num">{value}</td>' for value in numbers)
    return f'<tr><th scope="row">{name}</th>{cells}{last}</tr>'


def html_table(heads: Sequence[str], rows: Iterable[str], kind: str = "", last: str | None = None) -> str:
    """Return a table; all columns hold numbers, except the first and an optional one with the head `last`."""
    cells = "".join(f'<th scope="col"{" class=num" if index else ""}>{head}</th>' for index, head in enumerate(heads))
    if last is not None:
        cells += f'<th scope="col" class="mini">{last}</th>'
    return f'<table class="{kind}"><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def collapsible_table(rows: Sequence[str], table: Callable[[Sequence[str]], str], noun: str) -> str:
    """Return a table; if it is long, only its first rows are visible, and a <details> element holds the others."""
    if len(rows) <= _FIRST_ROWS + 3:
        return table(rows)
    rest = table(rows[_FIRST_ROWS:])
    more = f"<summary>{number(len(rows) - _FIRST_ROWS)} more {noun}</summary>"
    return f'{table(rows[:_FIRST_ROWS])}<details class="more">{more}{rest}</details>'


def bar_cell(*parts: tuple[str, float], mark: float | None = None) -> str:
    """Return a cell with overlaid bars of (CSS class, share of the width), and a mark at a share of the width."""
    bars = "".join(f'<i class="{kind}" style="width:{share * 100:.4g}%"></i>' for kind, share in parts if share)
    if mark is not None and mark <= 1:
        bars += f'<i class="mark" style="left:{mark * 100:.4g}%"></i>'
    return f'<td class="mini"><span class="meter" aria-hidden="true">{bars}</span></td>'


def reason_html(meaning: str, reason: str) -> str:
    """Return the meaning of a drop reason, followed by its name."""
    return f"{escape(meaning)} <code>{escape(reason)}</code>"


def number_or_dash(value: float | None) -> str:
    """Return a number with at most two decimals, or a dash for None."""
    return "–" if value is None else number(round(value, 2))
