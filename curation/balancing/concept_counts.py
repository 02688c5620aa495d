"""The numbers of concepts: thresholds of namespaces, and the table `concept_counts`, counts before and after."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from curation.balancing.counts import NO_COUNTS, CountFiles, merge_partials, save_array
from curation.balancing.distributions import Distribution, TargetedDistribution
from curation.balancing.targets import EntryTargets
from curation.balancing.weighted_ids import UNITS
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import CONCEPT_COUNTS
from curation.core.table_reader import read_batches
from curation.matching.entry_lists import EntryList

FILE = "concept_counts"
"""How the names of files of the table begin."""
BATCH = 1 << 16


@dataclass(frozen=True)
class ConceptGoal:
    """What a namespace is balanced to: a threshold `t` of its counts, or the share of their sum that its tail has."""

    t: float | None
    tail_share: float | None

    def of_first_pass(self, headroom: float) -> "ConceptGoal":
        """Return the goal for counts before the download, of which the share `headroom` is assumed to survive."""
        return self if self.t is None else replace(self, t=self.t / headroom)

    def threshold(self, counts: np.ndarray, targets: np.ndarray | None = None) -> float:
        """Return t; 1 where no image has a concept. `targets` are the values of concepts (targets.py), None: no values.

        >>> ConceptGoal(None, 0.5).threshold(np.array([10, 10, 20])), ConceptGoal(7.0, None).threshold(np.array([10]))
        (10.0, 7.0)
        """
        if self.t is not None:
            return self.t
        assert self.tail_share is not None
        found = _distribution(counts, targets)
        return found.t_of_share(self.tail_share) if found else 1.0


def _distribution(counts: np.ndarray, targets: np.ndarray | None) -> Distribution | None:
    """Return the distribution of the counts of a namespace; None where no image has a concept."""
    if not counts.any():
        return None
    return Distribution(counts) if targets is None else TargetedDistribution(counts, targets)


def target_values(targets: EntryTargets | None, name: str, counts: np.ndarray) -> np.ndarray | None:
    """Return the values of the concepts of a namespace; None where none of them has a target."""
    return targets.values(name, len(counts)) if targets and name in targets.by_lang else None


def add_counts(paths: Sequence[str], weighted: Mapping[str, bool], folder: str) -> CountFiles:
    """Add the counts of the files of `write_partial`, and store them as flat files by namespace.

    `weighted` has each namespace; the counts of one with weights are their sums, float64.
    """
    found = dict.fromkeys(weighted, NO_COUNTS)
    for name, counts in merge_partials(paths):
        found[name] = counts
    for name, counts in found.items():
        save_array(storage.join(folder, f"{name}.npy"), counts / UNITS if weighted[name] else counts)
    return CountFiles(folder)


def describe_namespace(
    counts: np.ndarray, t: float, images: int, images_with: int, kept: np.ndarray, targets: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the numbers of a namespace for the manifest; `kept` are the counts of the kept images.

    `images` are those of `matches`, `images_with` those among them that have a concept of the namespace. `targets` are
    the values of concepts.
    """
    found = _distribution(counts, targets)
    return {
        "t": t,
        "tail_share": found.tail_share(t) if found else 0.0,
        "concepts": found.entries if found else 0,
        "concepts_from_t": found.entries - found.entries_below(t) if found else 0,
        "images_with": images_with,
        "images_without": images - images_with,
        "count": round(counts.sum().item()),
        "kept": round(kept.sum().item()),
    }


def write_concept_counts(
    before: CountFiles, after: CountFiles, namespaces: Sequence[str], names: Mapping[str, EntryList], path: str
) -> Receipt:
    """Write the table: each concept that an image has, its name, and its images before and after, or their weights.

    Rows are sorted by (namespace, concept_id).
    """
    receipt = Receipt(path)
    with ParquetSink(path, CONCEPT_COUNTS) as sink:
        for name in sorted(namespaces):
            ids = np.flatnonzero(before[name])
            counts, kept = before[name][ids], _padded(after[name], len(before[name]))[ids]
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                sink.write(_rows(name, ids[part], counts[part], kept[part], names.get(name)))
    receipt.rows_in = receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
    return receipt


def counts_path(folder: str, part_id: str) -> str:
    """Return the path of the table in the folder of a part with this id.

    Tables with other names of concepts lie side by side until the manifest names the new one.
    """
    return storage.join(folder, f"{FILE}-{part_id[:16]}.parquet")


def remove_others(folder: str, files: Sequence[str]) -> None:
    """Remove the tables with other names of concepts from the folder of a part whose files are `files`."""
    for name in storage.list_folder(folder):
        if name.startswith(FILE) and (path := storage.join(folder, name)) not in files:
            storage.remove(path)


def rename_concepts(file: str, names: Mapping[str, EntryList], path: str) -> Receipt:
    """Write the table again, to `path`, with other names of the concepts."""
    receipt = Receipt(path)
    with ParquetSink(path, CONCEPT_COUNTS) as sink:
        for batch in _by_namespace(file):
            name = batch["namespace"][0].as_py()
            ids, counts, kept = (batch[column].to_numpy() for column in ("concept_id", "count", "kept"))
            sink.write(_rows(name, ids, counts, kept, names.get(name)))
    receipt.rows_in = receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
    return receipt


def _by_namespace(file: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the table in batches of one namespace."""
    for batch in read_batches(file, CONCEPT_COUNTS, batch_rows=BATCH):
        codes = batch["namespace"].dictionary_encode().indices.to_numpy()
        borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), batch.num_rows]
        for start, end in itertools.pairwise(borders):
            if start < end:
                yield batch.slice(start, end - start)


def _rows(name: str, ids: np.ndarray, counts: np.ndarray, kept: np.ndarray, names: EntryList | None) -> pa.RecordBatch:
    if names is not None and len(ids) and ids.max() >= len(names.texts):
        raise HeadtailError(f"concept_names.{name} has {len(names.texts):,} names, and none for the id {ids.max()}")
    texts = pa.nulls(len(ids), pa.string()) if names is None else names.texts.take(pa.array(ids))
    columns = [
        pa.repeat(name, len(ids)),
        pa.array(ids, pa.int32()),
        texts,
        *(pa.array(np.rint(each).astype(np.int64)) for each in (counts, kept)),
    ]
    return pa.record_batch(columns, schema=CONCEPT_COUNTS)


def _padded(counts: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([counts, np.zeros(size - len(counts), counts.dtype)])
