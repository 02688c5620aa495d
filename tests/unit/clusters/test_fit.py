"""Centres of clusters: those of k-means in plain Python, the same in blocks of any size, and balanced on demand."""

import numpy as np
import pytest

from curation.clusters import fit
from curation.clusters.fit import Fit, fit_centres
from curation.core.whole_vectors import nearest, whole_units


def heaps(sizes: list[int], width: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around as many directions as there are sizes, in random order, and the heap of each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return whole_units(rng.normal(size=(len(sizes), width))[labels] + 0.3 * rng.normal(size=(len(labels), width)))[
        0
    ], labels


def plain_kmeans(units: np.ndarray, weights: list[int], count: int, rounds: int) -> list[list[int]]:
    """K-means of rows that all differ, in loops over whole numbers."""
    rows = [[int(value) for value in row] for row in units]
    centres = rows[:count]
    for _ in range(rounds):
        sums = [[0] * len(rows[0]) for _ in centres]
        for row, weight in zip(rows, weights, strict=True):
            scores = [sum(a * b for a, b in zip(row, centre, strict=True)) for centre in centres]
            best = scores.index(max(scores))
            sums[best] = [total + weight * value for total, value in zip(sums[best], row, strict=True)]
        moved = [whole_units(np.array([total]))[0][0].tolist() if any(total) else None for total in sums]
        centres = [new or old for new, old in zip(moved, centres, strict=True)]
    return centres


@pytest.mark.parametrize("weighted", [False, True])
def test_centres_are_those_of_plain_kmeans(weighted: bool) -> None:
    units, _ = heaps([30, 20, 10, 5], 6)
    weights = np.random.default_rng(1).integers(1, 9, len(units)) if weighted else np.ones(len(units), np.int64)
    found = fit_centres(units, weights, Fit(7, 3, False), range(len(units)))
    assert found.units.tolist() == plain_kmeans(units, weights.tolist(), 7, 3)
    assert np.array_equal(found.labels, nearest(units, found.units)[0])


@pytest.mark.parametrize("balanced", [False, True])
def test_blocks_do_not_count(balanced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    units, _ = heaps([200, 100, 50, 10, 10])
    ones = np.ones(len(units), np.int64)
    whole = fit_centres(units, ones, Fit(12, 8, balanced), range(len(units)))
    for rows in (1, 33):
        monkeypatch.setattr(fit, "BLOCK_ROWS", rows)
        found = fit_centres(units, ones, Fit(12, 8, balanced), range(len(units)))
        assert np.array_equal(found.units, whole.units)
        assert np.array_equal(found.labels, whole.labels)
        assert found.total == whole.total


def test_heaps_are_found() -> None:
    units, heap = heaps([100] * 6, 32)
    first = [int(np.flatnonzero(heap == number)[0]) for number in range(6)]
    found = fit_centres(units, np.ones(600, np.int64), Fit(6, 10, False), [*first, *range(600)])
    assert len({*zip(found.labels.tolist(), heap.tolist(), strict=True)}) == 6


def test_balanced_clusters_have_nearer_sizes() -> None:
    """The first centres all lie in small heaps, of which k-means alone never gets away."""
    units, heap = heaps([500, 75, 50, 25, 15, 10, 5], 24)
    ones, start = np.ones(len(units), np.int64), np.argsort(-heap, kind="stable").tolist()
    spread = {}
    for balanced in (False, True):
        centres = fit_centres(units, ones, Fit(20, 20, balanced), start).units
        sizes = np.bincount(nearest(units, centres)[0], minlength=20)
        spread[balanced] = sizes.std() / sizes.mean()
    assert spread[True] < 0.5 < 1 < spread[False]


def test_prices_take_rows_from_large_clusters() -> None:
    """Rows without heaps, and centres that are one to many: only prices can even them out."""
    rng = np.random.default_rng(0)
    units, _ = whole_units(rng.normal(size=(2000, 8)) + np.eye(8)[0] * 1.5)
    centres = {
        balanced: fit_centres(units, np.ones(2000, np.int64), Fit(16, 20, balanced), range(2000)).units
        for balanced in (False, True)
    }
    sizes = {balanced: np.bincount(nearest(units, found)[0], minlength=16) for balanced, found in centres.items()}
    assert sizes[True].std() < 0.7 * sizes[False].std()


def test_equal_rows_give_one_centre() -> None:
    units = np.repeat(heaps([1, 1, 1])[0], [5, 1, 3], axis=0)
    found = fit_centres(units, np.ones(9, np.int64), Fit(8, 5, True), range(9))
    assert len(found.units) == 3
    assert found.labels.tolist() == [0] * 5 + [1] + [2] * 3
