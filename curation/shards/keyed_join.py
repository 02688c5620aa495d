"""A join of images with rows of others by key, through files, in bounded memory: captions, scores, companions.

Images and rows go into buckets by the hash of their key, and from there to receivers (shards, or groups of ranges), all
through files of slices (exchange.py). A task holds the keys of one bucket, which row is taken for each of them, and
CHUNK_BYTES of rows; the rows themselves are read again. So memory depends neither on the size of the tables nor on how
often a key is given. A task that has ended leaves its receipt and is not done again after a stop.
"""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.exchange import iter_slices, write_slices
from curation.core.receipts import Receipt, written_receipt

CHUNK_BYTES = 32 << 20
"""Rows that a task holds, in bytes; a slice of one file has no more."""
BUCKET_KEYS = 200_000
"""Keys of a bucket, times the tables that give them: a task takes about 350 bytes for each."""
DIRECT = 256
"""Up to this many receivers, a join writes their slices itself; above, groups of receivers get them in two steps."""
KEYS = pa.schema([("key", pa.string()), ("receiver", pa.int32()), ("row", pa.int32())])
"""A key of an image: the receiver that wants what is given for it, and the number of the image there."""
ORDER_BYTES = 16
_GIVEN = [("key", pa.string()), ("table", pa.int16()), ("order", pa.binary(ORDER_BYTES)), ("size", pa.int32())]


def given_schema(payload: pa.Schema) -> pa.Schema:
    """Return the columns of rows to join: key, number of their table, order, size in bytes, and the payload.

    Of two rows of one key and table the one with the smaller order is taken: `order_of` its content.
    """
    return pa.schema([*(pa.field(*each) for each in _GIVEN), *payload])


def order_of(value: bytes) -> bytes:
    """Return what decides between two rows of one key: the smaller is taken."""
    return hashlib.sha256(value).digest()[:ORDER_BYTES]


