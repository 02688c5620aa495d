"""Download lists: what was curated, in the final order of samples, cut into ranges of that order.

The final order is that of hash64(seed, "order", uid), fixed before anything is fetched, so a list spreads over hosts
and shards can be written from the lists one after the other. A range is what the order's top bits tell; the number of
ranges is a power of two that the first plan fixes, so that a larger t adds images to ranges and moves none.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.exchange import read_slices, write_slices
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, LISTS, check_schema
from curation.images.ranges import Ranges, list_name, top_bits
from curation.images.stored_images import add_places, read_places

SLICE_ROWS = 100_000
"""Rows that one file of slices is made of: what a task holds at a time."""


@dataclass(frozen=True)
class SliceTask:
    """A file of `curated` or `pairs` to cut into slices; `output` is the start of the names of the slice files."""

    input: str
    output: str


def slice_curated(task: SliceTask, ranges: Ranges) -> Receipt:
    """Cut one file of `curated` into slices for the groups of ranges.

    Raises HeadtailError if the file is not one of the table `curated`.
    """
    check_schema(storage.read_schema(task.input), CURATED, task.input)
    receipt = Receipt(task.input)
    pending: list[pa.RecordBatch] = []
    for batch in storage.read_batches(task.input, CURATED.names):
        pending.append(batch)
        if sum(batch.num_rows for batch in pending) >= SLICE_ROWS:
            _write_slices(pending, task.output, ranges, receipt)
            pending = []
    if pending or not receipt.outputs:
        _write_slices(pending, task.output, ranges, receipt)
    receipt.rows_in = receipt.rows_out
    return receipt


def _write_slices(batches: list[pa.RecordBatch], out: str, ranges: Ranges, receipt: Receipt) -> None:
    rows = pa.Table.from_batches(batches).cast(CURATED).combine_chunks() if batches else CURATED.empty_table()
    order = ranges.order(_one_chunk(rows["uid"]))
    rows = rows.append_column(LISTS.field("order"), pa.array(order))
    path = f"{out}-{len(receipt.outputs):04d}.arrow"
    write_slices(path, rows, top_bits(order, ranges.groups), ranges.groups)
    receipt.outputs.append({"path": path, "rows": rows.num_rows, "bytes": 0})
    receipt.rows_out += rows.num_rows


def slice_places(task: SliceTask, ranges: Ranges) -> Receipt:
    """Cut the places of stored images in one file of `pairs` into slices for the groups of ranges."""
    receipt = Receipt(task.input)
    for number, rows in enumerate(read_places(task.input)):
        receivers = top_bits(ranges.order(rows["uid"].combine_chunks()), ranges.groups)
        write_slices(f"{task.output}-{number:04d}.arrow", rows, receivers, ranges.groups)
        receipt.rows_in += rows.num_rows
    receipt.rows_out = receipt.rows_in
    return receipt


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


@dataclass(frozen=True)
class WriteListsTask:
    """A group of ranges whose download lists are written to the folder `output`.

    `slices` and `places` are the folders of the slices of curated rows and of the places of stored images; `places` is
    None if no image is stored yet.
    """

    group: int
    slices: str
    places: str | None
    output: str


def write_lists(task: WriteListsTask, ranges: Ranges) -> Receipt:
    """Write the download lists of one group of ranges: curated rows and `order`, sorted by (order, uid).

    A range without images gets a list without rows.
    """
    rows = read_slices(task.slices, task.group).sort_by([("order", "ascending"), ("uid", "ascending")])
    if task.places:
        rows = add_places(rows, task.places, task.group)
    numbers = ranges.of(rows["order"].to_numpy())
    receipt = Receipt(f"lists of group {task.group}", rows_in=rows.num_rows)
    for number in ranges.in_group(task.group):
        start, end = np.searchsorted(numbers, [number, number + 1]).tolist()
        with storage.ParquetSink(storage.join(task.output, list_name(number)), rows.schema) as sink:
            for batch in rows.slice(start, end - start).combine_chunks().to_batches():
                sink.write(batch)
        receipt.rows_out += sink.rows
        receipt.outputs.append(sink.output())
    return receipt
