"""Tail shares, thresholds and probabilities against their definitions."""

import numpy as np
import pytest

from curation.balancing.distributions import Distribution
from curation.balancing.probabilities import entry_probabilities, keep_probabilities


def _generated() -> dict[str, list[int]]:
    rng = np.random.default_rng(1)
    return {
        "zipf": (rng.zipf(1.3, 2000) % 100_000).tolist(),
        "zipf with zeros": (rng.zipf(1.5, 500) % 1000 * rng.integers(0, 2, 500)).tolist(),
        "ties": rng.integers(1, 6, 300).tolist(),
        "zeros and ties": rng.integers(0, 3, 100).tolist(),
        "one entry": [17],
        "one entry among zeros": [0, 0, 3, 0],
        "all equal": [4] * 50,
        "two": [1, 1_000_000_000_000],
    }


def _tail_share(counts: list[int], t: float) -> float:
    return sum(count for count in counts if count < t) / sum(counts)


def _t_of_share(counts: list[int], share: float) -> float:
    """The definition, entry by entry; the first of several nearest, which is the lower count."""
    found, total = sorted(count for count in counts if count > 0), sum(counts)
    best, best_distance, cumulated = 0, float("inf"), 0
    for count in found:
        cumulated += count
        distance = abs(cumulated / total - share)
        if distance < best_distance:
            best, best_distance = count, distance
    return float(best)


GENERATED = _generated()
THRESHOLDS = [0.5, 1, 2, 2.5, 3, 17, 18, 100, 20_000.0, 1e13]
SHARES = [0.0, 1e-9, 0.06, 0.25, 0.5, 0.94, 1.0]


@pytest.mark.parametrize("name", GENERATED)
def test_tail_shares_and_thresholds_equal_a_loop(name: str) -> None:
    counts = GENERATED[name]
    found = Distribution(np.array(counts))
    assert found.matches == sum(counts)
    for t in THRESHOLDS:
        assert found.tail_share(t) == _tail_share(counts, t)
        assert found.entries_below(t) == sum(0 < count < t for count in counts)
        assert found.matches_capped(t) == pytest.approx(sum(min(count, t) for count in counts), rel=1e-15)
    for share in [*SHARES, *(found.tail_share(t) for t in THRESHOLDS)]:
        assert found.t_of_share(share) == _t_of_share(counts, share)


@pytest.mark.parametrize("name", GENERATED)
def test_entry_probabilities_equal_a_loop(name: str) -> None:
    counts = GENERATED[name]
    for t in THRESHOLDS:
        expected = [t / max(count, t) for count in counts]
        assert entry_probabilities(np.array(counts), t).tolist() == expected


def test_a_tie_between_cumulative_shares_takes_the_lower_count() -> None:
    counts = np.array([1, 3, 4])  # cumulative shares 1/8, 4/8, 8/8
    assert Distribution(counts).t_of_share(0.75) == 3.0
    assert Distribution(counts).t_of_share(0.75 + 1e-9) == 4.0


def test_zeros_do_not_make_a_threshold_of_zero() -> None:
    assert Distribution(np.array([0] * 1000 + [5])).t_of_share(0.0) == 5.0


def test_nothing_counted_is_no_distribution() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Distribution(np.zeros(3, np.int64))


def test_keep_probabilities_equal_a_loop() -> None:
    rng = np.random.default_rng(2)
    counts = rng.zipf(1.3, 1000) % 50_000
    lists = [sorted(rng.choice(1003, rng.integers(1, 9), replace=False)) for _ in range(2000)]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in lists])])
    ids = np.concatenate(lists).astype(np.int32)
    for t in (0.5, 7.25, 100.0, 1e9):
        out = np.zeros(len(lists))
        keep_probabilities(np.arange(len(lists)), offsets, ids, counts, t, out)
        expected = []
        for entry_ids in lists:
            missed = 1.0
            for entry_id in entry_ids:
                count = int(counts[entry_id]) if entry_id < len(counts) else 0
                missed *= 1.0 - t / max(count, t)
            expected.append(1.0 - missed)
        assert out.tolist() == expected