def bucket_of(key: str, buckets: int) -> int:
    """Return the bucket of a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets


def buckets_of(keys: Sequence[str], buckets: int) -> np.ndarray:
    """Return the bucket of each key, int64."""
    return np.array([bucket_of(key, buckets) for key in keys], np.int64)


def count_buckets(keys: int, tables: int = 1) -> int:
    """Return how many buckets so many keys need."""
    return max(1, -(-keys * tables // BUCKET_KEYS))


class SliceWriter:
    """Writes batches as files of slices, `prefix-000000.arrow` and so on, one for every CHUNK_BYTES."""

    def __init__(self, prefix: str, schema: pa.Schema, slices: int) -> None:
        self._prefix, self._schema, self._slices = prefix, schema, slices
        self._held: list[tuple[pa.RecordBatch, np.ndarray]] = []
        self._size = self._files = 0

    def add(self, batch: pa.RecordBatch, receivers: np.ndarray, size: int) -> None:
        """Add rows of `size` bytes for the slices `receivers`."""
        self._held.append((batch, receivers))
        self._size += size + 100 * batch.num_rows
        if self._size >= CHUNK_BYTES:
            self._write()

    def close(self) -> None:
        """Write what is left; there is one file at least."""
        if self._held or not self._files:
            self._write()

    def _write(self) -> None:
        table = pa.Table.from_batches([batch for batch, _ in self._held], self._schema)
        receivers = np.concatenate([numbers for _, numbers in self._held]) if self._held else np.zeros(0, np.int64)
        write_slices(f"{self._prefix}-{self._files:06d}.arrow", table, receivers, self._slices)
        self._held, self._size, self._files = [], 0, self._files + 1


def done_once(function: Callable[[Any], Receipt]) -> Callable[[Any], Receipt]:
    """Return a task that is not done again where its receipt, the file `task.receipt`, exists."""

    @functools.wraps(function)
    def work(task: Any) -> Receipt:
        if written := written_receipt(task.receipt):
            return written
        receipt = function(task).check()
        storage.write_bytes(task.receipt, receipt.to_json().encode())
        return receipt

    return work


def write_keys(prefix: str, keys: Iterable[tuple[list[str], int, np.ndarray]], buckets: int) -> str:
    """Write the keys of images as slices for the buckets; return the hash of all that was written.

    Each item has keys, their receiver, and the number of the image of each key there.
    """
    out, digest = SliceWriter(prefix, KEYS, buckets), hashlib.sha256()
    for mine, receiver, rows in keys:
        columns = [pa.array(mine, pa.string()), np.full(len(mine), receiver, np.int32), rows.astype(np.int32)]
        out.add(pa.RecordBatch.from_arrays([*map(pa.array, columns)], schema=KEYS), buckets_of(mine, buckets), 0)
        digest.update("\n".join(mine).encode())
        digest.update(columns[1])
        digest.update(columns[2])
    out.close()
    return digest.hexdigest()


def write_row_keys(
    receipt: Receipt, tables: Iterable[pa.Table], columns: Sequence[str], group: int, buckets: int
) -> Receipt:
    """Write the keys of the rows of a group's tables as `write_keys` does; rows are numbered through all tables.

    A key is the first letter of a column's name and the value. The receipt, of the files' prefix, counts the rows.
    """

    def keys() -> Iterator[tuple[list[str], int, np.ndarray]]:
        for rows in tables:
            places = np.arange(receipt.rows_in, receipt.rows_in + rows.num_rows)
            for column in columns:
                yield [f"{column[0]}{value}" for value in rows[column].to_pylist()], group, places
            receipt.rows_in += rows.num_rows

    receipt.outputs.append({"digest": write_keys(receipt.task, keys(), buckets)})
    receipt.rows_out = receipt.rows_in
    return receipt


def digest_of(dealt: Iterable[Receipt]) -> str:
    """Return the hash of all keys that tasks have written: what is joined with them is of these images only."""
    digests = [output["digest"] for receipt in dealt for output in receipt.outputs]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class JoinTask:
    """A bucket: the folders of slices of keys and rows, the prefix of the files to write, and the receipt to write.

    A file has a slice for every `width` of the receivers. `every`: all rows of a key are taken. `strict` names the
    setting by which two rows of one key and table are an error, or is empty.
    """

    bucket: int
    keys: str
    rows: str
    prefix: str
    receipt: str
    receivers: int
    width: int
    every: bool
    strict: str


@dataclass(frozen=True)
class RelayTask:
    """A group of receivers: the folder of joined slices, and the prefix of the files of their slices to write."""

    group: int
    joined: str
    prefix: str
    receipt: str
    width: int


Winner = tuple[bytes, int, int]
"""The row that is taken: its order, and the numbers of its batch and of its row there."""


@done_once
def join_bucket(task: JoinTask) -> Receipt:
    """Bring the rows of a bucket to the images that have their key; of two rows of one key and table one is taken.

    Reads the rows twice, and the images once for every CHUNK_BYTES of rows. Reasons: fits_no_image, same_key, each
    also by table: the facts `fits_no_image 0` and so on.
    """
    images = _Images(task)
    wanted = {key for batch in images for key in batch["key"].to_pylist()}
    receipt = Receipt(task.prefix)
    taken: dict[tuple[int, str], Winner] = {}
    for number, batch in enumerate(iter_slices(task.rows, task.bucket)):
        receipt.rows_in += batch.num_rows
        tables = batch["table"].to_numpy()
        keys = batch["key"].to_pylist()
        hits = [place for place, key in enumerate(keys) if key in wanted]
        _count(receipt, "fits_no_image", np.delete(tables, hits))
        orders = batch["order"].take(pa.array(hits, pa.int64())).to_pylist()
        same = []
        for place, order in zip(hits, orders, strict=True):
            key = (int(tables[place]), keys[place])
            new = (order, number, place)
            if key in taken:
                same.append(place)
            taken[key] = min(new, taken.get(key, new))
        _count(receipt, "same_key", tables[same])
        if task.every:
            receipt.rows_out += receipt.drops.pop("same_key")
        if same and task.strict:
            raise HeadtailError(f"{task.strict}=true: several rows have the key {keys[same[0]][1:]}")
    out: SliceWriter | None = None
    held: list[pa.RecordBatch] = []
    size = 0
    for number, batch in enumerate(iter_slices(task.rows, task.bucket)):
        out = out or _joined_writer(task, batch.schema)
        tables, keys = batch["table"].to_pylist(), batch["key"].to_pylist()
        places = [
            place for place, key in enumerate(keys)
            if (key in wanted if task.every else taken.get((tables[place], key), (b"", -1, -1))[1:] == (number, place))
        ]  # fmt: skip
        if not places:
            continue
        held.append(batch.take(pa.array(places, pa.int64())))
        size += held[-1].nbytes
        if size >= CHUNK_BYTES:
            _bring(task, images, held, out)
            held, size = [], 0
    if out:
        if held:
            _bring(task, images, held, out)
        out.close()
    receipt.rows_out += len(taken)
    return receipt


def _count(receipt: Receipt, reason: str, tables: np.ndarray) -> None:
    receipt.drops[reason] += len(tables)
    for table, count in zip(*np.unique(tables, return_counts=True), strict=True):
        receipt.facts[f"{reason} {table}"] += int(count)


def _joined_writer(task: JoinTask, given: pa.Schema) -> SliceWriter:
    schema = pa.schema([KEYS.field("receiver"), KEYS.field("row"), *(each for each in given if each.name != "key")])
    return SliceWriter(task.prefix, schema, -(-task.receivers // task.width))


class _Images:
    """The keys of a bucket's images: read anew for each iteration where they are more than CHUNK_BYTES.

    One file may be that of a million images: a placeholder.
    """

    def __init__(self, task: JoinTask) -> None:
        self._task, self._held = task, list[pa.RecordBatch]()
        size = 0
        for batch in iter_slices(task.keys, task.bucket):
            self._held.append(batch)
            size += batch.nbytes
            if size > CHUNK_BYTES:
                self._held = []
                break

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self._held) if self._held else iter_slices(self._task.keys, self._task.bucket)


def _bring(task: JoinTask, images: Iterable[pa.RecordBatch], held: list[pa.RecordBatch], out: SliceWriter) -> None:
    """Write rows once for each image of their key, CHUNK_BYTES at a time."""
    rows = pa.Table.from_batches(held).combine_chunks().to_batches()[0]
    sizes = rows["size"].to_pylist()
    places = defaultdict[str, list[int]](list)
    for place, key in enumerate(rows["key"].to_pylist()):
        places[key].append(place)
    rows = rows.drop_columns(["key"])
    for batch in images:
        chosen: list[tuple[int, int, int]] = []
        size = 0
        for key, receiver, row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            for place in places.get(key, ()):
                chosen.append((receiver, row, place))
                size += sizes[place]
                if size >= CHUNK_BYTES:
                    _take(rows, chosen, size, task.width, out)
                    chosen, size = [], 0
        if chosen:
            _take(rows, chosen, size, task.width, out)


def _take(rows: pa.RecordBatch, chosen: list[tuple[int, int, int]], size: int, width: int, out: SliceWriter) -> None:
    receivers, numbers, places = np.array(chosen, np.int64).T
    columns = rows.take(pa.array(places)).columns
    heads = [pa.array(each.astype(np.int32)) for each in (receivers, numbers)]
    batch = pa.RecordBatch.from_arrays([*heads, *columns], ["receiver", "row", *rows.schema.names])
    out.add(batch, receivers // width, size)


@done_once
def relay_rows(task: RelayTask) -> Receipt:
    """Deal the joined rows of a group of receivers to each of them."""
    receipt = Receipt(task.prefix)
    out: SliceWriter | None = None
    for batch in iter_slices(task.joined, task.group):
        out = out or SliceWriter(task.prefix, batch.schema, task.width)
        receivers = batch["receiver"].to_numpy() - task.group * task.width
        out.add(batch, receivers.astype(np.int64), int(batch["size"].to_numpy().sum()))
        receipt.rows_in += batch.num_rows
    if out:
        out.close()
    receipt.rows_out = receipt.rows_in
    return receipt
