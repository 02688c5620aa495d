"""Companion tars: what belongs to the samples of a set, in tars of the same names and order, without their images.

The join (keyed_join.py) brings the rows of any number of files to the shards of their samples, in bounded memory.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.core.tar_writer import COMPANION_NAME, end, member
from curation.shards.array_attachments import ArrayFile, read_array
from curation.shards.attachments import Attached, Place, read_attached
from curation.shards.joined import Joined
from curation.shards.keyed_join import SliceWriter, buckets_of, done_once, given_schema, order_of, write_keys

BATCH_ROWS = 1024
BATCH_BYTES = 8 << 20
_GIVEN = given_schema(pa.schema([("extension", pa.string()), ("value", pa.binary())]))


@dataclass(frozen=True)
class DealSamplesTask:
    """A side-car, the number of its shard, and the prefix of the files of slices to write."""

    sidecar: str
    shard: int
    prefix: str
    buckets: int


@dataclass(frozen=True)
class DealRowsTask:
    """A file of rows, the file of its keys if it has none itself, and the prefix of the files of slices to write.

    `array` is the array of an `.npz` file.
    """

    path: str
    metadata: str
    prefix: str
    receipt: str
    buckets: int
    array: str = ""


@dataclass(frozen=True)
class CompanionTask:
    """A companion tar and its side-car, folder and number of the joined slices, and the receipt to write."""

    tar: str
    sidecar: str
    joined: tuple[str, int]
    receipt: str


def deal_samples(task: DealSamplesTask) -> Receipt:
    """Write the keys of a shard's samples, two for each, as slices for the buckets."""
    rows = read_rows(task.sidecar, SAMPLES, ["uid", "sha256"], further=None)
    keys = [f"u{uid}" for uid in rows["uid"].to_pylist()] + [f"s{digest}" for digest in rows["sha256"].to_pylist()]
    places = np.tile(np.arange(rows.num_rows), 2)
    write_keys(task.prefix, [(keys, task.shard, places)], task.buckets)
    return Receipt(task.prefix, rows.num_rows, rows.num_rows)


@done_once
def deal_rows(task: DealRowsTask) -> Receipt:
    """Write the rows of a file as slices for the buckets."""
    receipt = Receipt(task.path)
    if task.array:
        rows = read_array(ArrayFile(task.path, task.metadata), task.array, receipt.facts)
    else:
        rows = read_attached(task.path, task.metadata, receipt.facts)
    deal(rows, task.prefix, task.buckets)
    receipt.rows_in = receipt.facts["rows"]
    receipt.drops["faulty_row"] = receipt.facts["faulty_rows"]
    receipt.rows_out = receipt.rows_in - receipt.drops["faulty_row"]
    return receipt


def deal(rows: Iterator[Attached], prefix: str, buckets: int, table: int = 0) -> None:
    """Write rows as slices for the buckets."""
    out = SliceWriter(prefix, _GIVEN, buckets)
    held: list[Attached] = []
    size = 0

    def write() -> None:
        keys, values = [row.key for row in held], [row.value for row in held]
        tables, sizes = np.full(len(held), table, np.int16), np.array([*map(len, values)], np.int32)
        columns = [keys, tables, [*map(order_of, values)], sizes, [row.extension for row in held], values]
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _GIVEN.types, strict=True)]
        out.add(pa.RecordBatch.from_arrays(arrays, schema=_GIVEN), buckets_of(keys, buckets), size)

    for row in rows:
        held.append(row)
        size += len(row.value)
        if len(held) == BATCH_ROWS or size >= BATCH_BYTES:
            write()
            held, size = [], 0
    write()
    out.close()


@done_once
def write_companion(task: CompanionTask) -> Receipt:
    """Write a companion tar in the order of its shard; a sample without a row has no member."""
    uids = read_rows(task.sidecar, SAMPLES, ["uid"], further=None)["uid"].to_pylist()
    joined = Joined(task.joined, len(uids))
    receipt = Receipt(task.tar, len(uids))
    receipt.facts["joined_by_both_keys"] = sum(joined.further_keys.values())
    digest, size = hashlib.sha256(), 0
    with storage.AtomicFile(task.tar) as file, ExitStack() as stack:
        tars: dict[str, BinaryIO] = {}
        for _, _, values in joined.windows():
            columns = (values[name].to_pylist() for name in ("row", "extension", "value")) if values else ((), (), ())
            for row, extension, value in zip(*columns, strict=True):
                receipt.rows_out += 1
                for ending, data in _members(extension, value, tars, stack):
                    block = member(f"{uids[row]}.{ending}", data, COMPANION_NAME)
                    digest.update(block)
                    size += file.write(block)
        digest.update(end(size))
        size += file.write(end(size))
    receipt.drops["without"] = len(uids) - receipt.rows_out
    output = {"path": task.tar, "rows": receipt.rows_out, "bytes": size, "sha256": digest.hexdigest()}
    receipt.outputs.append(output)
    return receipt


MAX_OPEN = 32


def _members(extension: str, value: bytes, tars: dict[str, BinaryIO], stack: ExitStack) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a row; those of other tars are read where they lie."""
    if extension:
        yield extension, value
        return
    for place in msgspec.json.decode(value, type=list[Place]):
        if place.path not in tars:
            if len(tars) >= MAX_OPEN:
                tars.pop(next(iter(tars))).close()
            tars[place.path] = stack.enter_context(storage.open_input(place.path))
        tars[place.path].seek(place.offset)
        data = tars[place.path].read(place.size)
        if len(data) != place.size:
            raise OSError(f"{place.path} has become shorter: a member at {place.offset:,} is incomplete")
        yield place.extension, data
