"""Which downloaded images become samples: filters, removals, duplicates; every loss with its reason."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import storage
from curation.draws import hash64
from curation.exchange import read_slices, write_slices
from curation.images import read_status
from curation.lists import Ranges, list_name, top_bits
from curation.receipts import Receipt
from curation.schemas import DOWNLOAD_STATUS

_FROM_STATUS = (
    "sha256", "source_bytes", "original_width", "original_height", "width", "height", "ext", "offset", "bytes",
)  # fmt: skip
CANDIDATES = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
        *(DOWNLOAD_STATUS.field(name).with_nullable(False) for name in _FROM_STATUS),
    ]
)
"""A downloaded image on its way to a sample: `row` is its row in its list, `generation` the index of its tar."""
HASHES = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("pixels", pa.int64(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
    ]
)
LOSERS = pa.schema([HASHES.field("order"), HASHES.field("uid")])


@dataclass(frozen=True)
class ImageFilters:
    """Bounds on images as found, before resizing; None or 0: no bound. Sides in pixels, aspect ratio >= 1."""

    min_side: int = 0
    max_aspect_ratio: float | None = None
    min_pixels: int = 0
    max_pixels: int | None = None


def select_images(task: dict, ranges: Ranges, filters: ImageFilters) -> Receipt:
    """Join the lists of a group of ranges with what was downloaded, and filter.

    `task` holds group, lists (folder), status (range -> paths of status files, oldest first), candidates (folder to
    write to), hashes (path of slices to write). Reasons: not_attempted, not_downloaded, small_side, aspect_ratio,
    few_pixels, many_pixels.
    """
    receipt = Receipt(f"images of group {task['group']}")
    found = []
    for number in ranges.in_group(task["group"]):
        with storage.open_input(storage.join(task["lists"], list_name(number))) as file:
            listed = pq.read_table(file, columns=["uid", "order"])
        receipt.rows_in += listed.num_rows
        rows = _join(listed, read_status(task["status"].get(str(number), [])), receipt)
        rows = _filter(rows, filters, receipt)
        receipt.rows_out += rows.num_rows
        with storage.ParquetSink(storage.join(task["candidates"], list_name(number)), CANDIDATES) as sink:
            for batch in rows.to_batches():
                sink.write(batch)
        found.append(_hashes(rows))
    hashes = pa.concat_tables(found).combine_chunks()
    keys = hash64(0, "duplicates", _chunk(hashes["sha256"]))
    write_slices(task["hashes"], hashes, top_bits(keys, ranges.groups), ranges.groups)
    return receipt


def _join(listed: pa.Table, status: pa.Table, receipt: Receipt) -> pa.Table:
    place = pc.index_in(listed["uid"], _chunk(status["uid"]))
    listed = listed.append_column("row", pa.array(np.arange(listed.num_rows, dtype=np.int32)))
    attempted = place.is_valid()
    receipt.drops["not_attempted"] += pc.sum(pc.invert(attempted)).as_py() or 0
    listed, status = listed.filter(attempted), status.take(place.filter(attempted))
    arrived = pc.equal(status["status"], "success")
    receipt.drops["not_downloaded"] += pc.sum(pc.invert(arrived)).as_py() or 0
    listed, status = listed.filter(arrived), status.filter(arrived)
    columns = [(listed if name in listed.column_names else status)[name] for name in CANDIDATES.names]
    return pa.table(columns, CANDIDATES)


def _filter(rows: pa.Table, filters: ImageFilters, receipt: Receipt) -> pa.Table:
    width = rows["original_width"].to_numpy().astype(np.int64)
    height = rows["original_height"].to_numpy().astype(np.int64)
    shorter, pixels = np.minimum(width, height), width * height
    tests = {
        "small_side": shorter < filters.min_side,
        "aspect_ratio": np.maximum(width, height) > (filters.max_aspect_ratio or np.inf) * shorter,
        "few_pixels": pixels < filters.min_pixels,
        "many_pixels": pixels > (filters.max_pixels or np.inf),
    }
    kept = np.ones(rows.num_rows, bool)
    for reason, fails in tests.items():
        receipt.drops[reason] += int((kept & fails).sum())
        kept &= ~fails
    return rows.filter(pa.array(kept))


def _hashes(rows: pa.Table) -> pa.Table:
    pixels = pc.multiply(rows["original_width"].cast(pa.int64()), rows["original_height"].cast(pa.int64()))
    return pa.table([rows["sha256"], pixels, rows["order"], rows["uid"]], HASHES)


def find_duplicates(task: dict, ranges: Ranges) -> Receipt:
    """Find the images that lose to an equal one, among all whose key falls to this receiver.

    `task` holds receiver, hashes (folder of slices) and losers (path of slices to write, one for each group). Of
    images with the same sha256 the first in the final order stays.
    """
    rows = read_slices(task["hashes"], task["receiver"])
    rows = rows.sort_by([("sha256", "ascending"), ("order", "ascending"), ("uid", "ascending")])
    losers = rows.filter(pa.array(repeats(_chunk(rows["sha256"])))).select(LOSERS.names)
    groups = top_bits(losers["order"].to_numpy(), ranges.groups)
    write_slices(task["losers"], losers, groups, ranges.groups)
    return Receipt(f"duplicates {task['receiver']}", rows_in=rows.num_rows, rows_out=rows.num_rows)


def repeats(values: pa.Array) -> np.ndarray:
    """Whether each value of a sorted array is equal to the one before it.

    >>> repeats(pa.array(["a", "a", "b"])).tolist()
    [False, True, False]
    """
    same = np.zeros(len(values), bool)
    if len(values) > 1:
        same[1:] = pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return same


def keep_images(task: dict, ranges: Ranges) -> Receipt:
    """Take the losers out of a group's candidates and write who stays, in the final order.

    `task` holds group, candidates and survivors (folders), losers (folder of slices). One output a range, rows in
    the final order. Reasons: duplicate_image.
    """
    losers = _chunk(read_slices(task["losers"], task["group"])["uid"])
    receipt = Receipt(f"samples of group {task['group']}")
    for number in ranges.in_group(task["group"]):
        with storage.open_input(storage.join(task["candidates"], list_name(number))) as file:
            rows = pq.read_table(file)
        receipt.rows_in += rows.num_rows
        kept = rows.filter(pc.invert(pc.is_in(rows["uid"], losers)))
        receipt.drops["duplicate_image"] += rows.num_rows - kept.num_rows
        with storage.ParquetSink(storage.join(task["survivors"], list_name(number)), CANDIDATES) as sink:
            for batch in kept.to_batches():
                sink.write(batch)
        receipt.outputs.append({"range": number, **sink.output(), "image_bytes": pc.sum(kept["bytes"]).as_py() or 0})
        receipt.rows_out += sink.rows
    return receipt


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
