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
from curation.core.exchange import PLAIN, SUFFIX, write_batches
from curation.core.input_files import FileInfo
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
"""So many ids of one image are sorted in a loop without branches; above, the loop would be slower."""


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


def _gathered(files: Iterable[FileInfo]) -> Iterator[list[FileInfo]]:
    """Yield the files in their order, those beside each other together: TASK_FILES and SPLIT_BYTES at most, or one."""
    held: list[FileInfo] = []
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


def _split(name: str, file: FileInfo) -> list[tuple[int, ...]]:
    parts = -(-file.size // SPLIT_BYTES)
    if parts <= 1:
        return [()]
    with open_concept_file(name, file.path) as opened:
        groups = len(opened.group_rows)
    borders = np.unique(np.linspace(0, groups, min(parts, groups) + 1).astype(int)).tolist()
    return list(itertools.pairwise(borders))


@dataclass(frozen=True)
class _DealtRows:
    """Rows that wait for being written: their uids, ranges (int32), and ids, sorted and once, as offsets and values."""

    uids: PackedUids
    slices: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray


def deal_concepts(task: DealConceptsTask, ranges: UidRanges) -> Receipt:
    """Deal the rows of files to the ranges of their uids. Raises HeadtailError for rows that mean nothing."""
    receipt = Receipt(task.prefix)
    watch(receipt)
    held: list[_DealtRows] = []
    size = files = 0
    groups = range(*task.groups) if task.groups else None
    for path in task.paths:
        for batch in read_concepts(task.name, path, task.size, task.weighted, groups, BATCH_ROWS):
            try:
                uids = pack_uids(batch[UID])
            except ValueError as error:
                raise HeadtailError(f"concepts.{task.name}: {path} cannot be joined: {error}") from error
            lists = batch[IDS]
            sorted_ids = _sort_lists(lists.offsets.to_numpy(), lists.values.to_numpy(), BITS if task.weighted else 0)
            held.append(_DealtRows(uids, ranges.slices_of(uids.high), *sorted_ids))
            receipt.rows_in += batch.num_rows
            size += ROW_BYTES * batch.num_rows + lists.nbytes
            if size >= FLUSH_BYTES:
                _write(held, task, ranges, files)
                held, size, files = [], 0, files + 1
    if held:
        _write(held, task, ranges, files)
    receipt.rows_out = receipt.rows_in
    return receipt


def _write(held: list[_DealtRows], task: DealConceptsTask, ranges: UidRanges, number: int) -> None:
    """Write the rows, each slice in their order."""
    count = ranges.buckets * ranges.cuts
    row_starts, id_starts = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    for rows in held:
        _count_rows(rows.slices, rows.offsets, row_starts, id_starts)
    np.cumsum(row_starts, out=row_starts)
    np.cumsum(id_starts, out=id_starts)
    high, low = np.empty(row_starts[-1], np.uint64), np.empty(row_starts[-1], np.uint32)
    ids = np.empty(id_starts[-1], held[0].ids.dtype)
    offsets = np.zeros(row_starts[-1] + count, np.int32)  # a slice has one more than rows
    row_places, id_places = row_starts[:-1].copy(), id_starts[:-1].copy()
    for rows in held:
        given = (rows.slices, rows.uids.high, rows.uids.low, rows.offsets, rows.ids)
        _place_rows(*given, id_starts, row_places, id_places, high, low, offsets, ids)
    schema = rows_schema(task.weighted)
    batches = (
        pa.record_batch(
            [
                pa.array(high[row_starts[each] : row_starts[each + 1]]),
                pa.array(low[row_starts[each] : row_starts[each + 1]]),
                pa.ListArray.from_arrays(
                    pa.array(offsets[row_starts[each] + each : row_starts[each + 1] + each + 1]),
                    pa.array(ids[id_starts[each] : id_starts[each + 1]]),
                ),
            ],
            schema=schema,
        )
        for each in range(count)
    )
    write_batches(f"{task.prefix}-{number:06d}{SUFFIX}", schema, batches, PLAIN)


@numba.njit(cache=True, nogil=True)
def _count_rows(slices: np.ndarray, offsets: np.ndarray, rows: np.ndarray, ids: np.ndarray) -> None:
    """Add the rows and ids of slice g to rows[g + 1] and ids[g + 1]."""
    for row in range(len(slices)):
        rows[slices[row] + 1] += 1
        ids[slices[row] + 1] += offsets[row + 1] - offsets[row]


@numba.njit(cache=True, nogil=True)
def _place_rows(
    slices: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    offsets: np.ndarray,
    ids: np.ndarray,
    id_starts: np.ndarray,
    row_places: np.ndarray,
    id_places: np.ndarray,
    new_high: np.ndarray,
    new_low: np.ndarray,
    new_offsets: np.ndarray,
    new_ids: np.ndarray,
) -> None:
    """Move each row to the next place of its slice, `row_places` and `id_places`, which go on; offsets are from 0."""
    for row in range(len(slices)):
        each = slices[row]
        place, at = row_places[each], id_places[each]
        new_high[place], new_low[place] = high[row], low[row]
        for k in range(offsets[row], offsets[row + 1]):
            new_ids[at] = ids[k]
            at += 1
        new_offsets[place + each + 1] = at - id_starts[each]
        row_places[each], id_places[each] = place + 1, at


@numba.njit(cache=True, nogil=True)
def _sort_lists(offsets: np.ndarray, ids: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of each row sorted and once, as offsets int32[n + 1], from 0, and values.

    An id is shifted by `shift` bits. Of several of one id, which differ in the bits below, the largest stays.
    """
    new_offsets = np.zeros(len(offsets), np.int32)
    new_ids = np.empty(offsets[-1] - offsets[0], ids.dtype)
    end = 0
    for row in range(len(offsets) - 1):
        start, rising = end, True
        for k in range(offsets[row], offsets[row + 1]):
            new_ids[end] = ids[k]
            rising &= end == start or ids[k] >> shift > new_ids[end - 1] >> shift
            end += 1
        if not rising:
            end = start + _sort_once(new_ids, start, end, shift)
        new_offsets[row + 1] = end
    return new_offsets, new_ids[:end]


@numba.njit(cache=True, nogil=True)
def _sort_once(ids: np.ndarray, start: int, end: int, shift: int) -> int:
    """Sort ids[start:end] in place, move each different id to the front, and return how many there are."""
    if end - start > SHORT:
        ids[start:end].sort()
    else:
        for stop in range(end - 1, start, -1):
            largest = ids[start]
            for at in range(start, stop):
                following = ids[at + 1]
                ids[at] = min(largest, following)
                largest = max(largest, following)
            ids[stop] = largest
    last = start
    for at in range(start + 1, end):
        last += ids[at] >> shift != ids[last] >> shift
        ids[last] = ids[at]
    return last + 1 - start
