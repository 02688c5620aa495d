"""Counters and count arrays reduced to what charts and tables show: bins, thinned curves, the most frequent entries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

TOP_ENTRIES = 20
COLUMNS = 24
"""Maximum number of columns of a histogram."""


def named_bins(bounds: Sequence[int], before: Counter[str], after: Counter[str]) -> list[dict[str, Any]]:
    """Return rows {bin, before, after} of the bins up to the last one that is not empty.

    >>> named_bins((1, 2, 5), Counter({"2": 3}), Counter())
    [{'bin': '1', 'before': 0, 'after': 0}, {'bin': '2–4', 'before': 3, 'after': 0}]
    """
    rows: list[dict[str, Any]] = []
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        name = f"{low} and more" if high is None else str(low) if high == low + 1 else f"{low}–{high - 1}"
        rows.append({"bin": name, "before": before[str(low)], "after": after[str(low)]})
    while rows and not rows[-1]["before"] + rows[-1]["after"]:
        rows.pop()
    return rows


def coarse_bins(fine: Mapping[str, int], step: float) -> dict[str, Any]:
    """Join fine bins into at most COLUMNS columns of equal round width that hold at least 99% of the values.

    Returns {edges, counts (one fewer), beyond: number of values past the last edge}.
    """
    counts = np.zeros(max(map(int, fine), default=-1) + 1, np.int64)
    for number, count in fine.items():
        counts[int(number)] = count
    if not len(counts):
        return {"edges": [0], "counts": [], "beyond": 0}
    needed = int(np.searchsorted(np.cumsum(counts), 0.99 * counts.sum())) + 1
    joined = next(width for width in _round_widths() if needed <= width * COLUMNS)
    columns = -(-needed // joined)
    shown = np.zeros(columns * joined, np.int64)
    shown[: len(counts)] = counts[: len(shown)]
    edges = [round(index * joined * step, 6) for index in range(columns + 1)]
    return {
        "edges": edges,
        "counts": shown.reshape(columns, joined).sum(axis=1).tolist(),
        "beyond": int(counts[len(shown) :].sum()),
    }


def _round_widths() -> Iterable[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 4 * power, 5 * power)
        power *= 10


def compare_counts(before: np.ndarray, after: np.ndarray, t: float | None) -> dict[str, Any]:
    """Compare a language's entry counts before and after balancing.

    Both are int64 by entry_id, and `after` is at most as long as `before`. Returns both sums, the entries that are most
    frequent before and after with both counts, and the curve of the MetaCLIP papers: entries sorted by their count
    before balancing, the rarest first, with both cumulative counts. `threshold` is the number of entries with
    0 < count < t.
    """
    after = np.concatenate([after, np.zeros(len(before) - len(after), np.int64)])
    counted = np.flatnonzero(before)
    order = counted[np.argsort(before[counted], kind="stable")]
    sums_before, sums_after = np.cumsum(before[order]), np.cumsum(after[order])
    at = thin(sums_before)
    return {
        "entries_matched": len(order),
        "matches_before": int(before.sum()),
        "matches_after": int(after.sum()),
        "top_before": _top(before, before, after),
        "top_after": _top(after, before, after),
        "curve": {
            "entries": [0, *(at + 1).tolist()],
            "before": [0, *sums_before[at].tolist()],
            "after": [0, *sums_after[at].tolist()],
            "threshold": None if t is None else int(np.searchsorted(before[order], t, side="left")),
        },
    }


def _top(by: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[dict[str, int]]:
    """The entries with the largest counts, the smaller entry_id first on ties."""
    ids = np.lexsort((np.arange(len(by)), -by))[:TOP_ENTRIES]
    return [{"entry_id": i, "before": int(before[i]), "after": int(after[i])} for i in ids.tolist() if by[i]]


def thin(values: np.ndarray, points: int = 160) -> np.ndarray:
    """Return indices of at most 2 * `points` values of a rising curve, among them the first and the last.

    Half of them are evenly spaced by position, half by height, so steep parts keep more values.
    """
    if len(values) <= 2 * points:
        return np.arange(len(values))
    by_position = np.linspace(0, len(values) - 1, points).astype(np.int64)
    by_height = np.searchsorted(values, np.linspace(values[0], values[-1], points))
    return np.unique(np.concatenate([by_position, by_height.clip(0, len(values) - 1)]))
