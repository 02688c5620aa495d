"""Balancing: from counts to thresholds, from thresholds to probabilities.

Demystifying CLIP Data (arXiv 2309.16671, Algorithm 1) keeps a text with one independent draw per matched entry, each of
probability t / max(count, t). Meta CLIP 2 (arXiv 2507.22062, section 3.3) gives every language the t at which its tail
has the share of matches that English's tail has.
"""

import numba
import numpy as np


def entry_probabilities(counts: np.ndarray, t: float) -> np.ndarray:
    """Return t / max(count, t) of every entry: float64, 1 for the tail (count < t) and for what nothing matched.

    >>> entry_probabilities(np.array([0, 5, 10, 40]), 10.0).tolist()
    [1.0, 1.0, 1.0, 0.25]
    """
    return t / np.maximum(counts, t)


def keep_probabilities(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray
) -> None:
    """Set out[row] = 1 - prod(1 - t / max(count, t)) over the entries of each text of `rows`.

    Text `row` has the sorted ids[id_offsets[row]:id_offsets[row + 1]]; the float64 product runs over them in this
    order, so that the number is the same everywhere. An id beyond the end of `counts` has count 0.
    """
    beyond = largest_id(rows, id_offsets, ids) + 1 - len(counts)
    if beyond > 0:
        counts = np.concatenate([counts, np.zeros(beyond, counts.dtype)])
    _keep_probabilities(rows, id_offsets, ids, counts, t, out)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _keep_probabilities(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray
) -> None:
    for row in rows:
        missed = 1.0
        for at in range(id_offsets[row], id_offsets[row + 1]):
            # No branch but the loop's, for the loads of several texts to be under way at once.
            missed *= 1.0 - t / max(float(counts[np.uint32(ids[at])]), t)
        out[row] = 1.0 - missed


@numba.njit(cache=True, nogil=True)
def largest_id(rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray) -> int:
    """Return the largest entry id of some texts, whose ids are sorted; -1 if they have none."""
    top = -1
    for row in rows:
        if id_offsets[row + 1] > id_offsets[row]:
            top = max(top, ids[id_offsets[row + 1] - 1])
    return top
