"""The table `forecasts`: a row for each threshold of the grid and language, and for all languages together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.balancing.distributions import Distributions
from curation.balancing.forecast import ALL, Expectation
from curation.balancing.thresholds import BalanceGoal
from curation.core import storage
from curation.core.amounts import byte_size, duration
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt

FORECASTS = pa.schema(
    [
        pa.field("point", pa.int32(), nullable=False),
        pa.field("reference_t", pa.float64(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("t", pa.float64()),
        pa.field("tail_share", pa.float64(), nullable=False),
        pa.field("entries_without_match", pa.int64()),
        pa.field("entries_below_t", pa.int64(), nullable=False),
        pa.field("entries_from_t", pa.int64(), nullable=False),
        pa.field("matches", pa.int64(), nullable=False),
        pa.field("matches_capped", pa.float64(), nullable=False),
        pa.field("expected_pairs", pa.float64(), nullable=False),
        pa.field("pairs_deviation", pa.float64(), nullable=False),
        pa.field("expected_images", pa.float64(), nullable=False),
        pa.field("images_deviation", pa.float64(), nullable=False),
        pa.field("expected_samples", pa.float64(), nullable=False),
        pa.field("terabytes", pa.float64(), nullable=False),
        pa.field("hours", pa.float64(), nullable=False),
    ]
)
"""A row is one reference t and one language, or `all` (with t null).

`expected_images` have to be fetched; `expected_samples` of them survive if headroom is right. `matches_capped` is the
sum of min(count, t), which is not the size of the data set."""


@dataclass(frozen=True)
class Rates:
    """Rates that turn images into hours and terabytes: downloads per second, and mean bytes of a stored image."""

    images_per_second: float
    bytes_per_image: float


@dataclass(frozen=True)
class ForecastPlan:
    """The settings of a forecast.

    `grid` holds thresholds of the reference language in counts of survivors; an empty one stands for `default_grid`.
    `list_sizes` are the entries of each language's list, where they are known.
    """

    grid: tuple[float, ...]
    rates: Rates
    list_sizes: Mapping[str, int]


@dataclass(frozen=True)
class ForecastPoints:
    """The points of a forecast and their results.

    `grid` are thresholds of the reference language in counts of survivors, ascending; `ts` are each language's
    thresholds of the first pass at these points; `expected` are the results by language and for ALL.
    """

    grid: Sequence[float]
    ts: Mapping[str, np.ndarray]
    expected: Mapping[str, Expectation]


def default_grid(largest: float) -> list[float]:
    """Return 1, 2, 5, 10, ... up to the first number above the largest count.

    >>> default_grid(60)
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    series = [float(digit * 10**power) for power in range(18) for digit in (1, 2, 5)]
    return series[: 1 + sum(t <= largest for t in series)]


def grid_with_goal(
    goal: BalanceGoal, distributions: Distributions, t: Mapping[str, float], asked: Sequence[float] = ()
) -> tuple[list[float], dict[str, np.ndarray], int]:
    """Return the points of a grid, each language's thresholds at them, and the place of the goal among them.

    `t` are the first-pass thresholds of the goal. `asked` are points in counts of survivors; none: `default_grid`.
    """
    reference = goal.rule.reference
    largest = goal.to_survivors(float(distributions.reference(reference).counts[-1]))
    grid = sorted(set(asked) or default_grid(largest))
    ts = goal.first_pass_rule.thresholds(distributions, [goal.to_first_pass(point) for point in grid])
    # The goal is a point of its own where its thresholds are not those of a grid point, in any language.
    goal_t = goal.to_survivors(t[reference])
    place = int(np.searchsorted(grid, goal_t))
    if goal_t not in grid or any(values[place] != t[lang] for lang, values in ts.items()):
        ts = {lang: np.insert(values, place, t[lang]) for lang, values in ts.items()}
        grid.insert(place, goal_t)
    return grid, ts, place


def write_forecasts(
    distributions: Distributions, points: ForecastPoints, plan: ForecastPlan, goal: BalanceGoal, folder: str
) -> Receipt:
    """Write the table."""
    rows = forecast_rows(distributions, points, plan, goal)
    with ParquetSink(storage.join(folder, "forecasts.parquet"), FORECASTS) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, FORECASTS))
    return Receipt(folder, rows_in=len(rows), rows_out=len(rows), outputs=[sink.output()])


