"""How unequal the entries of a language are, before and after balancing: numbers over its arrays of counts."""

from typing import Any

import numpy as np

from curation.balancing.entry_table import EXPECTED_UNIT

Values = dict[str, Any]
MOVED = 10
"""Entries that gain, and that lose, which are shown."""
NEAR_T = 10
"""Entries on each side of t that are shown."""
TOP = 100
RANKS = 60


def head_tail(
    before: np.ndarray,
    after: np.ndarray,
    t: float | None,
    expected: np.ndarray | None,
    below: np.ndarray | None = None,
) -> Values:
    """Return the numbers of one language; counts are int64 by entry_id, `expected` in units of 1 / EXPECTED_UNIT.

    `unequal` has the Gini coefficient, the effective number of entries and the share of the TOP largest, over the
    entries with a match, before and after. Entries that are named have entry_id, before and after. `below`
    is whether each entry_id is below its threshold, where some have targets.
    """
    after = np.concatenate([after, np.zeros(len(before) - len(after), np.int64)])
    counted = np.flatnonzero(before)
    first, then = before[counted], after[counted]
    is_tail = np.zeros(len(first), bool)
    if t is not None:
        is_tail = first < t if below is None else below[counted]
    return {
        "tail": None if t is None else int(is_tail.sum()),
        "head": None if t is None else int((~is_tail).sum()),
        "lost": int((then == 0).sum()),
        "unequal": {"before": _inequality(first), "after": _inequality(then)},
        "ranks": _ranks(first, then),
        **_moved(before, after),
        "around_t": [] if t is None else _around(before, after, counted, t),
        "realised": None if expected is None else _realised(before, after, expected),
    }


def gini(counts: np.ndarray) -> float | None:
    """Return the Gini coefficient of counts: 0 if all are equal, near 1 if one has all; None without counts.

    >>> gini(np.array([5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total = counts.sum()
    if not total:
        return None
    ranks = np.arange(1, len(counts) + 1)
    weighted = float((np.sort(counts).astype(np.float64) * ranks).sum())
    return 2 * weighted / (len(counts) * float(total)) - (len(counts) + 1) / len(counts)


def effective_entries(counts: np.ndarray) -> float | None:
    """Return exp of the entropy of the shares: so many equally frequent entries are as varied; None without counts.

    >>> effective_entries(np.array([3, 3, 3, 0]))
    3.0
    """
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return round(float(np.exp(-(shares * np.log(shares)).sum())), 6) if len(shares) else None


def _inequality(counts: np.ndarray) -> Values:
    top = np.sort(counts)[::-1][:TOP].sum()
    return {
        "gini": gini(counts),
        "effective": effective_entries(counts),
        "top_share": float(top / counts.sum()) if counts.sum() else None,
    }


def _ranks(first: np.ndarray, then: np.ndarray) -> Values:
    """Return counts by rank, most frequent first, each in its own order, at ranks of equal distance in log."""
    if not len(first):
        return {"ranks": [], "before": [], "after": []}
    ranks = np.unique(np.rint(np.geomspace(1, len(first), RANKS)).astype(np.int64))
    return {
        "ranks": ranks.tolist(),
        "before": np.sort(first)[::-1][ranks - 1].tolist(),
        "after": np.sort(then)[::-1][ranks - 1].tolist(),
    }


def _moved(before: np.ndarray, after: np.ndarray) -> Values:
    """Return the entries whose share of all matches rose most and fell most."""
    change = after / max(after.sum(), 1) - before / max(before.sum(), 1)
    order = np.argsort(change, kind="stable")
    lost = [i for i in order[:MOVED].tolist() if change[i] < 0]
    gained = [i for i in order[::-1][:MOVED].tolist() if change[i] > 0]
    named = (("gained", gained), ("fallen", lost))
    return {name: [_entry(i, before, after) | {"change": float(change[i])} for i in ids] for name, ids in named}


def _around(before: np.ndarray, after: np.ndarray, counted: np.ndarray, t: float) -> list[Values]:
    """Return the entries on both sides of t, the rarest first."""
    order = counted[np.lexsort((counted, before[counted]))]
    border = int(np.searchsorted(before[order], t))
    return [_entry(i, before, after) for i in order[max(0, border - NEAR_T) : border + NEAR_T].tolist()]


def _realised(before: np.ndarray, after: np.ndarray, expected: np.ndarray) -> Values:
    """Compare the counts with their expectation.

    Draws are independent, so the standard deviation of a count is at most the root of its expectation.
    """
    wanted = np.zeros(len(before))
    wanted[: len(expected)] = expected / EXPECTED_UNIT
    drawn = np.flatnonzero(wanted < before - 0.5)
    near = np.abs(after[drawn] - wanted[drawn]) <= 2 * np.sqrt(wanted[drawn])
    return {
        "expected": float(wanted.sum()),
        "realised": int(after.sum()),
        "drawn_entries": len(drawn),
        "near": int(near.sum()),
    }


def _entry(entry_id: int, before: np.ndarray, after: np.ndarray) -> Values:
    return {"entry_id": entry_id, "before": int(before[entry_id]), "after": int(after[entry_id])}
