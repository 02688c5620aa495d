"""Products of vectors in whole numbers are exact, so that nothing but the vectors decides the nearest centre."""

import numpy as np
import pytest

from curation.core.whole_vectors import (
    MAX_WIDTH,
    SCALE,
    Known,
    loaded,
    nearest,
    products,
    stored,
    whole_units,
    whole_vectors,
)


def drawn(rows: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width))


@pytest.mark.parametrize("width", [1, 3, 512, 1024])
def test_products_are_those_of_whole_numbers_whatever_the_batch(width: int) -> None:
    units, good = whole_units(drawn(300, width))
    assert good.all()
    exact = units.astype(np.int64) @ units[:40].astype(np.int64).T
    whole = nearest(units, units[:40])
    assert np.array_equal(products(units, units[:40]).astype(np.int64), exact)
    assert np.array_equal(whole[0], exact.argmax(axis=1))
    for size in (1, 7, 300):
        parts = [nearest(units[start : start + size], units[:40]) for start in range(0, 300, size)]
        for column in (0, 1):
            assert np.array_equal(np.concatenate([part[column] for part in parts]), whole[column])


@pytest.mark.parametrize("width", [2, 700, MAX_WIDTH])
def test_no_sum_within_a_product_reaches_2_to_the_24(width: int) -> None:
    """By Cauchy and Schwarz, the product of the lengths bounds each sum of some of the terms."""
    odd = np.full((1, width), 1.0) + 1e-3 * drawn(1, width)
    units, _ = whole_units(np.concatenate([odd, drawn(2, width)]))
    assert (units.astype(np.int64) ** 2).sum(axis=1).max() < 2**24
    assert (SCALE + np.sqrt(MAX_WIDTH) / 2) ** 2 < 2**24


def test_distances_are_those_of_cosines() -> None:
    vectors, centres = drawn(200, 96), drawn(9, 96, 1)
    sides = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, centres)]
    cosines = sides[0] @ sides[1].T
    labels, distances = nearest(whole_units(vectors)[0], whole_units(centres)[0])
    assert np.abs(1 - cosines[np.arange(200), labels] - distances).max() < 1e-3
    assert (cosines.max(axis=1) - cosines[np.arange(200), labels]).max() < 5e-4


def test_of_equal_centres_the_first_is_taken_and_a_distance_is_never_negative() -> None:
    units, _ = whole_units(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    labels, _ = nearest(units, units)
    assert labels.tolist() == [0, 1, 0]
    many, _ = whole_units(drawn(500, 33))
    assert nearest(many, many)[1].min() == 0


def test_only_rows_with_a_direction_are_good() -> None:
    rows = np.array([[0, 0], [np.inf, 1], [1, np.nan], [5e-324, 0], [1e308, -1e308], [-2, 0]], np.float64)
    units, good = whole_units(rows)
    assert good.tolist() == [False, False, False, True, True, True]
    assert units[3].tolist() == [SCALE, 0]
    assert units[4].tolist() == [2828, -2828]
    assert units[5].tolist() == [-SCALE, 0]
    assert not units[:3].any()
    assert whole_units(np.zeros((0, 4)))[0].shape == (0, 4)


def test_the_length_of_a_vector_does_not_count_and_stored_ones_come_back() -> None:
    vectors = drawn(50, 20)
    units, _ = whole_units(vectors)
    assert np.array_equal(whole_units(vectors * 2.0**40)[0], units)
    assert np.array_equal(loaded(stored(units)), units)
    assert stored(units).dtype == np.float32


def test_cosines_of_whole_vectors_are_near_those_of_the_embeddings_and_exact() -> None:
    draw = np.random.default_rng(1)
    values = draw.random((40, 1024)).astype(np.float32) * draw.choice([1e-20, 1.0, 1e20], (40, 1))
    whole, known = whole_vectors(values)
    assert known.all()
    integers = whole.astype(np.int64)
    lengths = np.sqrt((integers * integers).sum(axis=1))
    assert lengths.max() < 4096
    exact = integers @ integers.T / np.outer(lengths, lengths)
    rows, places, cosines = Known(whole).near(whole, 0.7)
    assert (rows.tolist(), places.tolist()) == tuple(each.tolist() for each in np.nonzero(exact >= 0.7))
    assert cosines == pytest.approx(exact[rows, places], abs=1e-7)
    unit = values.astype(np.float64) / np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    assert np.abs(unit @ unit.T - exact).max() < 3e-4


@pytest.mark.parametrize("width", [3, 100])
def test_a_cosine_of_1_finds_all_identical_vectors_beside_any_others(width: int) -> None:
    whole = whole_vectors(np.random.default_rng(width).normal(size=(200, width)))[0]
    for first, last in ((0, 200), (0, 1), (7, 9)):
        rows, places, cosines = Known(whole).near(whole[first:last], 1.0)
        assert rows.tolist() == [place - first for place in places.tolist()] == list(range(last - first))
        assert set(cosines.tolist()) == {1.0}
    opposite = Known(whole).near(-whole[:1], 1.0)[0]
    assert not len(opposite)
