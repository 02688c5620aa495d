"""Images that lie in shards of others: they are read from there instead of fetched.

Extraction writes the place of each image beside its pair (schemas.STORED). When the download lists are made, the
places are joined with the curated rows, one group of ranges after the other. The bytes are read when a list is
downloaded.
"""

import hashlib
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.credentials import cut_text
from curation.core.credentials import place as place_of
from curation.core.exchange import iter_slices
from curation.core.parts import Part
from curation.core.plain_places import is_plain_place
from curation.core.remote import read_range
from curation.core.schemas import PAIRS, STORED
from curation.core.table_reader import read_batches, read_schema
from curation.core.tables import Table
from curation.images.fetch import ERROR_CHARACTERS, Fetched

PLACES = pa.schema([PAIRS.field("uid"), *STORED])
"""The columns of `pairs` that say where images lie."""
BATCH_ROWS = 65_536
SLICE_ROWS = 500_000


def parts_with_places(pairs: Table) -> list[Part]:
    """Return the parts of `pairs` if they hold the places of their images, else none.

    The first file decides: all files of a table come from sources of the same kind.
    """
    parts = pairs.parts()
    first = next((part for part in parts if part.files), None)
    if first is None:
        return []
    columns = first.cleaned["columns"] if first.cleaned else read_schema(first.files[0]).names
    return parts if set(STORED.names) <= set(columns) else []


def divide_places(rows: pa.Table, part: str) -> tuple[pa.Table, pa.Table]:
    """Return the places (PLACES) in the shards from which a part of `pairs` was extracted, and those elsewhere.

    `part` is the path of the part. Another program that made the part could name any file or address in it.
    """
    named, inputs = pc.unique(rows["image_file"].drop_null()).to_pylist(), _inputs(part)
    strange = [path for path in named if place_of({"path": path}) not in inputs or not is_plain_place(path)]
    elsewhere = pc.is_in(rows["image_file"], pa.array(strange, pa.string()))
    return rows.filter(pc.invert(elsewhere)).combine_chunks(), rows.filter(elsewhere)


@lru_cache(4)
def _inputs(part: str) -> frozenset[str]:
    return frozenset(map(place_of, Part.read(part).inputs()))


def read_places(path: str) -> Iterator[pa.Table]:
    """Yield tables of the places of images in a file of `pairs` (PLACES), with each uid at most once in a table."""
    pending: list[pa.RecordBatch] = []
    for batch in read_batches(path, PLACES, PLACES.names, BATCH_ROWS, further=None):
        pending.append(batch)
        if sum(one.num_rows for one in pending) >= SLICE_ROWS:
            yield _first_of_each(pending)
            pending = []
    if pending:
        yield _first_of_each(pending)


def _first_of_each(batches: list[pa.RecordBatch]) -> pa.Table:
    rows = pa.Table.from_batches(batches).cast(PLACES)
    _, first = np.unique(rows["uid"].to_numpy(), return_index=True)
    return rows.take(pa.array(first)).combine_chunks()


def add_places(rows: pa.Table, folder: str, group: int) -> pa.Table:
    """Return the rows of a group of ranges with the columns of STORED, from the slices in a folder.

    Of several places of an image the first in file order is taken; rows without a place get nulls. Only the places of
    these rows are held in memory.
    """
    uids = rows["uid"].combine_chunks()
    place = np.full(rows.num_rows, -1, np.int64)  # number of a row's place among `found`
    found: list[pa.RecordBatch] = []
    count = 0
    for batch in iter_slices(folder, group):
        at = pc.index_in(uids, batch["uid"])
        new = np.flatnonzero(at.is_valid().to_numpy(zero_copy_only=False) & (place < 0))
        taken = batch.take(at.take(pa.array(new))).select(STORED.names)
        place[new] = count + np.arange(len(new))
        count += len(new)
        found.append(taken)
    known = pa.Table.from_batches(found, STORED).take(pa.array(place, mask=place < 0))
    for field in STORED:
        rows = rows.append_column(field, known[field.name])
    return rows


def take_image(place: dict[str, Any], max_bytes: int, folder: str | None = None) -> Fetched:
    """Read one image from its place (STORED). Fails as too_large, empty, or unreadable: missing or changed since.

    A large image waits in a file in `folder`, as a fetched one does.
    """
    start = time.monotonic()
    result = Fetched("success", attempts=1)
    if place["image_bytes"] > max_bytes:
        result.status, result.error = "too_large", f"{place['image_bytes']} bytes"
        return result
    try:
        if not is_plain_place(place["image_file"]):
            raise OSError("this is no place that shards are read from")
        body = read_range(place["image_file"], place["image_offset"], place["image_bytes"])
        if hashlib.sha256(body).hexdigest() != place["image_sha256"]:
            raise OSError(f"{place['image_file']} has changed since its pairs were extracted")
        result.keep([body], folder)
        if not result.body:
            result.status = "empty"
    except OSError as error:
        told = cut_text(str(error), place["image_file"])
        result.status, result.error = "unreadable", told[:ERROR_CHARACTERS]
    result.seconds = time.monotonic() - start
    return result
