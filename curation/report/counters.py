"""Counters that tasks fill and that add up, so a report does not depend on how files are grouped into tasks.

A task returns its counters as the facts of its receipt, because Spark returns each receipt exactly once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FINE_BINS = 4096
"""The number of the last fine bin, which also counts all larger values."""


@dataclass
class Stats:
    """A set of counters that can be added to another set of the same class."""

    def merge(self, other: Self) -> Self:
        """Return the sum of both sets of counters."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def to_facts(self) -> Counter[str]:
        """Return the counters as facts of a receipt, with keys `counter:key`."""
        facts = {f"{each.name}:{key}": n for each in fields(self) for key, n in getattr(self, each.name).items()}
        return Counter(facts)

    @classmethod
    def from_facts(cls, facts: Mapping[str, int]) -> Self:
        """Return the counters in the facts of one receipt or of merged receipts; facts without a colon are ignored."""
        stats = cls()
        for fact, count in facts.items():
            name, colon, key = fact.partition(":")
            if colon:
                getattr(stats, name)[key] += count
        return stats


def count_values(counter: Counter[str], values: pa.Array | pa.ChunkedArray) -> None:
    """Count each value of a string array."""
    for each in pc.value_counts(values):
        counter[each["values"].as_py()] += each["counts"].as_py()


def count_bins(counter: Counter[str], values: np.ndarray, bounds: Sequence[int]) -> None:
    """Count values by the lower bound of their bin; no value is below the first bound."""
    bins = np.searchsorted(bounds, values, side="right") - 1
    for bound, count in zip(bounds, np.bincount(bins, minlength=len(bounds)).tolist(), strict=True):
        if count:
            counter[str(bound)] += count


def count_fine(counter: Counter[str], values: np.ndarray, step: float) -> None:
    """Count values by the number of their fine bin, whose width is `step`."""
    bins, counts = np.unique(np.minimum(values // step, FINE_BINS).astype(np.int64), return_counts=True)
    for number, count in zip(bins.tolist(), counts.tolist(), strict=True):
        counter[str(number)] += count
