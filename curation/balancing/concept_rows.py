"""Rows of concept tables on their way to the images: dealt by uid, as files of slices, in bounded memory.

The uids of a bucket of `matches` are cut into equal ranges, few enough for memory. Slice number b * cuts + c of a file
holds the rows of range c of bucket b. The columns are the halves of the uid (packed_uids.py) and the ids, sorted, each
once.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.balancing.concept_tables import IDS, UID, ConceptTable, open_concept_file, read_concepts
from curation.balancing.packed_uids import PackedUids, pack_uids
from curation.balancing.weighted_ids import BITS
from curation.core import storage
from curation.core.beats import watch
from curation.core.errors import HeadtailError
from curation.core.exchange import FAST, SUFFIX, write_batches
from curation.core.receipts import Receipt

BATCH_ROWS = 65_536
FLUSH_BYTES = 64 << 20
"""A task holds so many bytes of rows, and writes a file of them."""
SPLIT_BYTES = 128 << 20
"""A task reads so much of a file, in whole row groups."""
CUT_BYTES, CUT_IMAGES = 32 << 20, 1 << 20
"""A range of a bucket has about so many bytes of a table, and so many images, at most."""
ROW_BYTES = 16
"""A row in memory without its ids."""
TASK_FILES = 128
"""A task opens at most so many files."""
MAX_SLICES = 1 << 16
SHORT = 32
"""Ids of one image that are sorted by insertion."""


def ids_type(weighted: bool) -> pa.DataType:
    """Return the type of the ids of an image; those with weights are packed (weighted_ids.py)."""
    return pa.list_(pa.int64() if weighted else pa.int32())


def rows_schema(weighted: bool) -> pa.Schema:
    """Return the columns of a slice."""
    return pa.schema([("high", pa.uint64()), ("low", pa.uint32()), ("ids", ids_type(weighted))])


@dataclass(frozen=True)
class UidRanges:
    """The ranges of uids: those of `buckets` files of matches, each cut into `cuts`."""

    buckets: int
    cuts: int

    @classmethod
    def of(cls, sizes: Iterable[int], buckets: int, images: int) -> "UidRanges":
        """Return the ranges for tables of these sizes in memory (`measure_concepts`), and for so many images.

        >>> UidRanges.of([600 << 20, 3 << 20], 4, 1000)
        UidRanges(buckets=4, cuts=5)
        """
        largest = max(sizes)
        wanted = max(-(-largest // (CUT_BYTES * buckets)), -(-images // (CUT_IMAGES * buckets)), 1)
        return cls(buckets, min(wanted, max(1, MAX_SLICES // buckets)))

    def slices_of(self, high: np.ndarray) -> np.ndarray:
        """Return the range of each uid, int32, by its first 64 bits."""
        return _slices(
            high, np.array([self._start(bucket) for bucket in range(self.buckets + 1)], np.uint64), self.cuts
        )

    def _start(self, bucket: int) -> int:
        """Return the first 32 bits with which the uids of a bucket begin."""
        return -(-bucket * 65536 // self.buckets) << 16


@numba.njit(cache=True, nogil=True)
def _slices(high: np.ndarray, starts: np.ndarray, cuts: int) -> np.ndarray:
    """Return bucket * cuts + cut; the bucket is that of buckets_of (curation/matching/buckets.py)."""
    out = np.empty(len(high), np.int32)
    buckets = np.uint64(len(starts) - 1)
    for row in range(len(high)):
        bucket = ((high[row] >> np.uint64(48)) * buckets) >> np.uint64(16)
        within = (high[row] >> np.uint64(32)) - starts[bucket]
        cut = within * np.uint64(cuts) // (starts[bucket + np.uint64(1)] - starts[bucket])
        out[row] = bucket * np.uint64(cuts) + cut
    return out


@dataclass(frozen=True)
class MeasureConceptsTask:
    """Files of a namespace, whose rows are to be measured."""

    name: str
    paths: tuple[str, ...]
    weighted: bool


def plan_measuring(table: ConceptTable) -> list[MeasureConceptsTask]:
    """Return tasks that cover the files of a table."""
    paths = tuple(file.path for file in table.files)
    return [
        MeasureConceptsTask(table.name, paths[start : start + TASK_FILES], table.weighted)
        for start in range(0, len(paths), TASK_FILES)
    ]


def measure_concepts(task: MeasureConceptsTask) -> Receipt:
    """Return the size of the rows as they are joined, by the footers, as the fact `bytes`.

    A compressed file tells nothing of it: 150,000 images with the same 1,000 ids are 2.6 MB, and 600 MB of ids.
    """
    receipt = Receipt(task.paths[0])
    watch(receipt)
    for path in task.paths:
        with open_concept_file(task.name, path) as opened:
            ids = opened.count_values(IDS)
            receipt.facts["bytes"] += ROW_BYTES * sum(opened.group_rows) + ids * (8 if task.weighted else 4)
    return receipt


@dataclass(frozen=True)
class DealConceptsTask:
    """Files of a namespace, or row groups `groups` of one, [first, end); the prefix of the files of slices to write."""

    name: str
    paths: tuple[str, ...]
    size: int
    weighted: bool
    groups: tuple[int, ...]
    prefix: str


def plan_dealing(table: ConceptTable, folder: str) -> list[DealConceptsTask]:
    """Return the tasks of a table: small files together up to SPLIT_BYTES, several for a file above it.

    A task writes all slices, most of them empty where it has few rows: one for each small file would write more of
    them than rows.
    """
    return [
        DealConceptsTask(
            table.name,
            tuple(file.path for file in files),
            table.size,
            table.weighted,
            groups,
            storage.join(folder, f"{place:06d}-{part:04d}"),
        )
        for place, files in enumerate(_gathered(table.files))
        for part, groups in enumerate(_split(table.name, files[0]) if len(files) == 1 else [()])
    ]


def _gathered(files: Iterable[storage.FileInfo]) -> Iterator[list[storage.FileInfo]]:
    """Yield the files in their order, those beside each other together: TASK_FILES and SPLIT_BYTES at most, or one."""
    held: list[storage.FileInfo] = []
    size = 0
    for file in files:
        more = max(file.size, 0)
        if held and (len(held) == TASK_FILES or size + more > SPLIT_BYTES):
            yield held
            held, size = [], 0
        held.append(file)
        size += more
    if held:
        yield held


def _split(name: str, file: storage.FileInfo) -> list[tuple[int, ...]]:
    parts = -(-file.size // SPLIT_BYTES)
    if parts <= 1:
        return [()]
    with open_concept_file(name, file.path) as opened:
        groups = len(opened.group_rows)
    borders = np.unique(np.linspace(0, groups, min(parts, groups) + 1).astype(int)).tolist()
    return list(itertools.pairwise(borders))


def deal_concepts(task: DealConceptsTask, ranges: UidRanges) -> Receipt:
    """Deal the rows of files to the ranges of their uids. Raises HeadtailError for rows that mean nothing."""
    receipt = Receipt(task.prefix)
    watch(receipt)
    held: list[tuple[PackedUids, pa.ListArray]] = []
    size = files = 0
    groups = range(*task.groups) if task.groups else None
    for path in task.paths:
        for batch in read_concepts(task.name, path, task.size, task.weighted, groups, BATCH_ROWS):
            try:
                held.append((pack_uids(batch[UID]), batch[IDS]))
            except ValueError as error:
                raise HeadtailError(f"concepts.{task.name}: {path} cannot be joined: {error}") from error
            receipt.rows_in += batch.num_rows
            size += ROW_BYTES * batch.num_rows + batch[IDS].nbytes
            if size >= FLUSH_BYTES:
                _write(held, task, ranges, files)
                held, size, files = [], 0, files + 1
    if held:
        _write(held, task, ranges, files)
    receipt.rows_out = receipt.rows_in
    return receipt


def _write(held: list[tuple[PackedUids, pa.ListArray]], task: DealConceptsTask, ranges: UidRanges, number: int) -> None:
    high, low = (np.concatenate([getattr(uids, name) for uids, _ in held]) for name in ("high", "low"))
    lists = pa.concat_arrays([ids for _, ids in held])
    slices = ranges.slices_of(high)
    count = ranges.buckets * ranges.cuts
    starts, high, low, offsets, ids = _sorted_rows(
        slices, count, high, low, lists.offsets.to_numpy(), lists.values.to_numpy(), BITS if task.weighted else 0
    )
    schema = rows_schema(task.weighted)
    batches = (
        pa.record_batch(
            [
                pa.array(high[first:end]),
                pa.array(low[first:end]),
                pa.ListArray.from_arrays(
                    pa.array((offsets[first : end + 1] - offsets[first]).astype(np.int32)),
                    pa.array(ids[offsets[first] : offsets[end]]),
                ),
            ],
            schema=schema,
        )
        for first, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    )
    write_batches(f"{task.prefix}-{number:06d}{SUFFIX}", schema, batches, FAST)


@numba.njit(cache=True, nogil=True)
def _sorted_rows(
    slices: np.ndarray, count: int, high: np.ndarray, low: np.ndarray, offsets: np.ndarray, ids: np.ndarray, shift: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows in the order of their slices, the ids of each sorted and once; an id is shifted by `shift` bits.

    Returns starts int64[count + 1] of the slices, high, low, offsets int64[n + 1] and ids.
    """
    rows = len(slices)
    starts = np.zeros(count + 1, np.int64)
    for row in range(rows):
        starts[slices[row] + 1] += 1
    for each in range(count):
        starts[each + 1] += starts[each]
    places = starts[:-1].copy()
    order = np.empty(rows, np.int32)
    for row in range(rows):
        order[places[slices[row]]] = row
        places[slices[row]] += 1
    new_high, new_low = np.empty(rows, np.uint64), np.empty(rows, np.uint32)
    new_offsets, new_ids = np.zeros(rows + 1, np.int64), np.empty(len(ids), ids.dtype)
    for place in range(rows):
        row = order[place]
        new_high[place], new_low[place] = high[row], low[row]
        at, size = new_offsets[place], offsets[row + 1] - offsets[row]
        for k in range(size):
            new_ids[at + k] = ids[offsets[row] + k]
        new_offsets[place + 1] = at + _sort_once(new_ids, at, at + size, shift)
    return starts, new_high, new_low, new_offsets, new_ids[: new_offsets[rows]]


@numba.njit(cache=True, nogil=True)
def _sort_once(ids: np.ndarray, start: int, end: int, shift: int) -> int:
    """Sort ids[start:end] in place, move each different id to the front, and return how many there are.

    Of several of one id, which differ in the bits below `shift`, the largest stays.
    """
    if end - start > SHORT:
        ids[start:end].sort()
    else:
        for at in range(start + 1, end):
            value, place = ids[at], at
            while place > start and ids[place - 1] > value:
                ids[place] = ids[place - 1]
                place -= 1
            ids[place] = value
    last = start
    for at in range(start + 1, end):
        if ids[at] >> shift != ids[last] >> shift:
            last += 1
        ids[last] = ids[at]
    return last + 1 - start if end > start else 0
