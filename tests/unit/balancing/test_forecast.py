"""Forecasts against the enumeration of all that may be kept, and against draws."""

import math
from pathlib import Path

import numpy as np
import pytest

from curation.balancing.balance import choice_order, draw_batch, text_probabilities
from curation.balancing.counts import BucketsTask, CountArrays, CountFiles, save_array
from curation.balancing.forecast import ALL, ForecastGrid, add_forecasts, forecast_buckets
from curation.balancing.matched_batch import MatchedBatch
from tests.matches_data import make_images, to_batch, write_matches

ROWS = make_images(600, seed=31)
TS = {"de": np.array([0.5, 3.0, 9.0]), "en": np.array([2.0, 6.5, 50.0]), "fr": np.array([1.0, 2.0, 1e9])}


def _counts(folder: Path) -> str:
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(ROWS)))
    for lang, values in counts.items():
        save_array(str(folder / f"{lang}.npy"), values)
    return str(folder)


def _loop(unit: str, seed: int, counts: CountFiles, point: int) -> dict[str, list[float]]:
    """Expected pairs, their variance, expected images, their variance; by enumeration of what may be kept."""
    matched = MatchedBatch(to_batch(ROWS))
    p = text_probabilities(matched, counts, {lang: ts[point] for lang, ts in TS.items()})
    order = choice_order(matched, seed)
    sums = {lang: [0.0] * 4 for lang in [*matched.langs, ALL]}
    for image in range(matched.images):
        rows = order[matched.starts[image] : matched.starts[image + 1]]
        rows = rows if unit == "pair" else rows[:1]
        images = dict.fromkeys(sums, 0.0)
        for outcome in range(2 ** len(rows)):
            kept = [bool(outcome >> k & 1) for k in range(len(rows))]
            weight = math.prod(p[row] if keep else 1 - p[row] for row, keep in zip(rows, kept, strict=True))
            chosen = [row for row, keep in zip(rows, kept, strict=True) if keep]
            if chosen:
                images[matched.langs[matched.codes[chosen[0]]]] += weight
                images[ALL] += weight
        for lang, share in images.items():
            sums[lang][2] += share
            sums[lang][3] += share * (1 - share)
        for row in rows:
            for lang in (matched.langs[matched.codes[row]], ALL):
                sums[lang][0] += p[row]
                sums[lang][1] += p[row] * (1 - p[row])
    return sums


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_a_forecast_equals_an_enumeration(unit: str, tmp_path: Path) -> None:
    grid = ForecastGrid(unit, 7, _counts(tmp_path / "counts"), TS, 64)
    buckets = [[write_matches(ROWS[i::3], tmp_path / f"bucket-{i}")] for i in range(3)]
    outputs = []
    for k, group in enumerate((buckets[:1], buckets[1:])):
        outputs.append(str(tmp_path / f"partial-{k}"))
        forecast_buckets(BucketsTask(str(k), group, outputs[-1]), grid)
    found = add_forecasts(outputs)
    assert list(found) == [ALL, "de", "en", "fr"]
    for point in range(3):
        for lang, (pairs, pairs_variance, images, images_variance) in _loop(
            unit, 7, CountFiles(grid.counts), point
        ).items():
            expected = (pairs, math.sqrt(pairs_variance), images, math.sqrt(images_variance))
            values = found[lang]
            got = (values.pairs, values.pairs_deviation, values.images, values.images_deviation)
            assert [column[point] for column in got] == pytest.approx(expected, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_realised_totals_lie_near_the_forecast(unit: str, tmp_path: Path) -> None:
    """Within 4 standard deviations at 25 fixed seeds: by chance alone one list of seeds in 300 would fail."""
    counts = CountFiles(_counts(tmp_path / "counts"))
    matched = MatchedBatch(to_batch(ROWS))
    file = write_matches(ROWS, tmp_path / "bucket")
    p = text_probabilities(matched, counts, {lang: ts[1] for lang, ts in TS.items()})
    for seed in range(25):
        grid = ForecastGrid(unit, seed, counts.folder, {lang: ts[1:2] for lang, ts in TS.items()}, 64)
        forecast_buckets(BucketsTask("0", [[file]], str(tmp_path / "partial")), grid)
        expected = add_forecasts([str(tmp_path / "partial")])[ALL]
        drawn = draw_batch(matched, p, unit, seed)
        assert abs((drawn.chosen >= 0).sum() - expected.images[0]) < 4 * expected.images_deviation[0]
        assert abs(drawn.kept.sum() - expected.pairs[0]) < 4 * expected.pairs_deviation[0]
