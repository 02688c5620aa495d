"""The search for near duplicates by embedding: images go to the task of their cell, plan after plan.

An image is dropped if it is near an image that stays (`alike.py`). Under each plan the images that stay are compared
within other cells (`cells.py`). An image that was dropped goes where its leader goes: if the leader is dropped there,
the image is compared again. So each image that is dropped at the end is near one that stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.exchange import iter_slices
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.images.ranges import Ranges, list_name, top_bits
from curation.shards.alike import Staying
from curation.shards.cells import Cells, receivers_of
from curation.shards.duplicates import DROPPED, FIXED
from curation.shards.keyed_join import SliceWriter
from curation.shards.selection import CHOSEN
from curation.shards.stored_vectors import from_bytes, read_vectors

RECEIVER_IMAGES = 25_000
"""Images of a task on average: about 50 MB of vectors with 1,024 numbers."""
MAX_RECEIVERS = 1024
CHUNK_BYTES = 48 << 20
"""Vectors that a task holds, a few times over: a task with more reads its slices several times."""
IN_CELL = pa.schema(
    [
        pa.field("cell", pa.int64(), nullable=False),
        pa.field("pixels", pa.int64(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("leader", pa.string(), nullable=False),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)
"""An image on its way to its cell; `leader` is the uid of the image for which it was dropped, "" while it stays."""
_HEADS = [name for name in IN_CELL.names if name != "vector"]
_BY_QUALITY = [("cell", "ascending"), ("pixels", "descending"), ("order", "ascending"), ("uid", "ascending")]
_BATCH = 2048


@dataclass(frozen=True)
class DealTask:
    """A group of ranges: the folders of its candidates, survivors and vectors, and the prefix of slices to write."""

    group: int
    candidates: str
    survivors: str
    vectors: str
    pivots: str
    prefix: str
    receivers: int


@dataclass(frozen=True)
class CellsTask:
    """The receiver of some cells of plan number `plan`: the folder of its slices, and the prefix of slices to write.

    These are for the receivers of the next plan; under the last plan the dropped images, for the groups.
    """

    receiver: int
    plan: int
    is_last: bool
    images: str
    pivots: str
    prefix: str
    receivers: int


def count_receivers(images: int) -> int:
    """Return how many tasks so many images need."""
    return max(1, min(MAX_RECEIVERS, -(-images // RECEIVER_IMAGES)))


def deal_images(task: DealTask, ranges: Ranges) -> Receipt:
    """Send the survivors of a group that have a vector to the tasks of their cells under the first plan."""
    receipt = Receipt(task.prefix)
    cells, out = Cells.read(task.pivots, 0), SliceWriter(task.prefix, IN_CELL, task.receivers)
    for number in ranges.in_group(task.group):
        path = list_name(number)
        places = read_rows(storage.join(task.survivors, path), CHOSEN, ["place"])["place"]
        columns = ["original_width", "original_height", "order", "uid"]
        rows = read_rows(storage.join(task.candidates, path), CANDIDATES, columns).take(places)
        receipt.rows_in += rows.num_rows
        vectors = read_vectors(storage.join(task.vectors, path), places)
        known = vectors.is_valid()
        rows, vectors = rows.filter(known), vectors.filter(known)
        receipt.facts["compared"] += rows.num_rows
        pixels = pc.multiply(rows["original_width"].cast(pa.int64()), rows["original_height"].cast(pa.int64()))
        heads = [pixels, rows["order"], rows["uid"], pa.array([""] * rows.num_rows)]
        add_images(out, cells, [_one_chunk(each) for each in heads], vectors, task.receivers)
    out.close()
    receipt.rows_out = receipt.rows_in
    return receipt


def add_images(out: SliceWriter, cells: Cells, heads: list[pa.Array], vectors: pa.Array, receivers: int) -> None:
    """Add images to slices by their cells; `heads` are pixels, order, uid and leader."""
    for start in range(0, len(vectors), _BATCH):
        mine = vectors.slice(start, _BATCH)
        numbers = cells.of(from_bytes(mine.to_pylist()))
        columns = [pa.array(numbers), *(head.slice(start, _BATCH) for head in heads), mine]
        _add(out, pa.RecordBatch.from_arrays(columns, schema=IN_CELL), numbers, receivers)


def search_cells(task: CellsTask, ranges: Ranges, cosine: float) -> Receipt:
    """Find the near duplicates within each cell of a receiver, and send the images to their cells of the next plan.

    Under the last plan, the dropped uids are sent to their groups. The fact `not_compared` counts images that stay
    without being compared with later ones.
    """
    receipt = Receipt(task.prefix)
    if task.is_last:
        out = SliceWriter(task.prefix, DROPPED, ranges.groups)
    else:
        out = SliceWriter(task.prefix, IN_CELL, task.receivers)
    following = None if task.is_last else Cells.read(task.pivots, task.plan + 1)
    staying, cell = Staying(cosine), -1
    next_cells: dict[str, int] = {}
    for rows in _chunks(task):
        receipt.rows_in += rows.num_rows
        vectors = from_bytes(rows["vector"].to_pylist())
        uids, leaders = rows["uid"].to_pylist(), rows["leader"].to_pylist()
        numbers = rows["cell"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=-1)) if len(numbers) else np.zeros(0, np.int64)
        starts = np.union1d(starts, [0]) if len(numbers) else starts
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(numbers)], strict=True):
            if numbers[start] != cell:
                receipt.facts["not_compared"] += staying.not_compared
                staying, cell, next_cells = Staying(cosine), int(numbers[start]), {}
            mine = slice(start, end)
            fixed = [uid.startswith(FIXED) for uid in uids[mine]]
            leaders[mine] = staying.take(uids[mine], leaders[mine], vectors[mine], fixed)
            if following:
                own = following.of(vectors[mine])
                sent = _with_leaders(uids[mine], leaders[mine], own, next_cells)
                head = rows.slice(start, end - start)
                columns = [pa.array(sent), head["pixels"], head["order"], head["uid"], pa.array(leaders[mine])]
                columns = [_one_chunk(each) for each in [*columns, head["vector"]]]
                _add(out, pa.RecordBatch.from_arrays(columns, schema=IN_CELL), sent, task.receivers)
        if task.is_last:
            _drop(out, rows, leaders, ranges)
    receipt.facts["not_compared"] += staying.not_compared
    out.close()
    receipt.rows_out = receipt.rows_in
    return receipt


def _with_leaders(uids: list[str], leaders: list[str], own: np.ndarray, known: dict[str, int]) -> np.ndarray:
    """Return the next cell of each image: its own, or that of its leader, which stands before it in the same cell."""
    sent = own.copy()
    for place, (uid, leader) in enumerate(zip(uids, leaders, strict=True)):
        if leader:
            sent[place] = known[leader]
        else:
            known[uid] = int(own[place])
    return sent


def _drop(out: SliceWriter, rows: pa.Table, leaders: list[str], ranges: Ranges) -> None:
    dropped = [place for place, leader in enumerate(leaders) if leader]
    reasons = ["in_other_set" if leaders[place].startswith(FIXED) else "near_duplicate" for place in dropped]
    mine = rows.select(["uid", "order"]).take(pa.array(dropped, pa.int64())).combine_chunks()
    batch = pa.RecordBatch.from_arrays([_one_chunk(mine["uid"]), pa.array(reasons, pa.string())], schema=DROPPED)
    out.add(batch, top_bits(mine["order"].to_numpy(), ranges.groups), 0)


def _add(out: SliceWriter, batch: pa.RecordBatch, cells: np.ndarray, receivers: int) -> None:
    out.add(batch, receivers_of(cells, receivers), batch.nbytes)


def _chunks(task: CellsTask) -> Iterator[pa.Table]:
    """Yield the images of a receiver by cell and quality, CHUNK_BYTES at a time."""
    heads, stored_bytes = list[pa.RecordBatch](), 0
    for batch in iter_slices(task.images, task.receiver):
        heads.append(batch.select(_HEADS))
        stored_bytes += batch["vector"].nbytes
    sizes = [batch.num_rows for batch in heads]
    at_once = max(1, CHUNK_BYTES * sum(sizes) // max(1, stored_bytes))
    everything = pa.Table.from_batches(heads, pa.schema([IN_CELL.field(name) for name in _HEADS]))
    places = pc.sort_indices(everything, _BY_QUALITY).to_numpy().astype(np.int64)
    starts = np.cumsum([0, *sizes])
    for start in range(0, len(places), at_once):
        wanted = places[start : start + at_once]
        stored = np.sort(wanted)
        parts = []
        for number, batch in enumerate(iter_slices(task.images, task.receiver)):
            first, last = np.searchsorted(stored, starts[number : number + 2])
            parts.append(batch.take(pa.array(stored[first:last] - starts[number])))
        back = np.searchsorted(stored, wanted)
        yield pa.Table.from_batches(parts).take(pa.array(back))


def _one_chunk(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
