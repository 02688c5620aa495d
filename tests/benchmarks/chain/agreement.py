"""Whether both sides have the same pairs, entries and counts, and keep as many images as their counts say."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.tables import Table
from curation.matching.entry_lists import read_entries

Pairs = dict[tuple[str, str], tuple[int, ...]]


def our_pairs(folder: Path) -> tuple[Pairs, int]:
    """Return the matched alts with their entries, and the number of titles, which the peers do not read."""
    pairs: Pairs = {}
    titles = 0
    for path in Table(str(folder / "matches")).files():
        for row in pq.read_table(path, columns=["url", "texts"]).to_pylist():
            for text in row["texts"]:
                if text["text_key"] == "alt":
                    pairs[row["url"], text["text"]] = tuple(text["entry_ids"])
                else:
                    titles += 1
    return pairs, titles


def their_pairs(folder: Path) -> Pairs:
    """Return the matched alts with their entries."""
    table = pq.read_table(folder / "matched")
    columns = (table[name].to_pylist() for name in ("url", "text", "entry_ids"))
    return {(url, text): tuple(ids) for url, text, ids in zip(*columns, strict=True)}


def expected_images(pairs: Pairs, counts: np.ndarray, t: float) -> tuple[float, float]:
    """Return the expected number of kept images of these pairs, and its standard deviation."""
    probabilities = t / np.maximum(counts, t)
    lost: dict[str, float] = {}
    for (url, _), ids in pairs.items():
        lost[url] = lost.get(url, 1.0) * float(np.prod(1 - probabilities[list(ids)]))
    all_lost = np.array(list(lost.values()))
    return float((1 - all_lost).sum()), float(np.sqrt((all_lost * (1 - all_lost)).sum()))


def compare(ours: Path, theirs: Path, entries: Path, t: float) -> dict[str, float]:
    """Count what is the same and what differs. Raises AssertionError for differences that nothing explains.

    Ours leaves out entries that have control characters or are too long, for which the peers look.
    """
    unused = set(np.flatnonzero(read_entries(str(entries)).texts.is_null()).tolist())
    mine, titles = our_pairs(ours)
    other = their_pairs(theirs)
    both = mine.keys() & other.keys()
    by_unused = sum(not unused.isdisjoint(ids) for ids in other.values())
    other_entries = sum(mine[pair] != tuple(each for each in other[pair] if each not in unused) for pair in both)
    counts = np.load(theirs / "counts.npy")
    recounted = np.bincount(np.concatenate(list(other.values())), minlength=len(counts))
    expected, deviation = expected_images(other, counts, t)
    kept = len((theirs / "kept.txt").read_text().splitlines())
    curated = pa.concat_tables(pq.read_table(path, columns=["url"]) for path in Table(str(ours / "curated")).files())
    thresholds = pa.concat_tables(pq.read_table(path) for path in Table(str(ours / "thresholds")).files())
    ours_expected = pc.sum(thresholds["expected_images"]).as_py()
    assert other_entries == 0, other_entries
    assert np.array_equal(recounted, counts)
    assert abs(kept - expected) < 5 * deviation, (kept, expected, deviation)
    assert abs(len(curated) - ours_expected) < 5 * deviation, (len(curated), ours_expected, deviation)
    return {
        "matched_alts_of_both": len(both),
        "alts_only_ours": len(mine) - len(both),
        "alts_only_theirs": len(other) - len(both),
        "other_entries": other_entries,
        "alts_with_entries_only_theirs": by_unused,
        "titles_only_ours": titles,
        "kept_images_ours": len(curated),
        "expected_images_ours": round(ours_expected),
        "kept_images_peers": kept,
        "expected_images_peers": round(expected),
    }
