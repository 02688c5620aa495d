"""The first filter: images that were downloaded and pass the bounds on their size; each other image has a reason."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.removal_lists import Removals, read_removals
from curation.core.schemas import CANDIDATES, DOWNLOAD_STATUS, LISTS, STORED
from curation.core.table_reader import check_file, read_rows
from curation.images.ranges import Ranges, list_name
from curation.images.status import read_status
from curation.shards.dropped import add_examples

LISTED = ["uid", "url", "text", "lang", "keep_probability", "order"]
CHOSEN = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        pa.field("place", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""An image that no step has dropped yet: its row in the candidates of its range (`place`), the row of its texts in the
list of its range (`row`; after the second balance: in the drawn rows), and its size as stored."""


@dataclass(frozen=True)
class ImageFilters:
    """Bounds on images as found, before resizing; None or 0: no bound. Sides in pixels, aspect ratio >= 1."""

    min_side: int
    max_aspect_ratio: float | None
    min_pixels: int
    max_pixels: int | None


@dataclass(frozen=True)
class SelectTask:
    """A group of ranges, the folder of its lists, the status files of each range (oldest first), the output folder."""

    group: int
    lists: str
    status: dict[str, list[str]]
    candidates: str


def check_inputs(lists: Part, status: dict[str, list[str]]) -> None:
    """Raise HeadtailError if the first list, or the first status file, is not a file of its table."""
    for path in lists.files[:1]:
        check_file(path, LISTS, STORED.names)
    for path in [path for paths in status.values() for path in paths][:1]:
        check_file(path, DOWNLOAD_STATUS)


def select_images(task: SelectTask, ranges: Ranges, filters: ImageFilters, removals: tuple[str, ...] = ()) -> Receipt:
    """Join the lists of a group of ranges with the status of each image, filter, and write a file for each range.

    Reasons: not_attempted, not_downloaded, small_side, aspect_ratio, few_pixels, many_pixels. Images of the lists
    `removals` are no examples.
    """
    receipt, hidden = Receipt(f"images of group {task.group}"), read_removals(removals)
    for number in ranges.in_group(task.group):
        listed = read_list(task.lists, number, LISTED)
        receipt.rows_in += listed.num_rows
        status = read_status(task.status.get(str(number), []))
        rows = _join(listed, status, task.group, receipt, ranges.seed, hidden)
        rows = _filter(rows, filters, receipt)
        receipt.rows_out += rows.num_rows
        write_rows(storage.join(task.candidates, list_name(number)), rows)
    return receipt


def read_list(folder: str, number: int, columns: list[str]) -> pa.Table:
    """Return columns of the download list of a range."""
    return read_rows(storage.join(folder, list_name(number)), LISTS, columns, STORED.names)


def write_survivors(folder: str, number: int, rows: pa.Table) -> dict[str, Any]:
    """Write the survivors of a range; return the output: range, path, rows, and the largest image in bytes."""
    output = write_rows(storage.join(folder, list_name(number)), rows)
    return {"range": number, **output, "largest": pc.max(rows["bytes"]).as_py() or 0}


def _join(listed: pa.Table, status: pa.Table, group: int, receipt: Receipt, seed: int, hidden: Removals) -> pa.Table:
    place = pc.index_in(listed["uid"], status["uid"].combine_chunks())
    count = listed.num_rows
    listed = listed.append_column("row", pa.array(np.arange(count, dtype=np.int32)))
    listed = listed.append_column("group", pa.array(np.full(count, group, np.int32)))
    attempted = place.is_valid()
    receipt.drops["not_attempted"] += _count_false(attempted)
    missing = listed["uid"].filter(pc.invert(attempted))
    add_examples(receipt, "not_attempted", missing.filter(pa.array(~hidden.mask({"uid": missing}))), seed)
    listed, status = listed.filter(attempted), status.take(place.filter(attempted))
    downloaded = pc.equal(status["status"], "success")
    receipt.drops["not_downloaded"] += _count_false(downloaded)
    listed, status = listed.filter(downloaded), status.filter(downloaded)
    columns = [(listed if name in listed.column_names else status)[name] for name in CANDIDATES.names]
    return pa.table(columns, CANDIDATES)


def _count_false(mask: pa.ChunkedArray) -> int:
    return pc.sum(pc.invert(mask)).as_py() or 0


def _filter(rows: pa.Table, filters: ImageFilters, receipt: Receipt) -> pa.Table:
    kept = np.ones(rows.num_rows, bool)
    for reason, dropped in size_faults(rows, filters).items():
        receipt.drops[reason] += int(dropped.sum())
        kept &= ~dropped
    return rows.filter(pa.array(kept))


def size_faults(rows: pa.Table, filters: ImageFilters) -> dict[str, np.ndarray]:
    """Return by reason which images it drops, bool; an image has one reason at most, the first that holds.

    Reads original_width and original_height.
    """
    width = rows["original_width"].to_numpy().astype(np.int64)
    height = rows["original_height"].to_numpy().astype(np.int64)
    shorter, pixels = np.minimum(width, height), width * height
    reasons = {
        "small_side": shorter < filters.min_side,
        "aspect_ratio": np.maximum(width, height) > (filters.max_aspect_ratio or np.inf) * shorter,
        "few_pixels": pixels < filters.min_pixels,
        "many_pixels": pixels > (filters.max_pixels or np.inf),
    }
    kept, found = np.ones(rows.num_rows, bool), dict[str, np.ndarray]()
    for reason, fails in reasons.items():
        found[reason] = kept & fails
        kept &= ~fails
    return found
