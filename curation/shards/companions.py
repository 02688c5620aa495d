"""Companion tars: what belongs to the samples of a set, in tars of the same names and order, without their images.

A join of our own brings the rows of any number of files to the samples: rows and samples go into buckets by the hash of
their key, and from there to the shards, all through files (exchange.py). A task holds the keys of one bucket, and which
row is taken for each; values are read again, and no more than a chunk of them is held at once.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.exchange import iter_slices, write_slices
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.core.tar_writer import COMPANION_NAME, end, member
from curation.shards.attachments import Attached, Place, order_of, read_attached

CHUNK_BYTES = 32 << 20
BUCKET_SAMPLES = 50_000
_SAMPLE_KEYS = pa.schema([("key", pa.string()), ("shard", pa.int32()), ("row", pa.int32())])
_GIVEN = pa.schema([("key", pa.string()), ("extension", pa.string()), ("value", pa.binary())])
_JOINED = pa.schema([("row", pa.int32()), ("extension", pa.string()), ("value", pa.binary())])


@dataclass(frozen=True)
class DealSamplesTask:
    """A side-car, the number of its shard, and the file of slices to write."""

    sidecar: str
    shard: int
    output: str
    buckets: int


@dataclass(frozen=True)
class DealRowsTask:
    """A file of rows, the file of its keys if it has none itself, and the prefix of the files of slices to write."""

    path: str
    metadata: str
    prefix: str
    buckets: int


@dataclass(frozen=True)
class JoinTask:
    """A bucket: the folders of slices of samples and rows, and the prefix of the files of slices by shard to write."""

    bucket: int
    samples: str
    rows: str
    prefix: str
    shards: int


@dataclass(frozen=True)
class CompanionTask:
    """A companion tar, its shard's number and side-car, the folder of joined slices, and the receipt to write."""

    tar: str
    shard: int
    sidecar: str
    joined: str
    receipt: str


def bucket_of(key: str, buckets: int) -> int:
    """Return the bucket of a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets


def deal_samples(task: DealSamplesTask) -> Receipt:
    """Write the keys of a shard's samples, two for each, as slices for the buckets."""
    rows = read_rows(task.sidecar, SAMPLES, ["uid", "sha256"])
    keys = [f"u{uid}" for uid in rows["uid"].to_pylist()] + [f"s{digest}" for digest in rows["sha256"].to_pylist()]
    places = np.tile(np.arange(rows.num_rows, dtype=np.int32), 2)
    table = pa.table([keys, np.full(len(keys), task.shard, np.int32), places], schema=_SAMPLE_KEYS)
    write_slices(task.output, table, _receivers(keys, task.buckets), task.buckets)
    return Receipt(task.output, rows.num_rows, rows.num_rows)


def deal_rows(task: DealRowsTask) -> Receipt:
    """Write the rows of a file as slices for the buckets, a file of slices for every CHUNK_BYTES."""
    receipt = Receipt(task.path)
    held: list[Attached] = []
    size = chunk = 0
    for row in read_attached(task.path, task.metadata, receipt.facts):
        held.append(row)
        size += len(row.value) + 200
        if size >= CHUNK_BYTES:
            _write_chunk(held, f"{task.prefix}-{chunk:06d}.arrow", task.buckets)
            held, size, chunk = [], 0, chunk + 1
    _write_chunk(held, f"{task.prefix}-{chunk:06d}.arrow", task.buckets)
    receipt.rows_in = receipt.facts["rows"]
    receipt.drops["faulty_row"] = receipt.facts["faulty_rows"]
    receipt.rows_out = receipt.rows_in - receipt.drops["faulty_row"]
    return receipt


def _write_chunk(rows: list[Attached], path: str, buckets: int) -> None:
    keys = [row.key for row in rows]
    columns = [keys, [row.extension for row in rows], [row.value for row in rows]]
    write_slices(path, pa.table(columns, schema=_GIVEN), _receivers(keys, buckets), buckets)


def _receivers(keys: list[str], buckets: int) -> np.ndarray:
    return np.array([bucket_of(key, buckets) for key in keys], np.int64)


Winner = tuple[bytes, int, int, int]
"""The row that is taken for a key: its order, the numbers of its batch and its row there, and its bytes."""


