"""Solving for t: the threshold at which as many images are expected as the user wishes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.core.errors import HeadtailError

TOLERANCE = 1e-3
POINTS = 32
SMALLEST_T = 1e-9


@dataclass(frozen=True)
class Solution:
    """A reference t and the images expected at it.

    `exact` says that this is within TOLERANCE of the wish; else it is the nearest below a jump: where the reference's
    tail share steps over a count, the other languages' thresholds step too, and `next_images` is expected just above.
    """

    t: float
    images: float
    exact: bool
    next_images: float


def solve_target(
    wish: float, counts: np.ndarray, largest: float, expect: Callable[[Sequence[float]], np.ndarray]
) -> Solution:
    """Return the reference t at which `wish` images are expected.

    `counts` are the reference language's, sorted, above 0; `largest` is the largest count that a t of the grid may
    have to reach (of all languages, where they have the same t). `expect` gives the expected images for ascending
    reference thresholds, in one pass over the data; they never fall as t rises. Raises HeadtailError where the wish
    is above what all of `matches` can give, or below what the smallest t gives.
    """
    jumps = np.unique(counts).astype(np.float64)
    top = float(np.nextafter(largest, np.inf))
    ts = np.geomspace(SMALLEST_T, top, POINTS)
    images = expect(ts.tolist())
    if wish > images[-1] * (1 + 1e-12):
        raise HeadtailError(
            f"balance.target_images={wish:,.10g} is more than matches can give: at most {images[-1]:,.1f} are expected"
        )
    if images[0] - wish > TOLERANCE * wish:
        raise HeadtailError(
            f"balance.target_images={wish:,.10g} is less than the {images[0]:,.1f} images expected at "
            f"t={SMALLEST_T:g}: thresholds of other languages hold them"
        )
    while True:
        nearest = int(np.argmin(np.abs(images - wish)))
        if abs(images[nearest] - wish) <= TOLERANCE * wish:
            return Solution(float(ts[nearest]), float(images[nearest]), True, float(images[nearest]))
        above = int(np.searchsorted(images, wish, side="left"))
        low, high = ts[above - 1], ts[above]
        if high <= np.nextafter(low, np.inf):
            return Solution(float(low), float(images[above - 1]), False, float(images[above]))
        ts = _refine(low, high, jumps)
        images = expect(ts.tolist())


def _refine(low: float, high: float, jumps: np.ndarray) -> np.ndarray:
    """Return ascending points from low to high: even ones, and both sides of some of the jumps between."""
    inside = jumps[(jumps >= low) & (jumps < high)]
    picked = inside[np.unique(np.linspace(0, len(inside) - 1, POINTS // 4).astype(int))] if len(inside) else inside
    sides = np.concatenate([picked, np.nextafter(picked, np.inf)])
    return np.unique(np.concatenate([np.linspace(low, high, POINTS // 2), sides]))
