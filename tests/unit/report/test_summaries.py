"""Counters and count arrays become bins, curves and lists of the most frequent entries."""

from collections import Counter

import numpy as np
import pytest

from curation.report import summaries


def test_compare_counts() -> None:
    before = np.array([5, 0, 1, 100, 20, 20])
    after = np.array([5, 0, 1, 25, 19])
    found = summaries.compare_counts(before, after, 20.0)
    assert (found["entries_matched"], found["matches_before"], found["matches_after"]) == (5, 146, 50)
    assert [top["entry_id"] for top in found["top_before"]] == [3, 4, 5, 0, 2]
    assert found["top_after"] == [
        {"entry_id": 3, "before": 100, "after": 25},
        {"entry_id": 4, "before": 20, "after": 19},
        {"entry_id": 0, "before": 5, "after": 5},
        {"entry_id": 2, "before": 1, "after": 1},
    ]
    assert found["curve"] == {
        "entries": [0, 1, 2, 3, 4, 5],
        "before": [0, 1, 6, 26, 46, 146],
        "after": [0, 1, 6, 25, 25, 50],
        "threshold": 2,
    }


def test_curves_of_long_lists_are_thinned_and_keep_their_ends() -> None:
    before = np.random.default_rng(1).zipf(1.3, 50_000).clip(max=10**7)
    found = summaries.compare_counts(before, before // 2, None)
    curve = found["curve"]
    assert len(curve["entries"]) < 400
    assert (curve["entries"][-1], curve["before"][-1]) == (50_000, before.sum())
    assert curve["threshold"] is None


@pytest.mark.parametrize("scale", [1, 40, 700])
def test_coarse_bins_hold_every_value(scale: int) -> None:
    values = np.random.default_rng(2).integers(0, 4 * scale, 5000)
    fine = Counter(str(value) for value in values.tolist())
    found = summaries.coarse_bins(fine, 10)
    assert len(found["counts"]) == len(found["edges"]) - 1 <= summaries.COLUMNS
    assert sum(found["counts"]) + found["beyond"] == 5000
    assert sum(found["counts"]) >= 4950
    assert found["counts"] == np.histogram(values * 10, np.array(found["edges"]) - 0.5)[0].tolist()


def test_coarse_bins_count_the_values_beyond_the_last_edge() -> None:
    found = summaries.coarse_bins({"0": 500, "7": 497, "4000": 2, "3000": 1}, 16)
    assert found == {"edges": [16 * edge for edge in range(9)], "counts": [500, *[0] * 6, 497], "beyond": 3}


def test_coarse_bins_of_nothing() -> None:
    assert summaries.coarse_bins({}, 1.0) == {"edges": [0], "counts": [], "beyond": 0}
