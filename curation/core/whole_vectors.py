"""Vectors of whole numbers, whose products are exact: the same on every processor, in any order.

A matrix product in floating point depends on the order in which it adds, which the size of a batch, threads and the
processor decide. Here the numbers of a vector are whole, and its length is below 4096: each sum that a product of two
vectors can pass through is a whole number below 2^24, which float32, in which matrices are multiplied fast, holds
exactly. All else is an operation on single numbers, which IEEE 754 fixes, or a sum of whole numbers below 2^53 in
float64.

Embeddings that are compared with each other (`whole_vectors`) are as long as their width allows. Vectors of clusters
(`whole_units`) have one length, SCALE, by which centres are stored. Rows of finished runs depend on both.
"""

import math
from collections.abc import Iterable

import numba
import numpy as np

from curation.core.errors import HeadtailError

LENGTH = 4095.0
SCALE = 4000
"""Length of a vector of `whole_units`: a product of two is off by about 1e-4 of the cosine."""
MAX_WIDTH = 16_384
"""Numbers that a vector may have: (SCALE + sqrt(MAX_WIDTH) / 2) ** 2 is below 2^24."""
STORED = np.dtype("<i2")
"""The type of the numbers."""
_FINE = 1 << 19
"""A vector's largest number, in the whole numbers whose squares are summed: MAX_WIDTH * _FINE ** 2 is below 2^53."""
DISTANCE_DIGITS = 3


def whole_vectors(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors as whole numbers, int16[n, width], and which of them have a direction, bool[n].

    `values` are floating-point numbers of shape (n, width). A vector without a direction is zero or not finite, and has
    zeros. The cosine of two vectors with 1,024 numbers changes by 0.0003 at most. Raises HeadtailError for vectors that
    are too wide.

    >>> whole_vectors(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]]))[0].tolist()
    [[2457, 3275], [0, 0], [0, 0]]
    """
    width = values.shape[1]
    if not 0 < width <= MAX_WIDTH:
        raise HeadtailError(f"embeddings have {width:,} numbers, expected 1 to {MAX_WIDTH:,}")
    values = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        # cumsum adds one number after the other, whatever the processor; sum() does not.
        lengths = np.sqrt(np.cumsum(values * values, axis=1)[:, -1])
    known = np.isfinite(lengths) & (lengths > 0)
    scale = LENGTH - 0.5 * math.sqrt(width)
    whole = np.zeros(values.shape, STORED)
    whole[known] = np.rint(values[known] * (scale / lengths[known])[:, np.newaxis])
    return whole, known


def whole_units(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of length SCALE in whole numbers (int16), and which rows have a direction (bool).

    `vectors` has the shape (rows, numbers), of any type. A row with a number that is not finite, and one of zeros, has
    no direction, and becomes zeros.

    >>> whole_units(np.array([[3.0, 4.0], [0.0, 0.0], [1.0, np.nan]]))[0].tolist()
    [[2400, 3200], [0, 0], [0, 0]]
    """
    rows = np.asarray(vectors, np.float64)
    largest = np.abs(rows).max(axis=1, initial=0)
    good = np.isfinite(largest) & (largest > 0)
    rows, largest = (rows, largest) if good.all() else (rows[good], largest[good])
    fine = np.rint(rows / largest[:, None] * _FINE)
    lengths = np.sqrt((fine * fine).sum(axis=1))
    units = np.zeros((len(good), rows.shape[1]), np.int16)
    units[good] = np.rint(fine * (SCALE / lengths)[:, None])
    return units, good


def stored(units: np.ndarray) -> np.ndarray:
    """Return vectors of length SCALE as they are stored: float32 of length 1."""
    return (units / np.float64(SCALE)).astype(np.float32)


def loaded(vectors: np.ndarray) -> np.ndarray:
    """Return stored vectors in whole numbers again."""
    return np.rint(vectors.astype(np.float64) * SCALE).astype(np.int16)


def products(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the product of each of `vectors` with each of `others`, exact: float32, whole numbers."""
    return vectors.astype(np.float32, copy=False) @ others.astype(np.float32, copy=False).T


def squares_of(vectors: np.ndarray) -> np.ndarray:
    """Return the squared lengths of vectors of whole numbers, float64: exact, and so are products of two of them."""
    return np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64).astype(np.float64)


def nearest(units: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row its nearest centre (int32), the first of several, and the cosine distance (float32).

    Both are of length SCALE. Distances are from 0 to 2, with DISTANCE_DIGITS digits.

    >>> units, _ = whole_units(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, -1.0]]))
    >>> [values.tolist() for values in nearest(units, units[:2])]
    [[0, 1, 0], [0.0, 0.0, 1.0]]
    """
    found = products(units, centres)
    labels = found.argmax(axis=1).astype(np.int32)
    best = found[np.arange(len(found)), labels].astype(np.float64)
    return labels, np.round(np.maximum(1 - best / SCALE**2, 0), DISTANCE_DIGITS).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def add_rows(units: np.ndarray, labels: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """Add each row, as often as its weight says, to the sum (int64) that its label names."""
    for row in range(len(units)):
        at, weight = labels[row], weights[row]
        for column in range(units.shape[1]):
            sums[at, column] += units[row, column] * weight


class Known:
    """Vectors with which others are compared, by the cosine of their angle."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = vectors.astype(np.float32)
        self._squares = squares_of(vectors)

    def __len__(self) -> int:
        return len(self._squares)

    def near(self, vectors: np.ndarray, cosine: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pairs of a vector and a known one whose cosine is at least `cosine`, above 0: places and cosines.

        Pairs are sorted by the place of the vector, then by that of the known one.
        """
        if not len(vectors) or not len(self):
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        found = self._products(vectors)
        squares = squares_of(vectors)
        least = cosine * np.sqrt(squares.min() * self._squares.min())
        rows, places = np.nonzero(found >= least * (1 - 1e-9))  # no pair is lost by rounding
        mine, both = found[rows, places].astype(np.float64), squares[rows] * self._squares[places]
        is_near = (mine > 0) & (mine * mine >= cosine * cosine * both)  # whole numbers: equal vectors have exactly 1
        return rows[is_near], places[is_near], mine[is_near] / np.sqrt(both[is_near])

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """Return the place of the known vector with the largest product, for each vector; of equal ones the first."""
        return np.argmax(self._products(vectors), axis=1)

    def _products(self, vectors: np.ndarray) -> np.ndarray:
        widths = (vectors.shape[1], self._vectors.shape[1])
        if widths[0] != widths[1]:
            raise HeadtailError(several_widths(widths))
        return products(vectors, self._vectors)


def several_widths(widths: Iterable[int]) -> str:
    """Return the line for embeddings of several widths."""
    sizes = " and of ".join(f"{width:,}" for width in sorted({*widths})[:2])
    return f"embeddings of {sizes} numbers cannot be compared: give those of one model"
