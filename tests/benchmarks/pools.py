"""What thresholds keep of pools of 1 million to 1 billion texts: `python -m tests.benchmarks.pools`.

The pools are those of tests/benchmarks/pool1.py, which have the published totals of Pool 1 (1.6 billion texts, arXiv
2309.16671), made smaller by a factor. A pool of another size is taken to hold the same entries in the same shares: then
t grows with the pool, and the shares that are kept stay. Two forms of the pool tell how far they can be off: entries
that meet by chance, and frequent ones with frequent ones. The paper's 25% at a tail share of 5.5% lies between them.

Argument: scale=100, at which a tail share leads to about its t of the whole pool. Two minutes and 4 GB; the last line
is one JSON object.
"""

import json
import sys

import numpy as np

from curation.balancing.balance import FIXED
from curation.balancing.counts import CountArrays
from curation.balancing.distributions import Distribution
from curation.balancing.forecast import ALL, ForecastGrid, ForecastSums, forecast_batch
from curation.balancing.matched_batch import MatchedBatch
from tests.benchmarks.pool1 import TEXTS, batches, deal, entry_counts, text_sizes

POOLS = (1e6, 1e7, 1e8, 1e9)
TAIL_SHARES = (0.03, 0.06, 0.12, 0.25)
SEEN = 12.8e9
"""Samples that a model of the papers sees in training."""
FORMS = {"like with like": ("geometric", 2.0), "by chance": ("alike", None)}


def kept_shares(kind: str, mixing: float | None, scale: int) -> tuple[list[float], list[float]]:
    """Return t, in texts of the pool of this scale, and the share of texts that is kept, for each tail share."""
    rng = np.random.default_rng(0)
    counts = entry_counts(scale)
    sizes = text_sizes(kind, int(TEXTS / scale), int(counts.sum()), rng)
    pool = batches(deal(counts, sizes, mixing, rng), sizes)
    counted = CountArrays()
    for batch in pool:
        counted.add(MatchedBatch(batch))
    found = dict(counted.items())
    distribution = Distribution(found["en"])
    ts = [float(distribution.t_of_share(share)) for share in TAIL_SHARES]
    sums = ForecastSums(len(ts))
    grid = ForecastGrid("pair", 0, "", {"en": np.array(ts)}, 64)
    for batch in pool:
        forecast_batch(MatchedBatch(batch), grid, found, sums)
    texts = sum(batch.num_rows for batch in pool)
    return ts, [float(each) / FIXED / texts for each in sums.of(ALL)[0]]


def main() -> None:
    """Print a row for each pool and tail share, and all of them as JSON."""
    scale = int(dict(argument.split("=", 1) for argument in sys.argv[1:]).get("scale", 100))
    found = {name: kept_shares(*form, scale) for name, form in FORMS.items()}
    thresholds = np.mean([ts for ts, _ in found.values()], axis=0) * scale / TEXTS
    low, high = (np.array(found[name][1]) for name in FORMS)
    rows = []
    for pool in POOLS:
        for index, share in enumerate(TAIL_SHARES):
            kept = (round(pool * low[index]), round(pool * high[index]))
            epochs = [round(SEEN / each, 1) for each in reversed(kept)]
            rows.append({"pool": int(pool), "tail_share": share, "t": float(f"{pool * thresholds[index]:.3g}"),
                         "images": kept, "epochs": epochs})  # fmt: skip
            print(rows[-1], flush=True)
    shares = {f"{share:.0%}": [round(low[i], 3), round(high[i], 3)] for i, share in enumerate(TAIL_SHARES)}
    print(json.dumps({"kept_shares": shares, "rows": rows}))


if __name__ == "__main__":
    main()