def forecast_rows(
    distributions: Distributions, points: ForecastPoints, plan: ForecastPlan, goal: BalanceGoal
) -> list[dict]:
    """Return the rows of the table. The list of a language without any match adds to the unmatched entries of `all`."""
    rows = []
    shared = {}
    langs, sizes = distributions.langs, plan.list_sizes
    matchless = sum(size for lang, size in sizes.items() if lang not in langs)
    for lang in langs:
        found = distributions[lang]
        shared[lang] = found.shared_matches
        for point, t in enumerate(points.ts[lang]):
            unmatched = sizes[lang] - found.entries if lang in sizes else None
            below = found.entries_below(t)
            rows.append(
                {
                    "point": point,
                    "reference_t": points.grid[point],
                    "lang": lang,
                    "t": float(t),
                    "tail_share": found.tail_share(t),
                    "entries_without_match": unmatched,
                    "entries_below_t": below,
                    "entries_from_t": found.entries - below,
                    "matches": found.matches,
                    "matches_capped": found.matches_capped(t),
                    **_expected(points.expected[lang], point, plan.rates, goal),
                }
            )
    by_point = [[row for row in rows if row["point"] == point] for point in range(len(points.grid))]
    rows += [
        _all(single, matchless, shared) | _expected(points.expected[ALL], point, plan.rates, goal)
        for point, single in enumerate(by_point)
    ]
    return sorted(rows, key=lambda row: (row["point"], row["lang"] != "all", row["lang"]))


def _expected(found: Expectation, point: int, rates: Rates, goal: BalanceGoal) -> dict[str, float]:
    images = float(found.images[point])
    samples = goal.expected_samples(images)
    return {
        "expected_pairs": float(found.pairs[point]),
        "pairs_deviation": float(found.pairs_deviation[point]),
        "expected_images": images,
        "images_deviation": float(found.images_deviation[point]),
        "expected_samples": samples,
        "terabytes": samples * rates.bytes_per_image / 1e12,
        "hours": images / rates.images_per_second / 3600,
    }


def _all(rows: Sequence[dict], matchless: int, shared: Mapping[str, float]) -> dict:
    """Return the sums over the languages at one point, without the expectations, whose variances do not add.

    `shared` are the matches of each language of which its tail share is a share.
    """
    unmatched = [row["entries_without_match"] for row in rows]
    return {
        "point": rows[0]["point"],
        "reference_t": rows[0]["reference_t"],
        "lang": "all",
        "t": None,
        "tail_share": sum(row["tail_share"] * shared[row["lang"]] for row in rows) / sum(shared.values()),
        "entries_without_match": None if None in unmatched else sum(unmatched) + matchless,
        "entries_below_t": sum(row["entries_below_t"] for row in rows),
        "entries_from_t": sum(row["entries_from_t"] for row in rows),
        "matches": sum(row["matches"] for row in rows),
        "matches_capped": sum(row["matches_capped"] for row in rows),
    }


def forecast_text(rows: Sequence[dict], goal_point: int, reference: str) -> str:
    """Return the table for a terminal: all languages at each point, then each language at the goal's point."""
    overall = [row for row in rows if row["lang"] == "all"]
    single = [row for row in rows if row["lang"] != "all" and row["point"] == goal_point]
    shown = [
        [f"t of {reference}", *_HEADS],
        *([f"{row['reference_t']:,.6g}{' *' if row['point'] == goal_point else ''}", *_cells(row)] for row in overall),
    ]
    by_lang = [["lang", "t", *_HEADS], *([row["lang"], f"{row['t']:,.6g}", *_cells(row)] for row in single)]
    return f"{_aligned(shown)}\n\n* the goal of this run, by language:\n{_aligned(by_lang)}"


_HEADS = (
    "tail share", "unmatched", "below t", "from t", "pairs", "+-", "images to fetch", "+-", "samples",
    "sum(min(count, t))", "size", "time to fetch",
)  # fmt: skip


def _cells(row: Mapping) -> list[str]:
    unmatched = row["entries_without_match"]
    return [
        f"{row['tail_share']:.4f}",
        "-" if unmatched is None else f"{unmatched:,}",
        f"{row['entries_below_t']:,}",
        f"{row['entries_from_t']:,}",
        f"{row['expected_pairs']:,.0f}",
        f"{row['pairs_deviation']:,.0f}",
        f"{row['expected_images']:,.0f}",
        f"{row['images_deviation']:,.0f}",
        f"{row['expected_samples']:,.0f}",
        f"{row['matches_capped']:,.0f}",
        byte_size(row["terabytes"] * 1e12),
        duration(row["hours"] * 3600),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
