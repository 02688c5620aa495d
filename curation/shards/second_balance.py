"""The second balance: after download and filters, in the counts of what survived.

t speaks of the counts of the survivors, which nobody knows before. The first pass drew with t / headroom and stored
P1, the keep probabilities. Of the survivors it left, each stands for 1 / P1 like it that were thrown away unfetched, so
sums weighted with 1 / P1 estimate the counts over all that would have survived. From these come thresholds and P2, and
a unit stays iff its same u is below min(P1, P2).

Plain counts of the survivors are wrong: the head is already thinned in them, so its texts get too large a P2. With the
same u the head ends too large, with a fresh u it is thinned twice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.balance import DrawnBatch, draw_batch, text_probabilities
from curation.balancing.counts import CountArrays, CountFiles
from curation.balancing.distributions import Distributions
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.thresholds import BalanceGoal
from curation.core.choices import Unit

WEIGHT = 2**20
"""Weights are int64 multiples of 1 / WEIGHT, so that no order of addition can show."""
BINS = 1000


@dataclass(frozen=True)
class SecondDrawing:
    """How survivors are drawn: as in BalanceSettings, with `counts` and `t` estimated over the survivors."""

    unit: Unit
    seed: int
    counts: CountFiles | dict[str, np.ndarray]
    t: dict[str, float]


def weigh_survivors(batches: Iterable[pa.RecordBatch], unit: Unit) -> CountArrays:
    """Return the entry counts that survivors (rows of `curated`) stand for, in units of 1 / WEIGHT.

    unit=pair: each kept text counts 1 / P1. unit=image: all texts of an image count 1 / the mean P1 of its texts,
    for which of them was drawn was chance too.
    """
    counts = CountArrays()
    for batch in batches:
        matched = MatchedBatch(batch)
        counts.add_weighted(matched, _weights(matched, unit))
    return counts


def _weights(matched: MatchedBatch, unit: Unit) -> np.ndarray:
    first = first_probabilities(matched)
    if unit == Unit.pair:
        kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
        shares = np.where(kept, first, np.inf)
    else:
        sizes = np.diff(matched.starts)
        means = np.add.reduceat(first, matched.starts[:-1]) / sizes if len(sizes) else first
        shares = np.repeat(means, sizes)
    # A probability so small that its weight would overflow a sum is never drawn.
    return np.rint(WEIGHT / np.maximum(shares, 1e-9)).astype(np.int64)


def first_probabilities(matched: MatchedBatch) -> np.ndarray:
    """Return P1 of every text, float64[k]."""
    return pc.struct_field(matched.structs, "keep_probability").to_numpy()


def estimated_counts(weighted: np.ndarray) -> np.ndarray:
    """Return weighted sums as counts, float64."""
    return weighted / WEIGHT


def second_thresholds(goal: BalanceGoal, distributions: Distributions) -> dict[str, float]:
    """Return each language's t over the estimated counts, for the goal of the first pass."""
    return goal.of_survivors().thresholds(distributions)


def draw_survivors(
    batches: Iterable[pa.RecordBatch], second: SecondDrawing, shortfall: "Shortfall"
) -> Iterator[tuple[MatchedBatch, DrawnBatch]]:
    """Yield batches of survivors with what the second balance draws of them, and add to the shortfall.

    The draws are the first pass's own: nothing that it threw away can come back, and where P2 <= P1 the result is
    what a single draw with P2 would have given.
    """
    for batch in batches:
        matched = MatchedBatch(batch)
        first = first_probabilities(matched)
        # A language of which no text was kept has no estimate, and none of its texts can come back.
        wanted = text_probabilities(matched, second.counts, second.t, unknown=1.0)
        weights = _weights(matched, second.unit)
        if second.unit == Unit.image:  # of an image one text is drawn, each as likely as the others
            sizes = np.diff(matched.starts)
            weights //= np.repeat(sizes, sizes)
        shortfall.add(first, wanted, weights)
        yield matched, draw_batch(matched, np.minimum(first, wanted), second.unit, second.seed)


class Shortfall:
    """What the second balance wants and the first pass threw away: texts with P2 > P1; parts add up."""

    def __init__(self) -> None:
        self.missing = 0
        self.wanted = 0
        self.ratios = np.zeros(BINS + 1, np.int64)

    def add(self, first: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> None:
        """Add texts: their P1, P2 and weights (0 for those that stand for none)."""
        self.missing += int(np.rint(np.maximum(wanted - first, 0.0) * weights).sum())
        self.wanted += int(np.rint(wanted * weights).sum())
        ratios = np.divide(first, wanted, out=np.ones_like(first), where=wanted > first)[weights > 0]
        self.ratios += np.bincount((ratios * BINS).astype(np.int64), minlength=BINS + 1)

    def merge(self, facts: Counter[str]) -> None:
        """Add what another's `facts` hold."""
        self.missing += facts["shortfall_missing"]
        self.wanted += facts["shortfall_wanted"]
        for index in range(BINS + 1):
            self.ratios[index] += facts[f"shortfall_ratio:{index}"]

    def facts(self) -> dict[str, int]:
        """Return what a receipt's facts can carry."""
        ratios = {f"shortfall_ratio:{index}": int(n) for index, n in enumerate(self.ratios) if n}
        return {"shortfall_missing": self.missing, "shortfall_wanted": self.wanted, **ratios}

    def describe(self, goal: BalanceGoal) -> dict[str, Any]:
        """Return the shortfall in texts, its share of what is wanted, and the headroom that would cure it.

        With that headroom 99% of the survivors' texts have P2 <= P1, as far as P1 grows with t. There is none for a
        tail share, whose first pass does not depend on it.
        """
        texts = int(self.ratios.sum())
        below = np.cumsum(self.ratios)
        ratio = int(np.searchsorted(below, 0.01 * texts, side="right")) / BINS if texts else 1.0
        return {
            "missing_texts": self.missing / WEIGHT,
            "missing_share": self.missing / self.wanted if self.wanted else 0.0,
            "sufficient_headroom": goal.headroom * ratio if goal.tail_share is None else None,
        }
