"""The sample of vectors in which centres are looked for: a keyed draw, whatever the files and their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.clusters.entry_vectors import EntryWeights
from curation.clusters.sources import Source
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.table_reader import read_rows

PURPOSE = "clusters"
SAMPLE = pa.schema(
    [
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("unit", pa.binary(), nullable=False),
    ]
)
"""A vector that was drawn: the hash of its uid, and its whole numbers as bytes of int16."""
_MORE = 1.05
"""So many times the rows wanted are drawn, so that they are enough after all."""


@dataclass(frozen=True)
class SampleTask:
    """A source to count, or to draw from, and the file of drawn vectors to write."""

    source: Source
    output: str


@dataclass(frozen=True)
class Draw:
    """The seed, and the share of rows that is drawn."""

    seed: int
    share: float


@dataclass(frozen=True)
class Sample:
    """Drawn vectors in the order of their hashes: uids, and whole numbers (int16) of shape (rows, numbers)."""

    uids: pa.Array
    units: np.ndarray


def count_source(task: SampleTask) -> Receipt:
    """Count the rows of a source."""
    rows = task.source.count()
    return Receipt(task.output, rows, rows)


def share_of(wanted: int, rows: int) -> float:
    """Return the share of rows to draw so that about `wanted` or a few more come out.

    >>> share_of(100, 1000), share_of(100, 50)
    (0.105, 1.0)
    """
    return min(1.0, _MORE * wanted / max(rows, 1))


def draw_sample(task: SampleTask, draw: Draw, weights: EntryWeights | None) -> Receipt:
    """Write the vectors of a source that are drawn."""
    receipt = Receipt(task.output)
    below = np.uint64(min(int(draw.share * 2**64), 2**64 - 1))
    with ParquetSink(task.output, SAMPLE) as sink:
        for batch in task.source.read(weights, receipt):
            order = hash64(draw.seed, PURPOSE, batch.uids) if len(batch.uids) else np.zeros(0, np.uint64)
            drawn = np.flatnonzero(order <= below)
            units = pa.array([batch.units[row].tobytes() for row in drawn], pa.binary())
            columns = [pa.array(order[drawn]), batch.uids.take(pa.array(drawn)), units]
            sink.write(pa.RecordBatch.from_arrays(columns, schema=SAMPLE))
    receipt.facts["drawn"] = sink.rows
    return receipt


def gather(paths: Sequence[str], wanted: int) -> Sample:
    """Return the `wanted` drawn vectors with the smallest hashes, and of a uid that is there several times all.

    Raises HeadtailError for vectors of several lengths.
    """
    rows = pa.concat_tables([read_rows(path, SAMPLE) for path in paths]) if paths else SAMPLE.empty_table()
    rows = rows.set_column(2, "unit", rows["unit"].cast(pa.large_binary()))  # together they may pass 2 GiB
    rows = rows.take(pc.sort_indices(rows, [(name, "ascending") for name in SAMPLE.names])).slice(0, wanted)
    sizes = pc.unique(pc.binary_length(rows["unit"])).to_pylist()
    if len(sizes) > 1:
        raise HeadtailError(
            f"embeddings: vectors of {sizes[0] // 2:,} and of {sizes[1] // 2:,} numbers: give those of one encoder"
        )
    width = sizes[0] // 2 if sizes else 0
    units = np.zeros((rows.num_rows, width), np.int16)
    start = 0
    for chunk in rows["unit"].chunks:
        if len(chunk):
            data = np.frombuffer(chunk.buffers()[2], np.int16, len(chunk) * width, chunk.offset * 2 * width)
            units[start : start + len(chunk)] = data.reshape(-1, width)
            start += len(chunk)
    return Sample(rows["uid"].combine_chunks(), units)
