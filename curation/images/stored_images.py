"""Images that are there already, in shards that others wrote: taken from where they lie instead of fetched.

Extraction notes beside each pair where its image lies (schemas.STORED). What was curated is joined with that when the
lists are made, by ranges of the final order; the bytes themselves are read when a list is downloaded.
"""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.exchange import iter_slices
from curation.core.remote import read_range
from curation.core.schemas import STORED
from curation.images.fetch import Fetched

SLICE_ROWS = 500_000


def hold_images(files: list[str]) -> bool:
    """Whether files of pairs, which are all of one source, tell where their images lie."""
    return bool(files) and set(STORED.names) <= set(storage.read_schema(files[0]).names)


def read_places(path: str) -> Iterator[pa.Table]:
    """Yield where the images of a file of `pairs` lie: uid and STORED, each uid once in a table."""
    pending: list[pa.RecordBatch] = []
    for batch in storage.read_batches(path, ["uid", *STORED.names], 65_536):
        pending.append(batch)
        if sum(one.num_rows for one in pending) >= SLICE_ROWS:
            yield _first_of_each(pa.Table.from_batches(pending))
            pending = []
    if pending:
        yield _first_of_each(pa.Table.from_batches(pending))


def _first_of_each(rows: pa.Table) -> pa.Table:
    _, first = np.unique(rows["uid"].to_numpy(), return_index=True)
    return rows.take(pa.array(first)).combine_chunks()


def add_places(rows: pa.Table, slices: str, group: int) -> pa.Table:
    """Add the columns of STORED to the rows of a group of ranges: of several places the first in the order of files.

    Holds the places of those rows alone, however many others there are.
    """
    uids = rows["uid"].combine_chunks()
    place = np.full(rows.num_rows, -1, np.int64)
    found: list[pa.RecordBatch] = []
    count = 0
    for batch in iter_slices(slices, group):
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
    """Read one image from its place (STORED); status too_large, or unreadable where it is not there any more.

    A large one waits in `folder`, as a fetched one does.
    """
    start = time.monotonic()
    result = Fetched("success", attempts=1)
    if place["image_bytes"] > max_bytes:
        result.status, result.error = "too_large", f"{place['image_bytes']} bytes"
        return result
    try:
        body = read_range(place["image_file"], place["image_offset"], place["image_bytes"])
        if hashlib.sha256(body).hexdigest() != place["image_sha256"]:
            raise OSError(f"{place['image_file']} has changed since its pairs were extracted")
        result.keep([body], folder)
        if not result.body:
            result.status = "empty"
    except OSError as error:
        result.status, result.error = "unreadable", str(error)[:200]
    result.seconds = time.monotonic() - start
    return result
