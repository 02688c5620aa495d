"""Embeddings as vectors of whole numbers, whose products are exact: the same on every processor, in any order.

A vector is scaled to a length below 4096 and rounded. A sum of products of two such vectors stays below 2^24 in every
part, so that float32, in which matrices are multiplied fast, holds it exactly. The cosine of two embeddings with 1,024
numbers changes by 0.0003 at most.
"""

import math
from collections.abc import Iterable

import numpy as np

from curation.core.errors import HeadtailError

LENGTH = 4095.0
MAX_WIDTH = 16_384
STORED = np.dtype("<i2")
"""The type of the numbers."""


def whole_vectors(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors as whole numbers, int16[n, width], and which of them have a direction, bool[n].

    `values` are floating-point numbers of shape (n, width). A vector without a direction is zero or not finite, and has
    zeros. Raises HeadtailError for vectors that are too wide.

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
        products = self._products(vectors)
        squares = squares_of(vectors)
        least = cosine * np.sqrt(squares.min() * self._squares.min())
        rows, places = np.nonzero(products >= least * (1 - 1e-9))  # no pair is lost by rounding
        mine, both = products[rows, places].astype(np.float64), squares[rows] * self._squares[places]
        found = (mine > 0) & (mine * mine >= cosine * cosine * both)  # whole numbers: equal vectors have exactly 1
        return rows[found], places[found], mine[found] / np.sqrt(both[found])

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """Return the place of the known vector with the largest product, for each vector; of equal ones the first."""
        return np.argmax(self._products(vectors), axis=1)

    def _products(self, vectors: np.ndarray) -> np.ndarray:
        widths = (vectors.shape[1], self._vectors.shape[1])
        if widths[0] != widths[1]:
            raise HeadtailError(several_widths(widths))
        return vectors.astype(np.float32) @ self._vectors.T


def several_widths(widths: Iterable[int]) -> str:
    """Return the line for embeddings of several widths."""
    sizes = " and of ".join(f"{width:,}" for width in sorted({*widths})[:2])
    return f"embeddings of {sizes} numbers cannot be compared: give those of one model"


def squares_of(vectors: np.ndarray) -> np.ndarray:
    """Return the squared lengths of vectors of whole numbers, float64: exact, and so are products of two of them."""
    return np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64).astype(np.float64)
