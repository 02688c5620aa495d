"""Download lists: the curated images in the final order of samples, one file per range of that order.

The final order is that of hash64(seed, "order", uid). It is fixed before the first download, so each list spreads over
many hosts, and shards are written from one list after the other. A range holds the uids whose hash has the same top
bits. The number of ranges is a power of two that the first plan fixes, so a larger t adds images to ranges and moves
none.

The lists are made in three steps: `slice_curated` and `slice_places` cut tables into slices for groups of ranges,
`write_lists` sorts the slices of a group. `ListPlan` has the tasks of the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.credentials import cut_path
from curation.core.exchange import read_slices, write_slices
from curation.core.kept_targets import hand_on_targets
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe, recipe_settings
from curation.core.schemas import CURATED, LISTS, STORED
from curation.core.table_reader import check_file, read_batches
from curation.core.tables import Table
from curation.images.ranges import Ranges, list_name, top_bits
from curation.images.stored_images import PLACES, add_places, divide_places, parts_with_places, read_places

STAGE = "plan_lists"
LOGIC_VERSION = 1
SLICE_ROWS = 100_000
"""Rows that one slice file is made of, and that a task holds at a time."""


@dataclass(frozen=True)
class SliceTask:
    """A file of `curated` or `pairs` to cut into slices; `output` is the start of the names of the slice files.

    `part` is the path of the part that holds the file.
    """

    input: str
    output: str
    part: str


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


class ListPlan:
    """The plan of the table `lists`: its recipe, its folders, and the tasks that make it.

    `curated` are the parts of that table; `pairs` is the table that may hold places of stored images.
    """

    def __init__(self, path: str, curated: Sequence[Part], pairs: Table, ranges: Ranges) -> None:
        self.ranges = ranges
        self._table, self._curated, self._stored = Table(path, LISTS, STORED.names), curated, parts_with_places(pairs)
        inputs = [part.input() for part in (*curated, *self._stored)]
        self._recipe = Recipe(STAGE, LOGIC_VERSION, recipe_settings(ranges), inputs)
        self.folder = self._table.part_path(0)
        self.slices, self.places = storage.join(self.folder, "_slices"), storage.join(self.folder, "_places")

    def finished(self) -> Part | None:
        """Return the lists that an earlier run made from the same inputs, if they exist."""
        return self._table.done(self._recipe)

    def begin(self) -> None:
        """Empty the folder of the lists. Raises HeadtailError if the first file of a part has other columns."""
        for part in self._curated:
            check_file(part.files[0], CURATED)
        for part in self._stored:
            check_file(part.files[0], PLACES, further=None)
        self._table.begin(0)

    def curated_tasks(self) -> list[SliceTask]:
        """Return a task for `slice_curated` per file of `curated`."""
        return _slice_tasks(self._curated, self.slices)

    def places_tasks(self) -> list[SliceTask]:
        """Return a task for `slice_places` per file of `pairs`; none if no image is stored."""
        return _slice_tasks(self._stored, self.places)

    def list_tasks(self) -> list[WriteListsTask]:
        """Return a task for `write_lists` per group of ranges."""
        places = self.places if self._stored else None
        return [WriteListsTask(group, self.slices, places, self.folder) for group in range(self.ranges.groups)]

    def commit(self, sliced: Sequence[Receipt], places: Receipt, written: Sequence[Receipt], seconds: float) -> Part:
        """Delete the slices and make the lists exist; raises AssertionError if rows of `curated` were lost.

        The manifest takes over how `curated` was balanced, for the second balance, and counts the refused places.
        """
        storage.remove(self.slices)
        storage.remove(self.places)
        if sum(receipt.rows_out for receipt in sliced) != sum(receipt.rows_in for receipt in written):
            raise AssertionError(f"{self._table.path}: rows were lost between slices and lists")
        manifest = self._curated[0].manifest
        balance = manifest["settings"] | {key: manifest[key] for key in ("solved_t", "yields") if key in manifest}
        hand_on_targets(self._curated[0], self.folder)
        refused = Receipt("places", facts=places.drops.copy())
        return self._table.commit(0, self._recipe, [*written, refused], seconds, balance=balance)


def _slice_tasks(parts: Sequence[Part], folder: str) -> list[SliceTask]:
    files = [(file, part.path) for part in parts for file in part.files]
    return [SliceTask(path, storage.join(folder, f"{index:06d}"), part) for index, (path, part) in enumerate(files)]


def slice_curated(task: SliceTask, ranges: Ranges) -> Receipt:
    """Cut one file of `curated` into slices for the groups of ranges.

    Raises HeadtailError if the file is not one of the table `curated`.
    """
    receipt = Receipt(task.input)
    pending: list[pa.RecordBatch] = []
    for batch in read_batches(task.input, CURATED, CURATED.names):
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
    """Cut the places of stored images in one file of `pairs` into slices for the groups of ranges.

    Places outside of the shards that the part was made from are dropped as `foreign_place`.
    """
    receipt = Receipt(task.input)
    for number, read in enumerate(read_places(task.input)):
        rows, refused = divide_places(read, task.part)
        if refused.num_rows:
            receipt.drops["foreign_place"] += refused.num_rows
            path = cut_path(refused["image_file"][0].as_py())
            receipt.failures.append({"file": task.input, "offset": None, "error": path, "records_read": None})
        receivers = top_bits(ranges.order(rows["uid"].combine_chunks()), ranges.groups)
        write_slices(f"{task.output}-{number:04d}.arrow", rows, receivers, ranges.groups)
        receipt.rows_in += read.num_rows
        receipt.rows_out += rows.num_rows
    return receipt.check()


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


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
        with ParquetSink(storage.join(task.output, list_name(number)), rows.schema) as sink:
            for batch in rows.slice(start, end - start).combine_chunks().to_batches():
                sink.write(batch)
        receipt.rows_out += sink.rows
        receipt.outputs.append(sink.output())
    return receipt
