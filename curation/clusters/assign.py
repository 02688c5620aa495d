"""Gives each image its clusters: those of the nearest fine centre."""

from dataclasses import dataclass

import pyarrow as pa

from curation.clusters.entry_vectors import EntryWeights
from curation.clusters.hierarchy import kept_hierarchy
from curation.clusters.sources import Source
from curation.core import storage
from curation.core.beats import moved
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt, written_receipt
from curation.core.schemas import CLUSTERS
from curation.core.whole_vectors import nearest


@dataclass(frozen=True)
class AssignTask:
    """A source, the file of clusters to write, and that of its receipt."""

    source: Source
    output: str
    receipt: str


@dataclass(frozen=True)
class Given:
    """The folder of the centres and their id, and the weights of entries; None: vectors are given."""

    folder: str
    id: str
    weights: EntryWeights | None


def assign_clusters(task: AssignTask, given: Given) -> Receipt:
    """Write the clusters of each row of a source, unless a stopped run has written them.

    The facts `coarse <number>` count rows. Raises HeadtailError for vectors of another length than the centres.
    """
    if written := written_receipt(task.receipt):
        return written.moved_to(task.output.rpartition("/")[0])
    hierarchy, receipt = kept_hierarchy(given.folder, given.id), Receipt(task.output)
    coarse_of = pa.array(hierarchy.coarse, pa.int32())
    width = hierarchy.centres.shape[1]
    with ParquetSink(task.output, CLUSTERS) as sink:
        for batch in task.source.read(given.weights, receipt):
            if len(batch.uids) and batch.units.shape[1] != width:
                raise HeadtailError(
                    f"embeddings: {task.source.path} has vectors of {batch.units.shape[1]:,} numbers, the centres in "
                    f"{given.folder} have {width:,}: give those of one encoder"
                )
            if len(batch.uids):
                sink.write(_rows(batch.uids, *nearest(batch.units, hierarchy.centres), coarse_of, receipt))
            moved(len(batch.uids))
    receipt.outputs.append(sink.output())
    storage.write_bytes(task.receipt, receipt.check().to_json().encode())
    return receipt


def _rows(uids: pa.Array, fine: pa.Array, distance: pa.Array, coarse_of: pa.Array, receipt: Receipt) -> pa.RecordBatch:
    fine = pa.array(fine)
    coarse = coarse_of.take(fine)
    for count in coarse.value_counts():
        receipt.facts[f"coarse {count['values']}"] += count["counts"].as_py()
    concepts = pa.ListArray.from_arrays(pa.array(range(len(fine) + 1), pa.int32()), fine)
    return pa.RecordBatch.from_arrays(
        [uids, fine, coarse, pa.array(distance), concepts.cast(CLUSTERS.field("concept_ids").type)], schema=CLUSTERS
    )
