"""Solving for t: the threshold at which a target number of images is expected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.balancing.distributions import SMALLEST_T, Distributions
from curation.balancing.thresholds import BalanceGoal
from curation.core.choices import Others
from curation.core.errors import HeadtailError

TOLERANCE = 1e-3
POINTS = 32


@dataclass(frozen=True)
class Solution:
    """A reference t and the images that are expected at it.

    `exact` is true if they are within TOLERANCE of the target. If not, the target lies in a jump: at a count of the
    reference, its tail share jumps, and so do the other languages' thresholds. Then t is the largest one below the
    jump, and `next_images` are expected just above it.
    """

    t: float
    images: float
    exact: bool
    next_images: float


def solve_goal(
    goal: BalanceGoal, distributions: Distributions, expect: Callable[[Mapping[str, np.ndarray]], np.ndarray]
) -> tuple[BalanceGoal, Solution]:
    """Return the goal with its `target_images` solved for t, and the solution, in expected samples.

    `expect` returns the expected images of all languages at each point, given every language's t at the points. Raises
    HeadtailError where the target cannot be reached.
    """
    assert goal.target_images is not None
    counts = distributions.reference(goal.rule.reference).counts
    largest = counts[-1]
    if goal.rule.others == Others.same_t:
        largest = max(distributions.each(lambda _, found: found.counts[-1]).values())

    def expect_samples(points: Sequence[float]) -> np.ndarray:
        ts = goal.first_pass_rule.thresholds(distributions, points)
        return goal.expected_samples(expect(ts))

    found = solve_target(goal.target_images, counts, float(largest), expect_samples, distributions.smallest_t)
    return replace(goal, solved_t=found.t), found


def solve_target(
    target: float,
    counts: np.ndarray,
    largest: float,
    expect: Callable[[Sequence[float]], np.ndarray],
    smallest: float = SMALLEST_T,
) -> Solution:
    """Return the reference t at which `target` images are expected.

    `counts` are the sorted counts above 0 of the reference language. `largest` is the count above which a larger t
    keeps no more: the largest count of the reference, or of all languages where they have the same t. `smallest` is
    the smallest t that is tried. `expect` returns the expected images at ascending reference thresholds, in one pass
    over the data; they never fall as t rises. Raises HeadtailError where the target is above the images of `matches`,
    or below those expected at the smallest t.
    """
    jumps = np.unique(counts).astype(np.float64)
    top = float(np.nextafter(largest, np.inf))
    ts = np.geomspace(smallest, top, POINTS)
    images = expect(ts.tolist())
    if target > images[-1] * (1 + 1e-12):
        raise HeadtailError(
            f"balance.target_images={target:,.10g} is more than matches can give: "
            f"at most {images[-1]:,.1f} are expected"
        )
    if images[0] - target > TOLERANCE * target:
        raise HeadtailError(
            f"balance.target_images={target:,.10g} is less than the {images[0]:,.1f} images expected at "
            f"t={smallest:g}: thresholds of other languages, targets of entries, or concepts hold them"
        )
    while True:
        nearest = int(np.argmin(np.abs(images - target)))
        if abs(images[nearest] - target) <= TOLERANCE * target:
            return Solution(float(ts[nearest]), float(images[nearest]), True, float(images[nearest]))
        above = int(np.searchsorted(images, target, side="left"))
        low, high = ts[above - 1], ts[above]
        if high <= np.nextafter(low, np.inf):
            return Solution(float(low), float(images[above - 1]), False, float(images[above]))
        ts = _refine(low, high, jumps)
        images = expect(ts.tolist())


def _refine(low: float, high: float, jumps: np.ndarray) -> np.ndarray:
    """Return ascending points from low to high: evenly spaced, and both sides of some of the jumps between them."""
    inside = jumps[(jumps >= low) & (jumps < high)]
    picked = inside[np.unique(np.linspace(0, len(inside) - 1, POINTS // 4).astype(int))] if len(inside) else inside
    sides = np.concatenate([picked, np.nextafter(picked, np.inf)])
    return np.unique(np.concatenate([np.linspace(low, high, POINTS // 2), sides]))
