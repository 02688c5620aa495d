"""Forecasts with concepts against the enumeration of all that may be kept."""

import math

import numpy as np
import pytest

from curation.balancing.balance import choice_order, text_probabilities
from curation.balancing.concepts import ConceptDraw
from curation.balancing.counts import CountArrays
from curation.balancing.forecast import ALL, ForecastGrid, ForecastSums, forecast_batch
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Combine, Unit
from tests.matches_data import make_images, to_batch

T = {"de": 3.0, "en": 6.5, "fr": 2.0}
MATCHED = MatchedBatch(to_batch(make_images(250, seed=31)))
IMAGES = np.random.default_rng(3).choice([0.0, 0.3, 0.8, 1.0], MATCHED.images)
"""Probabilities of the images by their concepts."""


def _enumerated(combine: Combine, unit: Unit, p: np.ndarray) -> dict[str, list[float]]:
    """Expected pairs, their variance, expected images, their variance: over the concepts' draw and each text's."""
    sums = {lang: [0.0] * 4 for lang in [*MATCHED.langs, ALL]}
    order = choice_order(MATCHED, 7)
    for image, q in enumerate(IMAGES):
        rows = order[MATCHED.starts[image] : MATCHED.starts[image + 1]]
        rows = rows if unit == Unit.pair else rows[:1]
        moments = {lang: [0.0] * 3 for lang in sums}
        for drawn, chance in ((True, q), (False, 1 - q)) if combine != Combine.min else ((True, 1.0),):
            for outcome in range(2 ** len(rows)):
                kept = [bool(outcome >> k & 1) for k in range(len(rows))]
                chances = [min(p[row], q) if combine == Combine.min else p[row] for row in rows]
                weight = chance * math.prod(c if keep else 1 - c for c, keep in zip(chances, kept, strict=True))
                if combine == Combine.any:
                    kept = [keep or drawn for keep in kept]
                elif combine == Combine.product:
                    kept = [keep and drawn for keep in kept]
                langs = [MATCHED.langs[MATCHED.codes[row]] for row, keep in zip(rows, kept, strict=True) if keep]
                for lang, found in moments.items():
                    number = len(langs) if lang == ALL else langs.count(lang)
                    found[0] += weight * number
                    found[1] += weight * number**2
                    found[2] += weight * bool(langs and lang in (ALL, langs[0]))
        for lang, (mean, square, share) in moments.items():
            for place, value in enumerate((mean, square - mean**2, share, share * (1 - share))):
                sums[lang][place] += value
    return sums


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("combine", list(Combine))
def test_a_forecast_with_concepts_equals_an_enumeration(combine: Combine, unit: Unit) -> None:
    counted = CountArrays()
    counted.add(MATCHED)
    counts = dict(counted.items())
    ts = {lang: np.array([1.0, t]) for lang, t in T.items()}
    grid = ForecastGrid(unit, 7, "", ts, 64, concepts=ConceptDraw({}, combine, "", "", ""))
    sums = ForecastSums(2)
    forecast_batch(MATCHED, grid, counts, sums, IMAGES)
    wanted = _enumerated(combine, unit, text_probabilities(MATCHED, counts, T))
    for lang, found in sums.expectations().items():
        got = (found.pairs, found.pairs_deviation**2, found.images, found.images_deviation**2)
        assert [values[1] for values in got] == pytest.approx(wanted[lang], rel=1e-6, abs=1e-4)
