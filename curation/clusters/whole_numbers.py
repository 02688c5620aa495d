"""Unit vectors in whole numbers, whose products are exact: the nearest centre is the same on every machine.

A matrix product in floating point depends on the order in which it adds, which the size of a batch, threads and the
processor decide. Here the numbers of a vector are whole, and its length is about 4,000: each sum that a product of two
vectors can pass through is a whole number below 2^24, which float32 holds exactly in any order. All else is an
operation on single numbers, which IEEE 754 fixes, or a sum of whole numbers below 2^53 in float64.
"""

import numba
import numpy as np

SCALE = 4000
"""Length of a vector in whole numbers: a product of two is off by about 1e-4 of the cosine."""
MAX_WIDTH = 16_384
"""Numbers that a vector may have: (SCALE + sqrt(MAX_WIDTH) / 2) ** 2 is below 2^24."""
_FINE = 1 << 19
"""A vector's largest number, in the whole numbers whose squares are summed: MAX_WIDTH * _FINE ** 2 is below 2^53."""
DISTANCE_DIGITS = 3


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
    """Return vectors in whole numbers as they are stored: float32 of length 1."""
    return (units / np.float64(SCALE)).astype(np.float32)


def loaded(vectors: np.ndarray) -> np.ndarray:
    """Return stored vectors in whole numbers again."""
    return np.rint(vectors.astype(np.float64) * SCALE).astype(np.int16)


def products(units: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the product of each row of `units` with each of `centres`, exact: float32, whole numbers."""
    return units.astype(np.float32) @ centres.astype(np.float32).T


def nearest(units: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row its nearest centre (int32), the first of several, and the cosine distance (float32).

    Distances are from 0 to 2, with DISTANCE_DIGITS digits.

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
