"""Which downloaded images can become samples: what arrived, and passes the bounds; every loss with its reason."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES
from curation.images.ranges import Ranges, list_name
from curation.images.status import read_status


@dataclass(frozen=True)
class ImageFilters:
    """Bounds on images as found, before resizing; None or 0: no bound. Sides in pixels, aspect ratio >= 1."""

    min_side: int = 0
    max_aspect_ratio: float | None = None
    min_pixels: int = 0
    max_pixels: int | None = None


def select_images(task: dict, ranges: Ranges, filters: ImageFilters) -> Receipt:
    """Join the lists of a group of ranges with what was downloaded, and filter.

    `task` holds group, lists (folder), status (range -> paths of status files, oldest first) and candidates (folder
    to write to, a file a range). Reasons: not_attempted, not_downloaded, small_side, aspect_ratio, few_pixels,
    many_pixels.
    """
    receipt = Receipt(f"images of group {task['group']}")
    for number in ranges.in_group(task["group"]):
        with storage.open_input(storage.join(task["lists"], list_name(number))) as file:
            listed = pq.read_table(file, columns=["uid", "url", "text", "lang", "keep_probability", "order"])
        receipt.rows_in += listed.num_rows
        rows = _join(listed, read_status(task["status"].get(str(number), [])), task["group"], receipt)
        rows = _filter(rows, filters, receipt)
        receipt.rows_out += rows.num_rows
        write_rows(storage.join(task["candidates"], list_name(number)), rows)
    return receipt


def write_rows(path: str, rows: pa.Table) -> dict:
    """Write a table to one Parquet file, atomically; return its {path, rows, bytes}."""
    with storage.ParquetSink(path, rows.schema) as sink:
        for batch in rows.to_batches():
            sink.write(batch)
    return sink.output()


def survivors_output(number: int, path: str, rows: pa.Table) -> dict:
    """Write the survivors of a range; return its output: range, path, rows, and the largest image in bytes."""
    return {"range": number, **write_rows(path, rows), "largest": pc.max(rows["bytes"]).as_py() or 0}


def _join(listed: pa.Table, status: pa.Table, group: int, receipt: Receipt) -> pa.Table:
    place = pc.index_in(listed["uid"], status["uid"].combine_chunks())
    count = listed.num_rows
    listed = listed.append_column("row", pa.array(np.arange(count, dtype=np.int32)))
    listed = listed.append_column("group", pa.array(np.full(count, group, np.int32)))
    attempted = place.is_valid()
    receipt.drops["not_attempted"] += _false(attempted)
    listed, status = listed.filter(attempted), status.take(place.filter(attempted))
    arrived = pc.equal(status["status"], "success")
    receipt.drops["not_downloaded"] += _false(arrived)
    listed, status = listed.filter(arrived), status.filter(arrived)
    columns = [(listed if name in listed.column_names else status)[name] for name in CANDIDATES.names]
    return pa.table(columns, CANDIDATES)


def _false(mask: pa.ChunkedArray) -> int:
    return pc.sum(pc.invert(mask)).as_py() or 0


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
