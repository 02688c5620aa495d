"""Ids of concepts with their weights, as one number each: they are sorted, moved and stored as other ids are.

A weight is above 0 and at most 1: how surely, or how much, an image has a concept. It is stored as a multiple of
1 / UNITS. A number is id << BITS | units: sorted, an id that is named several times comes last with its largest weight.
"""

import numba
import numpy as np

BITS = 21
UNITS = 1 << 20


def pack(ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ids with their weights, int64; raises ValueError for a weight that is not above 0 and at most 1.

    >>> pack(np.array([3]), np.array([0.5])).tolist() == [3 << 21 | 1 << 19]
    True
    """
    if not ((weights > 0) & (weights <= 1)).all():
        raise ValueError("a weight is not above 0 and at most 1")
    units = np.maximum(np.rint(weights.astype(np.float64) * UNITS).astype(np.int64), 1)
    return ids.astype(np.int64) << BITS | units


def unpack(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and their weights, float64.

    >>> [each.tolist() for each in unpack(pack(np.array([3]), np.array([0.5])))]
    [[3], [0.5]]
    """
    return packed >> BITS, (packed & (2 * UNITS - 1)) / UNITS


@numba.njit(cache=True, nogil=True)
def add_units(packed: np.ndarray, counts: np.ndarray) -> None:
    """Add the weights to the counts of their ids, in units; `counts` are long enough."""
    for value in packed:
        counts[value >> BITS] += value & (2 * UNITS - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def keep_weighted(offsets: np.ndarray, packed: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray) -> None:
    """Set out[i] = 1 - prod(1 - w t / max(count, t)) over the ids and weights w of each image that has some.

    `counts` are effective ones where concepts have targets (targets.py).
    """
    for image in range(len(out)):
        missed = 1.0
        for at in range(offsets[image], offsets[image + 1]):
            weight = (packed[at] & (2 * UNITS - 1)) / UNITS
            count = counts[packed[at] >> BITS]
            missed *= 1.0 - weight * (t / max(count, t) if count >= 0.0 else min(1.0, -count))
        if offsets[image + 1] > offsets[image]:
            out[image] = 1.0 - missed
