"""Finds centres of clusters: spherical k-means in whole numbers, which keeps clusters of like size if asked to.

The same rows give the same centres on every machine, with any number of threads: see `whole_vectors`. Balance works in
two halves. First, the smallest clusters give their centres to the largest ones. Then a cluster that is larger than the
mean raises its price, which is taken off its products, so its outer rows go to other clusters. Afterwards a row belongs
to its nearest centre, whatever the prices, and sizes still differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.core.whole_vectors import add_rows, products, whole_units

BLOCK_ROWS = 4096
"""Rows whose products with all centres are in memory at once."""
_LARGE, _SMALL = 1.5, 0.5
"""A cluster of less than _SMALL times the mean size gives its centre to one of more than _LARGE times."""
_GIVING = 8
"""One of so many clusters, at most, gives its centre away in a round."""
_STEP = 0.1
"""The most that a price changes in a round, as a share of what the nearest centre is nearer than the mean one."""


@dataclass(frozen=True)
class Fit:
    """How centres are looked for: their number, rounds at most, and whether sizes are balanced."""

    count: int
    rounds: int
    balanced: bool


@dataclass(frozen=True)
class Centres:
    """Centres in whole numbers (int16), the centre of each row by products less prices, and the sum of products.

    `labels` is int32; `total` is the weighted sum of the products of the rows with their centres.
    """

    units: np.ndarray
    labels: np.ndarray
    total: int


def fit_centres(units: np.ndarray, weights: np.ndarray, fit: Fit, start: Sequence[int]) -> Centres:
    """Return the centres of rows in whole numbers, shape (rows, numbers), int16; `weights` is int64.

    `start` is an order of all rows: the first that differ from each other are the first centres. Where fewer rows
    differ than `fit.count`, each of them is a centre.
    """
    centres = _first_distinct(units, start, fit.count)
    prices = np.zeros(len(centres), np.float32)
    labels, total = _assign(units, weights, centres, prices)
    step = _STEP * (total / weights.sum() - _mean_product(units, weights, centres))
    for turn in range(fit.rounds if len(centres) == fit.count else 0):
        sizes = np.bincount(labels, weights, len(centres))
        centres = _moved(units, weights, labels, centres)
        if fit.balanced and turn < fit.rounds // 2:
            _give_away(units, labels, sizes, centres, turn)
        elif fit.balanced:
            prices = prices + np.rint(step * 2 * (1 - turn / fit.rounds) * _excess(sizes)).astype(np.float32)
        found, total = _assign(units, weights, centres, prices)
        if not fit.balanced and np.array_equal(found, labels):
            break
        labels = found
    return Centres(centres, labels, total)


def _first_distinct(units: np.ndarray, order: Sequence[int], count: int) -> np.ndarray:
    found: dict[bytes, int] = {}
    for row in order:
        found.setdefault(units[row].tobytes(), row)
        if len(found) == count:
            break
    return units[list(found.values())]


def _give_away(units: np.ndarray, labels: np.ndarray, sizes: np.ndarray, centres: np.ndarray, turn: int) -> None:
    """Move the centres of the smallest clusters to rows of the largest ones, other rows in each turn."""
    mean = sizes.sum() / len(sizes)
    order = np.argsort(sizes, kind="stable")
    for small, large in zip(order[: -(-len(order) // _GIVING)], order[::-1], strict=False):
        if sizes[small] < _SMALL * mean and sizes[large] > _LARGE * mean:
            rows = np.flatnonzero(labels == large)
            centres[small] = units[rows[turn % len(rows)]]


def _mean_product(units: np.ndarray, weights: np.ndarray, centres: np.ndarray) -> float:
    sums = np.zeros((1, units.shape[1]), np.int64)
    add_rows(units, np.zeros(len(units), np.int32), weights, sums)
    return int((sums[0] * centres.sum(axis=0, dtype=np.int64)).sum()) / (int(weights.sum()) * len(centres))


def _excess(sizes: np.ndarray) -> np.ndarray:
    """Return how much larger than the mean each cluster is, from -1 to 1."""
    mean = sizes.sum() / len(sizes)
    return (sizes - mean) / (sizes + mean)


def _moved(units: np.ndarray, weights: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the centres of the rows that have each label; one without rows, or whose rows cancel out, stays."""
    sums = np.zeros(centres.shape, np.int64)
    add_rows(units, labels, weights, sums)
    moved, good = whole_units(sums)
    return np.where(good[:, None], moved, centres)


def _assign(units: np.ndarray, weights: np.ndarray, centres: np.ndarray, prices: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the centre with the largest product less its price, for each row, and the weighted sum of products."""
    labels, total = np.zeros(len(units), np.int32), 0
    for start in range(0, len(units), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        found = products(units[block], centres)
        mine = (found - prices).argmax(axis=1)
        labels[block] = mine
        total += int((found[np.arange(len(mine)), mine].astype(np.int64) * weights[block]).sum())
    return labels, total
