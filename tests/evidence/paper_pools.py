"""The papers' figures that follow from totals: how much Pool 1 keeps, thresholds, distances, the spread of draws.

The pools are those of `tests.benchmarks.pool1`: they have the published totals of Pool 1, made smaller by `scale`.
"""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.balancing.balance import text_probabilities
from curation.balancing.counts import CountArrays
from curation.balancing.distributions import Distribution
from curation.balancing.forecast import ALL, ForecastGrid, ForecastSums, forecast_batch
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Unit
from curation.core.draws import draw
from curation.report.class_coverage import divergence
from curation.report.class_lists import SHIPPED, read_class_lists
from tests.benchmarks.pool1 import TEXTS, T, batches, deal, entry_counts, text_sizes

LARGE_T, TAIL_SHARE = 170_000, 0.06
CAPPED = 630e6
"""The published sum of min(count, t)."""
FORMS = {"by chance": ("alike", None), "like with like": ("geometric", 2.0)}
"""Two pools with the published totals, one on either side of the paper's share (docs/balancing.md)."""
TASKS = {"MNIST": "mnist", "CLEVR": "clevr_count_all"}


@dataclass(frozen=True)
class Pool:
    """A pool of one language, with one text for each image: its batches, and the counts of its entries."""

    scale: int
    batches: tuple[MatchedBatch, ...]
    counts: dict[str, np.ndarray]

    @property
    def texts(self) -> int:
        """Texts, of which each matches an entry."""
        return sum(batch.texts for batch in self.batches)


def make_pool(form: str, scale: int) -> Pool:
    """Make one of `FORMS`, `scale` times smaller than Pool 1; its threshold is T / scale."""
    kind, mixing = FORMS[form]
    rng, wanted = np.random.default_rng(0), entry_counts(scale)
    sizes = text_sizes(kind, int(TEXTS / scale), int(wanted.sum()), rng)
    made = tuple(map(MatchedBatch, batches(deal(wanted, sizes, mixing, rng), sizes)))
    counted = CountArrays()
    for batch in made:
        counted.add(batch)
    return Pool(scale, made, dict(counted.items()))


def forecast_of(pool: Pool) -> dict[str, float]:
    """Return the share of a pool that is kept at t = 20,000, and the deviation of their number at full size.

    Texts are drawn on their own, so the variance grows as the pool does.
    """
    grid = ForecastGrid(Unit.pair, 0, "", {"en": np.array([T / pool.scale])}, 64)
    sums = ForecastSums(1)
    for batch in pool.batches:
        forecast_batch(batch, grid, pool.counts, sums)
    expected = sums.expectations()[ALL]
    return {
        "matches_per_text": Distribution(pool.counts["en"]).matches / pool.texts,
        "kept_share": float(expected.pairs[0]) / pool.texts,
        "deviation": float(expected.pairs_deviation[0]) * math.sqrt(pool.scale),
    }


def drawn_deviation(pool: Pool, seeds: int) -> float:
    """Return the deviation over seeds of the number of texts that are kept, at full size: each seed draws all of them.

    Keys are the numbers of the texts.
    """
    probabilities = np.concatenate(
        [text_probabilities(each, pool.counts, {"en": T / pool.scale}) for each in pool.batches]
    )
    keys = pa.array(np.arange(pool.texts)).cast(pa.string())
    kept = [int((draw(seed, "keep", keys, keys) < probabilities).sum()) for seed in range(seeds)]
    return float(np.std(kept, ddof=1)) * math.sqrt(pool.scale)


def chance_of_spread(spread: float, deviation: float, runs: int) -> float:
    """Return the chance that `runs` runs differ by no more than `spread`, their sample's deviation; runs are 3 or 5.

    >>> round(chance_of_spread(0.1, 1, 3), 3), round(chance_of_spread(0.1, 1, 5), 4)
    (0.01, 0.0002)
    """
    half = (runs - 1) / 2 * (spread / deviation) ** 2
    return 1 - math.exp(-half) * sum(half**k / math.factorial(k) for k in range((runs - 1) // 2))


def thresholds() -> dict[str, float]:
    """Return what the totals of Pool 1 say of t: tail shares, and the texts of a pool whose t is 170,000.

    That pool holds the same entries in the same shares.
    """
    found = Distribution(entry_counts(1))
    t = found.t_of_share(TAIL_SHARE)
    return {
        "tail_share": found.tail_share(T),
        "t_of_tail_share": t,
        "capped": found.matches_capped(T),
        "large_pool_texts": TEXTS * LARGE_T / t,
    }


def distances() -> dict[str, float]:
    """Return KL(task || data) of MNIST and CLEVR, whose classes are all taken to have t texts of 630 million."""
    classes = {each.task: len(each.names) for each in read_class_lists([SHIPPED])}
    return {name: divergence(np.full(classes[task], T), CAPPED) for name, task in TASKS.items()}
