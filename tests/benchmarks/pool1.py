"""What the forecast says of a pool with the published totals of Pool 1: `python -m tests.benchmarks.pool1`.

Demystifying CLIP Data (arXiv 2309.16671) tells of its first pool: 1.6 billion pairs, 500,000 entries of which 114,000
match nothing, 16,000 above t = 20,000 that hold 94.5% of 5.67 billion matches, 3.5 matches a text; balancing keeps 400
million, 25%. Scaled down by 100, entries and all, these totals do not say how matches are spread over texts, which
decides what is kept. So several pools are made with the same counts of entries:

- how many entries a text matches: all alike, or geometric (many texts with one, some with very many);
- which go together: by chance, or like to like (texts of rare entries have more of them): the matches are sorted by
  log(count) + `mixing` * noise and dealt out to the texts in this order.

Arguments: scale=100 (at most). About two minutes and 4 GB at 100; the last line is one JSON object.
"""

import json
import sys

import numpy as np
import pyarrow as pa

from curation.balancing.balance import FIXED
from curation.balancing.counts import CountArrays
from curation.balancing.distributions import Distribution
from curation.balancing.forecast import ALL, ForecastGrid, ForecastSums, forecast_batch
from curation.balancing.matched_batch import MatchedBatch
from curation.core.schemas import MATCHES, TEXT

ENTRIES, UNMATCHED, HEAD = 500_000, 114_000, 16_000
T, TEXTS, MATCHES_IN_HEAD, MATCHES_IN_TAIL = 20_000, 1.6e9, 5.35e9, 0.32e9
BATCH = 65_536
POOLS = (("geometric", None), ("geometric", 2.0), ("geometric", 1.0), ("alike", None), ("alike", 2.0), ("alike", 1.0))


def entry_counts(scale: int) -> np.ndarray:
    """Counts of the matched entries, descending: power laws on both sides of t, with the published sums."""
    t = T / scale
    head = t * _power_law(np.arange(1, HEAD + 1) / HEAD, MATCHES_IN_HEAD / scale / t)
    tail_ranks = np.arange(HEAD + 1, ENTRIES - UNMATCHED + 1) / HEAD
    tail = t * _power_law(tail_ranks, MATCHES_IN_TAIL / scale / t)
    return np.maximum(np.rint(np.concatenate([head, np.minimum(tail, t - 1)])), 1).astype(np.int64)


def _power_law(ranks: np.ndarray, total: float) -> np.ndarray:
    """ranks ** -a with the exponent at which the sum is `total`, by bisection; ranks are 1 at the border of t."""
    low, high = 0.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        # Below the border a larger exponent makes smaller counts, above it larger ones.
        if ((ranks**-middle).sum() > total) == (ranks[0] > 1):
            low = middle
        else:
            high = middle
    return ranks**-low


def text_sizes(kind: str, texts: int, matches: int, rng: np.random.Generator) -> np.ndarray:
    """How many entries each text matches, at least one, `matches` in all."""
    mean = matches / texts
    sizes = np.full(texts, int(mean)) if kind == "alike" else rng.geometric(1 / mean, texts)
    # Single matches are added or taken, to meet the sum.
    missing = matches - int(sizes.sum())
    picked = rng.permutation(np.flatnonzero(sizes > 1) if missing < 0 else texts)[: abs(missing)]
    sizes[picked] += np.sign(missing)
    return sizes


def deal(counts: np.ndarray, sizes: np.ndarray, mixing: float | None, rng: np.random.Generator) -> np.ndarray:
    """The entry of each match, text by text; None: by chance."""
    ids = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    if mixing is None:
        return rng.permutation(ids)
    keys = np.log(counts.astype(np.float32))[ids] + np.float32(mixing) * rng.standard_normal(len(ids), np.float32)
    dealt = ids[np.argsort(keys)]
    order = rng.permutation(len(sizes))  # sizes must not depend on the place in the sort
    sizes[:] = sizes[order]
    return dealt


def batches(ids: np.ndarray, sizes: np.ndarray) -> list[pa.RecordBatch]:
    """Images of one text each; ids sorted and unique within a text."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for first in range(0, len(sizes), BATCH):
        last = min(first + BATCH, len(sizes))
        mine, rows = ids[starts[first] : starts[last]], np.repeat(np.arange(last - first), sizes[first:last])
        keys = np.unique(rows * np.int64(ENTRIES) + mine)
        found.append(_batch(keys // ENTRIES, (keys % ENTRIES).astype(np.int32), last - first))
    return found


def _batch(rows: np.ndarray, ids: np.ndarray, texts: int) -> pa.RecordBatch:
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=texts))]).astype(np.int32)
    blank = pa.repeat("", texts)
    columns = {
        "text": blank,
        "text_key": blank,
        "lang": pa.repeat("en", texts),
        "lang_score": pa.nulls(texts, pa.float32()),
        "entry_ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids), type=TEXT["entry_ids"].type),
    }
    structs = pa.StructArray.from_arrays([columns[field.name] for field in TEXT], fields=list(TEXT))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(texts + 1, dtype=np.int32)), structs, type=MATCHES[2].type)
    return pa.record_batch([blank, blank, lists], schema=MATCHES)


def forecast(pool: list[pa.RecordBatch], scale: int) -> dict[str, float]:
    """What the forecast says at t, and the totals that the pool has in truth."""
    counted = CountArrays()
    for batch in pool:
        counted.add(MatchedBatch(batch))
    counts = dict(counted.items())
    t = T / scale
    grid = ForecastGrid("pair", 0, "", {"en": np.array([t])}, 64)
    sums = ForecastSums(1)
    for batch in pool:
        forecast_batch(MatchedBatch(batch), grid, counts, sums)
    texts = sum(batch.num_rows for batch in pool)
    found = Distribution(counts["en"])
    return {
        "texts": texts,
        "matches_per_text": found.matches / texts,
        "entries_above_t": len(found.counts) - found.entries_below(t),
        "entries_without_match": ENTRIES - len(found.counts),
        "head_share_of_matches": 1 - found.tail_share(t),
        "capped_share": found.matches_capped(t) / texts,
        "kept_share": float(sums.of(ALL)[0, 0]) / FIXED / texts,
    }


def main() -> None:
    """Print a line for each pool, and all of them as JSON."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    scale = int(given.get("scale", 100))
    counts = entry_counts(scale)
    results = {}
    for kind, mixing in POOLS:
        rng = np.random.default_rng(0)
        sizes = text_sizes(kind, int(TEXTS / scale), int(counts.sum()), rng)
        ids = deal(counts, sizes, mixing, rng)
        name = f"{kind}, {'by chance' if mixing is None else f'mixing {mixing:g}'}"
        results[name] = {key: round(value, 4) for key, value in forecast(batches(ids, sizes), scale).items()}
        print(name, results[name], flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
