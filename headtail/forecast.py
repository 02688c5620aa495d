"""Forecasts: what each threshold keeps, before anything is drawn."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from curation.balancing.distributions import Distributions
from curation.balancing.forecast import Expectation, ForecastGrid, ForecastSums, forecast_batch
from curation.balancing.forecast_table import (
    FORECASTS,
    ForecastPlan,
    ForecastPoints,
    Rates,
    default_grid,
    forecast_rows,
)
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core.choices import Unit
from curation.report.numbers import escape, number

COLUMNS = (
    "reference_t", "lang", "t", "tail_share", "entries_below_t", "entries_from_t", "expected_pairs", "pairs_deviation",
    "expected_images", "images_deviation",
)  # fmt: skip
"""The columns of `Forecast.table`; docs/balancing.md describes them."""


class Forecast:
    """What each threshold keeps: exact expectations, from the keep_probability of every text.

    `table` is an Arrow table with a row for each t of the reference language and each language, and `all`: the share of
    matches in the tail, expected pairs (texts) and images, with the standard deviations of the draws. In a notebook it
    shows itself as a chart.
    """

    def __init__(self, table: pa.Table, images: int) -> None:
        self.table, self.images = table, images

    def __repr__(self) -> str:
        rows = [["t", "tail share", "images", "+-"]]
        rows += [
            [f"{t:,.6g}", f"{share:.4f}", f"{images:,.0f}", f"{deviation:,.0f}"]
            for t, share, images, deviation in zip(*self._all(), strict=True)
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

    def _repr_svg_(self) -> str:
        ts, shares, images, _ = self._all()
        kept = [each / max(self.images, 1) for each in images]
        return chart(ts, {"images kept": kept, "tail share": shares}, "threshold t")

    def _all(self) -> tuple[list[float], ...]:
        rows = self.table.filter(pa.compute.equal(self.table["lang"], "all"))
        names = ("reference_t", "tail_share", "expected_images", "images_deviation")
        return tuple(rows[name].to_pylist() for name in names)


Expector = Callable[[Mapping[str, np.ndarray]], dict[str, Expectation]]


def expector(batches: Sequence[MatchedBatch], counts: Mapping[str, np.ndarray], unit: Unit, seed: int) -> Expector:
    """Return the function from every language's t at each point to the expectations of each language and of ALL."""

    def expect(ts: Mapping[str, np.ndarray]) -> dict[str, Expectation]:
        sums = ForecastSums(len(next(iter(ts.values()))))
        for matched in batches:
            forecast_batch(matched, ForecastGrid(unit, seed, "", ts, 0), counts, sums)
        return sums.expectations()

    return expect


def forecast(
    distributions: Distributions, rule: ThresholdRule, expect: Expector, images: int, grid: Sequence[float] = ()
) -> Forecast:
    """Return the forecast at thresholds of the reference language, 1, 2, 5, 10, ... without a grid."""
    points = sorted(set(grid)) or default_grid(float(distributions.reference(rule.reference).counts[-1]))
    ts = rule.thresholds(distributions, points)
    goal = BalanceGoal(rule, points[0], None, None, 1.0)
    found = ForecastPoints(points, ts, expect(ts))
    rows = forecast_rows(distributions, found, ForecastPlan((), Rates(1.0, 0.0), {}), goal)
    return Forecast(pa.Table.from_pylist(rows, FORECASTS).select(COLUMNS), images)


def chart(xs: Sequence[float], lines: Mapping[str, Sequence[float]], label: str) -> str:
    """Return an SVG of curves over a logarithmic axis; `lines` are shares, in [0, 1], by name."""
    low, high = math.log10(xs[0]), math.log10(xs[-1])

    def place(x: float, y: float) -> str:
        across = (math.log10(x) - low) / ((high - low) or 1.0)
        return f"{60 + across * 420:.1f},{20 + (1 - y) * 220:.1f}"

    shapes = []
    for y in (0.0, 0.25, 0.5, 0.75, 1.0):
        height = 20 + (1 - y) * 220
        shapes.append(f'<path d="M60 {height}H480" stroke="#8884"/>')
        shapes.append(f'<text x="54" y="{height + 4}" text-anchor="end">{y:.0%}</text>')
    powers = [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
    for x in powers or [xs[0], xs[-1]]:
        left = place(x, 0).split(",")[0]
        shapes.append(f'<text x="{left}" y="258" text-anchor="middle">{number(x)}</text>')
    end = 0.0
    for (name, ys), colour in zip(lines.items(), ("#0a7", "#d60"), strict=False):
        points = " ".join(place(x, y) for x, y in zip(xs, ys, strict=True))
        end = max(24 + (1 - ys[-1]) * 220, end + 16)
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes.append(f'<text x="486" y="{end:.1f}" fill="{colour}">{escape(name)}</text>')
    shapes.append(f'<text x="270" y="278" text-anchor="middle">{escape(label)}</text>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 285" width="580" height="285" '
    return f'{head}font-family="sans-serif" font-size="12" fill="#777">{"".join(shapes)}</svg>'