def join_bucket(task: JoinTask) -> Receipt:
    """Bring the rows of a bucket to its samples; of two rows of one key the first by hash is taken.

    Reads the rows twice, and holds keys and places of all, but the values of a chunk only.
    """
    samples: dict[str, list[tuple[int, int]]] = {}
    for batch in iter_slices(task.samples, task.bucket):
        for key, shard, row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            samples.setdefault(key, []).append((shard, row))
    receipt = Receipt(task.prefix)
    taken: dict[str, Winner] = {}
    for number, batch in enumerate(iter_slices(task.rows, task.bucket)):
        receipt.rows_in += batch.num_rows
        for place, (key, value) in enumerate(zip(batch["key"].to_pylist(), batch["value"].to_pylist(), strict=True)):
            if key not in samples:
                receipt.drops["fits_no_image"] += 1
                continue
            receipt.drops["same_key"] += key in taken
            new = (order_of(value), number, place, len(value))
            taken[key] = min(new, taken.get(key, new))
    receipt.rows_out = len(taken)
    found: list[tuple[int, int, str, bytes]] = []
    size = chunk = 0
    for number, batch in enumerate(iter_slices(task.rows, task.bucket)):
        columns = (batch[name].to_pylist() for name in ("key", "extension", "value"))
        for place, (key, extension, value) in enumerate(zip(*columns, strict=True)):
            if key not in taken or taken[key][1:3] != (number, place):
                continue
            for shard, row in samples[key]:
                found.append((shard, row, extension, value))
                size += len(value) + 100
                if size >= CHUNK_BYTES:
                    _write_joined(found, f"{task.prefix}-{chunk:06d}.arrow", task.shards)
                    found, size, chunk = [], 0, chunk + 1
    _write_joined(found, f"{task.prefix}-{chunk:06d}.arrow", task.shards)
    return receipt


def _write_joined(found: list[tuple[int, int, str, bytes]], path: str, shards: int) -> None:
    columns = [[each[index] for each in found] for index in (1, 2, 3)]
    receivers = np.array([each[0] for each in found], np.int64)
    write_slices(path, pa.table(columns, schema=_JOINED), receivers, shards)


def write_companion(task: CompanionTask) -> Receipt:
    """Write a companion tar in the order of its shard; a sample without a row has no member.

    If an earlier run has written the receipt, the tar is complete and stays as it is. Values are read in windows of
    the shard's order, of CHUNK_BYTES each.
    """
    if storage.exists(task.receipt) and storage.exists(task.tar):
        return Receipt.from_json(json.dumps(storage.read_json(task.receipt)))
    uids = read_rows(task.sidecar, SAMPLES, ["uid"])["uid"].to_pylist()
    taken: dict[int, Winner] = {}
    receipt = Receipt(task.tar, len(uids))
    for number, batch in enumerate(iter_slices(task.joined, task.shard)):
        for place, (row, value) in enumerate(zip(batch["row"].to_pylist(), batch["value"].to_pylist(), strict=True)):
            new = (order_of(value), number, place, len(value))
            receipt.facts["joined_by_both_keys"] += row in taken
            taken[row] = min(new, taken.get(row, new))
    receipt.rows_out = len(taken)
    receipt.drops["without"] = len(uids) - len(taken)
    digest, size = hashlib.sha256(), 0
    with storage.AtomicFile(task.tar) as file, ExitStack() as stack:
        tars: dict[str, BinaryIO] = {}
        for window in _windows(taken):
            values = _values_of(task, window)
            for row in sorted(values):
                for extension, data in _members(*values[row], tars, stack):
                    block = member(f"{uids[row]}.{extension}", data, COMPANION_NAME)
                    digest.update(block)
                    size += file.write(block)
        digest.update(end(size))
        size += file.write(end(size))
    output = {"path": task.tar, "rows": len(taken), "bytes": size, "sha256": digest.hexdigest()}
    receipt.outputs.append(output)
    storage.write_bytes(task.receipt, receipt.to_json().encode())
    return receipt


def _windows(taken: dict[int, Winner]) -> Iterator[dict[int, Winner]]:
    """Yield the rows in order, as many at a time as have CHUNK_BYTES together."""
    window: dict[int, Winner] = {}
    size = 0
    for row in sorted(taken):
        window[row] = taken[row]
        size += taken[row][3]
        if size >= CHUNK_BYTES:
            yield window
            window, size = {}, 0
    if window:
        yield window


def _values_of(task: CompanionTask, window: dict[int, Winner]) -> dict[int, tuple[str, bytes]]:
    """Return extension and value of each row of a window."""
    values = {}
    for number, batch in enumerate(iter_slices(task.joined, task.shard)):
        rows = batch["row"].to_pylist()
        wanted = [place for place, row in enumerate(rows) if row in window and window[row][1:3] == (number, place)]
        mine = batch.take(pa.array(wanted, pa.int64()))
        for row, extension, value in zip(*(column.to_pylist() for column in mine.columns), strict=True):
            values[row] = extension, value
    return values


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
