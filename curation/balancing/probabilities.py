"""Probabilities: here a threshold t becomes the probability with which a text is kept.

| probability | of | function |
|---|---|---|
| t / max(count, t) | an entry | `entry_probabilities` |
| 1 - product over the text's entries of (1 - t / max(count, t)) | a text | `keep_probabilities` |

An entry with count < t is in the tail: its probability is 1, and so is that of every text that holds it. This is
Algorithm 1 of Demystifying CLIP Data (arXiv 2309.16671), which draws once for each matched entry and keeps the text if
any draw succeeds. thresholds.py chooses t for each language; balance.py draws with the probabilities.

Counts are int64, or float64 where they are estimated (the second balance) or effective (targets.py). An effective count
below 0 stands for an entry with a threshold of its own: it is minus the quotient of that threshold and the count, and
its probability is the quotient, or 1 if that is smaller. t does not change it.
"""

import numba
import numpy as np


def entry_probabilities(counts: np.ndarray, t: float) -> np.ndarray:
    """Return t / max(count, t) of every entry: float64; 1 for the tail (count < t) and for entries without a match.

    >>> entry_probabilities(np.array([0, 5, 10, 40]), 10.0).tolist()
    [1.0, 1.0, 1.0, 0.25]
    """
    probabilities = t / np.maximum(counts, t)
    return np.where(counts < 0, np.minimum(1.0, -counts), probabilities) if counts.dtype.kind == "f" else probabilities


def entry_repeats(counts: np.ndarray, t: float, most: float) -> np.ndarray:
    """Return how often a text of each entry is used in an epoch: t / count in the tail, at least 1 and at most `most`.

    >>> entry_repeats(np.array([0, 2, 5, 10, 40]), 10.0, 4.0).tolist()
    [1.0, 4.0, 2.0, 1.0, 1.0]
    """
    with np.errstate(divide="ignore"):
        wished = np.where(counts < 0, -counts, t / np.abs(counts))
    return np.where(np.isfinite(wished), np.clip(wished, 1.0, most), 1.0)  # without a match it is not known


def keep_probabilities(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray
) -> None:
    """Set out[row] = 1 - prod(1 - t / max(count, t)) over the entries of each text of `rows`.

    Text `row` has the sorted ids[id_offsets[row]:id_offsets[row + 1]]. The float64 product takes them in this order, so
    the result has the same bits on every machine. An id beyond the end of `counts` has count 0.
    """
    beyond = largest_id(rows, id_offsets, ids) + 1 - len(counts)
    if beyond > 0:
        counts = np.concatenate([counts, np.zeros(beyond, counts.dtype)])
    kernel = _keep_with_targets if counts.dtype.kind == "f" else _keep_probabilities
    kernel(rows, id_offsets, ids, counts, t, out)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _keep_probabilities(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray
) -> None:
    for row in rows:
        missed = 1.0
        for at in range(id_offsets[row], id_offsets[row + 1]):
            # Without a branch here, the processor loads the counts of several texts at once.
            missed *= 1.0 - t / max(float(counts[np.uint32(ids[at])]), t)
        out[row] = 1.0 - missed


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _keep_with_targets(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float, out: np.ndarray
) -> None:
    for row in rows:
        missed = 1.0
        for at in range(id_offsets[row], id_offsets[row + 1]):
            count = counts[np.uint32(ids[at])]
            missed *= 1.0 - (t / max(count, t) if count >= 0.0 else min(1.0, -count))
        out[row] = 1.0 - missed


@numba.njit(cache=True, nogil=True)
def largest_id(rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray) -> int:
    """Return the largest entry id of the texts of `rows`; -1 if they have none. The ids of a text are sorted."""
    top = -1
    for row in rows:
        if id_offsets[row + 1] > id_offsets[row]:
            top = max(top, ids[id_offsets[row + 1] - 1])
    return top
