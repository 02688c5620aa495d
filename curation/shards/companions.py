"""Companion tars: what belongs to the samples of a set, in tars of the same names and order, without their images.

A join of our own brings the rows of any number of files to the samples: rows and samples go into buckets by the hash of
their key, and from there to the shards, all through files (exchange.py). A task holds the samples of one bucket, and
of the rows only those that belong to them.
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
    """A bucket: the folders of slices of samples and rows, and the file of slices by shard to write."""

    bucket: int
    samples: str
    rows: str
    output: str
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


def join_bucket(task: JoinTask) -> Receipt:
    """Bring the rows of a bucket to its samples; of two rows of one key the first by hash is taken."""
    samples: dict[str, list[tuple[int, int]]] = {}
    for batch in iter_slices(task.samples, task.bucket):
        for key, shard, row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            samples.setdefault(key, []).append((shard, row))
    receipt = Receipt(task.output)
    taken: dict[str, tuple[bytes, str, bytes]] = {}
    for batch in iter_slices(task.rows, task.bucket):
        receipt.rows_in += batch.num_rows
        for place, key in enumerate(batch["key"].to_pylist()):
            if key not in samples:
                receipt.drops["fits_no_image"] += 1
                continue
            value = batch["value"][place].as_py()
            new = (order_of(value), batch["extension"][place].as_py(), value)
            if key in taken:
                receipt.drops["same_key"] += 1
            taken[key] = min(new, taken.get(key, new))
    receipt.rows_out = len(taken)
    found = [(shard, row, *taken[key][1:]) for key in taken for shard, row in samples[key]]
    columns = [[each[index] for each in found] for index in (1, 2, 3)]
    receivers = np.array([each[0] for each in found], np.int64)
    write_slices(task.output, pa.table(columns, schema=_JOINED), receivers, task.shards)
    return receipt


def write_companion(task: CompanionTask) -> Receipt:
    """Write a companion tar in the order of its shard; a sample without a row has no member.

    If an earlier run has written the receipt, the tar is complete and stays as it is.
    """
    if storage.exists(task.receipt):
        return Receipt.from_json(json.dumps(storage.read_json(task.receipt)))
    uids = read_rows(task.sidecar, SAMPLES, ["uid"])["uid"].to_pylist()
    values: dict[int, tuple[bytes, str, bytes]] = {}
    twice = 0
    for batch in iter_slices(task.joined, task.shard):
        for row, extension, value in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            new = (order_of(value), extension, value)
            twice += row in values
            values[row] = min(new, values.get(row, new))
    receipt = Receipt(task.tar, len(uids), len(values))
    receipt.drops["without"] = len(uids) - len(values)
    receipt.facts["joined_by_both_keys"] = twice
    digest, size = hashlib.sha256(), 0
    with storage.AtomicFile(task.tar) as file, ExitStack() as stack:
        tars: dict[str, BinaryIO] = {}
        for row in sorted(values):
            for extension, data in _members(*values[row][1:], tars, stack):
                block = member(f"{uids[row]}.{extension}", data, COMPANION_NAME)
                digest.update(block)
                size += file.write(block)
        digest.update(end(size))
        size += file.write(end(size))
    output = {"path": task.tar, "rows": len(values), "bytes": size, "sha256": digest.hexdigest()}
    receipt.outputs.append(output)
    storage.write_bytes(task.receipt, receipt.to_json().encode())
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
