"""Names of clusters: the entries that their images have more often than others."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.clusters.entry_vectors import ImageEntries, MatchedFile, read_entries
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.table_reader import read_rows

SHOWN = 6
"""Entries that name a cluster."""
MIN_SHARE = 0.02
"""An entry names a cluster if at least this share of its images have it, and two images at least."""
LABELLED = pa.schema([pa.field("uid", pa.string(), nullable=False), pa.field("fine", pa.int32(), nullable=False)])
COUNTED = pa.schema(
    [
        pa.field("fine", pa.int32(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("entry_id", pa.int32(), nullable=False),
        pa.field("images", pa.int64(), nullable=False),
    ]
)
"""How many images of a cluster have an entry; the row with a null as language has the number of its images."""
Words = Callable[[pa.Array, np.ndarray, np.ndarray], pa.Array]
"""Returns the words of entries: languages, the place of each entry's language among them, ids."""


@dataclass(frozen=True)
class NameTask:
    """A bucket of matched texts, and the file of counts to write."""

    matched: MatchedFile
    output: str


def count_entries(task: NameTask, labelled: str) -> Receipt:
    """Count the entries of the images of a bucket that `labelled` gives a cluster, by cluster."""
    labels = read_rows(labelled, LABELLED)
    known, fine = labels["uid"].combine_chunks(), labels["fine"].to_numpy()
    counts: Counter[tuple[int, str | None, int]] = Counter()
    receipt = Receipt(task.output)
    for uids, entries in read_entries(task.matched):
        at = pc.index_in(uids, known).fill_null(-1).to_numpy()
        mine = np.flatnonzero(at >= 0)
        receipt.rows_in += len(uids)
        receipt.rows_out += len(mine)
        for image, label in zip(mine.tolist(), fine[at[mine]].tolist(), strict=True):
            counts[label, None, 0] += 1
            counts.update((label, lang, entry) for lang, entry in _distinct(entries, image))
    receipt.drops["not_in_sample"] = receipt.rows_in - receipt.rows_out
    rows = [[*key, count] for key, count in counts.items()]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COUNTED)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, COUNTED, strict=True)]
    write_rows(task.output, pa.Table.from_arrays(arrays, schema=COUNTED))
    return receipt.check()


def _distinct(entries: ImageEntries, image: int) -> set[tuple[str, int]]:
    mine = slice(entries.starts[image], entries.starts[image + 1])
    pairs = zip(entries.codes[mine].tolist(), entries.ids[mine].tolist(), strict=True)
    return {(entries.langs[code], entry) for code, entry in pairs}


def names_of(paths: Iterable[str], labels: Sequence[int], words: Words) -> list[list[str]]:
    """Return the names of clusters, out of the counts of all buckets; `labels` is the cluster of each fine one.

    Of the entries that are more frequent in a cluster than in the sample, those come first whose images times the bits
    of their over-representation are most; equal ones by language and id. Where a word is not known, the name has fewer.
    """
    counted = pa.concat_tables([read_rows(path, COUNTED) for path in paths]).to_pydict()
    images: Counter[int] = Counter()
    totals: Counter[tuple[str, int]] = Counter()
    of: dict[int, Counter[tuple[str, int]]] = {}
    for fine, lang, entry, count in zip(*counted.values(), strict=True):
        label = labels[fine]
        if lang is None:
            images[label] += count
        else:
            totals[lang, entry] += count
            of.setdefault(label, Counter())[lang, entry] += count
    everything = sum(images.values())
    best = [
        _over_represented(of.get(label, Counter()), images[label], totals, everything)
        for label in range(max(labels, default=-1) + 1)
    ]
    return _with_words(best, words)


def _over_represented(
    mine: Counter[tuple[str, int]], images: int, totals: Counter[tuple[str, int]], everything: int
) -> list[tuple[str, int]]:
    scored = []
    for key, count in mine.items():
        ratio = count * everything / (images * totals[key])
        if ratio > 1 and count >= max(2, MIN_SHARE * images):
            scored.append((-count * np.log2(ratio), key))
    return [key for _, key in sorted(scored)[:SHOWN]]


def _with_words(best: list[list[tuple[str, int]]], words: Words) -> list[list[str]]:
    wanted = sorted({key for keys in best for key in keys})
    langs = sorted({lang for lang, _ in wanted})
    codes = np.array([langs.index(lang) for lang, _ in wanted], np.int64)
    ids = np.array([entry for _, entry in wanted], np.int64)
    found = words(pa.array(langs, pa.string()), codes, ids).to_pylist() if wanted else []
    known = dict(zip(wanted, found, strict=True))
    return [[" ".join(word.split()) for key in keys if (word := known[key])] for keys in best]
