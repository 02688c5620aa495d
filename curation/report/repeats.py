"""How often values repeat: texts that several images have, and images with the same bytes.

Values are compared by 64-bit hashes, of which a billion different ones hold 0.03 equal pairs on average.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core.exchange import iter_slices
from curation.core.receipts import Receipt, merge_receipts
from curation.report.counters import Stats, count_bins
from curation.report.spread import Spread, SpreadTask

GROUP_SIZES = (2, 3, 4, 5, 10, 20, 50, 100, 1000)
"""Lower bounds of the bins of groups of equal values."""


@dataclass
class RepeatStats(Stats):
    """`counts` has the keys `values`, `distinct` and `repeated` (values that are not alone); `groups` is by size."""

    counts: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)


def spread_hashes(spread: Spread, name: str, hashes: Sequence[np.ndarray]) -> None:
    """Send the hashes of values to the tasks that count them."""
    keys = np.concatenate([np.zeros(0, np.uint64), *hashes])
    spread.write(name, pa.table({"key": pa.array(keys)}), keys)


def count_repeats(task: SpreadTask) -> Receipt:
    """Count the values of one receiver. Rows are values; the receipt's output is the size of the largest group."""
    slices = [batch["key"].to_numpy() for batch in iter_slices(task.folder, task.receiver)]
    _, times = np.unique(np.concatenate([np.zeros(0, np.uint64), *slices]), return_counts=True)
    stats, again = RepeatStats(), times[times > 1]
    stats.counts.update(values=int(times.sum()), distinct=len(times), repeated=int(again.sum()))
    count_bins(stats.groups, again, GROUP_SIZES)
    rows = stats.counts["values"]
    receipt = Receipt(f"receiver {task.receiver}", rows, rows, facts=stats.to_facts())
    receipt.outputs.append({"largest": int(times.max(initial=0))})
    return receipt


def repeat_values(receipts: Sequence[Receipt]) -> dict[str, Any] | None:
    """Return values, distinct and repeated ones, the groups by size and the largest group; None without values."""
    total = merge_receipts("repeats", receipts)
    stats = RepeatStats.from_facts(total.facts)
    if not stats.counts["values"]:
        return None
    return {
        **{name: stats.counts[name] for name in ("values", "distinct", "repeated")},
        "groups": sum(stats.groups.values()),
        "largest": max(output["largest"] for output in total.outputs),
        "sizes": {bound: stats.groups[bound] for bound in map(str, GROUP_SIZES) if stats.groups[bound]},
    }
