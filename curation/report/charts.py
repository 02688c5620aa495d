"""Charts as HTML without scripts: SVG for the shapes, HTML for the labels.

The shapes are stretched to the available width (`preserveAspectRatio="none"`). Labels are not stretched, so a chart is
readable on a phone, too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.report.numbers import escape, number


def ticks(highest: float, count: int = 4) -> list[float]:
    """Return round values from 0 to at most `highest`, about `count` of them besides 0.

    >>> ticks(1234), ticks(0)
    ([0.0, 500.0, 1000.0], [0.0])
    """
    if highest <= 0:
        return [0.0]
    rough = highest / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * index for index in range(int(highest / step + 1e-9) + 1)]


def split_bar(parts: Sequence[tuple[str, float]]) -> str:
    """Return a bar that is split in proportion to (CSS class, value) parts.

    Screen readers skip it, because the page has the same numbers as text.
    """
    whole = sum(value for _, value in parts) or 1
    spans = "".join(
        f'<span class="{kind}" style="width:{value / whole * 100:.4g}%"></span>' for kind, value in parts if value
    )
    return f'<div class="split" aria-hidden="true">{spans}</div>'


@dataclass(frozen=True)
class Line:
    """One curve: `kind` is the CSS class that colours it, `values` are its y values."""

    kind: str
    name: str
    values: Sequence[float]


def curves(
    positions: Sequence[float], upper: Line, lower: Line, description: str, marker: float | None = None, note: str = ""
) -> str:
    """Return a chart of two rising curves with the same x positions, the area between them shaded.

    Each curve has its name and last value at its end. `marker` is the x position of a vertical line, `note` the HTML
    beside the line.
    """
    width = max(positions, default=0) or 1
    highest = max(*upper.values, *lower.values, 1)
    top = highest * 1.04

    def points(line: Line) -> list[str]:
        pairs = zip(positions, line.values, strict=True)
        return [f"{x / width * 1000:.2f} {400 - y / top * 400:.2f}" for x, y in pairs]

    above, below = points(upper), points(lower)
    shapes = f'<path class="between" d="M{"L".join([*above, *reversed(below)])}Z"/>'
    shapes += f'<path class="under" d="M{"L".join(below)}L1000 400L0 400Z"/>'
    shapes += "".join(
        f'<path class="line {line.kind}" d="M{"L".join(at)}"/>' for line, at in ((upper, above), (lower, below))
    )
    levels = [(value, 100 - value / top * 100) for value in ticks(highest)]
    grid = "".join(f'<path class="grid" d="M0 {y * 4:.2f}H1000"/>' for _, y in levels)
    labels = "".join(f'<span class="y" style="top:{y:.2f}%">{number(value)}</span>' for value, y in levels if value)
    labels += _positions([(value / width, number(value)) for value in ticks(width)])
    ends = [100 - line.values[-1] / top * 100 for line in (upper, lower)]
    ends[1] = max(ends[1], ends[0] + 11)
    labels += "".join(
        f'<span class="end {line.kind}" style="top:{end:.2f}%">{line.name}<br><b>{number(line.values[-1])}</b></span>'
        for line, end in zip((upper, lower), ends, strict=True)
    )
    if marker is not None:
        at = min(max(marker / width, 0), 1) * 100
        shapes += f'<path class="marker" d="M{at * 10:.2f} 0V400"/>'
        side = "left-of" if at > 50 else "right-of"
        labels += f'<span class="note {side}" style="left:{at:.2f}%">{note}</span>'
    return _plot("curves", description, 400, grid + shapes, labels)


def _positions(named: Sequence[tuple[float, str]]) -> str:
    """The labels below an axis, given as (share of its length, label); labels at its ends do not stick out."""
    sides = [("first" if at < 0.02 else "last" if at > 0.97 else "", at, name) for at, name in named]
    return "".join(f'<span class="x {side}" style="left:{at * 100:.2f}%">{name}</span>' for side, at, name in sides)


def histogram(bins: dict[str, Any], description: str, show: Callable[[float], str] = number) -> str:
    """Return a histogram of {edges, counts (one fewer), beyond: number of larger values}, with some edges as labels."""
    edges, counts = bins["edges"], bins["counts"]
    highest = max(counts, default=0) or 1
    columns = len(counts)
    bars = "".join(
        f'<rect class="column" x="{index}" y="{200 - count / highest * 196:.2f}" width="1" '
        f'height="{count / highest * 196:.2f}"><title>{show(edges[index])} to {show(edges[index + 1])}: '
        f"{count:,}</title></rect>"
        for index, count in enumerate(counts)
    )
    step = max(1, math.ceil(columns / 4))
    labels = _positions([(index / columns, show(edges[index])) for index in range(0, columns + 1, step)])
    labels += f'<span class="y" style="top:2%">{number(highest)}</span>'
    if bins["beyond"]:
        labels += f'<span class="beyond">{number(bins["beyond"])} beyond</span>'
    return _plot("histogram", description, 200, f'<path class="grid" d="M0 4H{columns}"/>{bars}', labels, columns)


def _plot(kind: str, description: str, height: int, shapes: str, labels: str, width: int = 1000) -> str:
    return (
        f'<div class="plot {kind}"><svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(description)}">{shapes}</svg>{labels}</div>'
    )
