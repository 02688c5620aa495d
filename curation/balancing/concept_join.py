"""Concepts joined with the images of `matches`, bucket by bucket, and their counts.

A bucket's file has a column for each namespace, a list of ids for each image of the bucket in the order of uids; the
list is empty where an image has no row, or no concept. The count of a concept is the number of images that have it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.balancing.concept_rows import UidRanges, ids_type, rows_schema
from curation.balancing.counts import CountArrays, write_partial
from curation.balancing.packed_uids import PackedUids, find_rows, merged, pack_uids
from curation.core import storage
from curation.core.beats import watch
from curation.core.errors import HeadtailError
from curation.core.exchange import PLAIN, SUFFIX, iter_slices, write_batches
from curation.core.receipts import Receipt
from curation.core.schemas import MATCHES
from curation.core.table_reader import read_batches

MAX_TASKS = 256
"""With more files of counts, adding them on the driver would take longer than the join."""
BATCH_IMAGES = 1 << 16


@dataclass(frozen=True)
class JoinConceptsTask:
    """Some buckets: the numbers and the files of each, `folders` of the slices by namespace, and the files to write.

    `weighted` says which namespaces have weights.

    `output` is the folder of the joined buckets, `counts` the file of the counts.
    """

    numbers: tuple[int, ...]
    buckets: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    weighted: tuple[bool, ...]
    folders: tuple[str, ...]
    output: str
    counts: str


def joined_path(folder: str, bucket: str) -> str:
    """Return the path of the joined concepts of a bucket, by the name of its file in `matches`."""
    return storage.join(folder, f"{bucket.removesuffix('.parquet')}{SUFFIX}")


def plan_joining(
    buckets: Sequence[Sequence[str]],
    weighted: Mapping[str, bool],
    folders: Sequence[str],
    output: str,
    parallelism: int = MAX_TASKS,
) -> list[JoinConceptsTask]:
    """Return tasks that cover all buckets, few enough for the driver to add their counts, and four for each core.

    `weighted` has each namespace, in the order of `folders`. A bucket is joined in less time than Spark takes to start
    a task.
    """
    size = -(-len(buckets) // min(MAX_TASKS, 4 * parallelism))
    tasks = []
    for start in range(0, len(buckets), size):
        mine = tuple(map(tuple, buckets[start : start + size]))
        numbers = tuple(range(start, start + len(mine)))
        counts = storage.join(output, "counts", f"{start:06d}.parquet")
        named = (tuple(weighted), tuple(weighted.values()), tuple(folders))
        tasks.append(JoinConceptsTask(numbers, mine, *named, output, counts))
    return tasks


def join_concepts(task: JoinConceptsTask, ranges: UidRanges) -> Receipt:
    """Join the concepts of some buckets, and count them.

    Rows of the receipt are images. Its facts are, by the number of the namespace, `with 0` (images that have a concept)
    and `joined 0` (rows of the table that have an image). Raises HeadtailError where two rows have the uid of one
    image.
    """
    receipt, counts = Receipt(task.counts), CountArrays()
    watch(receipt)
    schema = pa.schema([(name, ids_type(each)) for name, each in zip(task.names, task.weighted, strict=True)])
    for number, files in zip(task.numbers, task.buckets, strict=True):
        path = joined_path(task.output, files[0].rpartition("/")[2])
        write_batches(path, schema, _joined(task, number, files, ranges, receipt, counts), PLAIN)
    write_partial(task.counts, counts)
    receipt.rows_out = receipt.rows_in
    return receipt


def _joined(
    task: JoinConceptsTask,
    number: int,
    files: Sequence[str],
    ranges: UidRanges,
    receipt: Receipt,
    counts: CountArrays,
) -> Iterator[pa.RecordBatch]:
    """Yield the concepts of the images of a bucket, a batch for each range."""
    for slice_number, images in uids_by_range(number, files, ranges):
        receipt.rows_in += len(images)
        columns = []
        for place, (name, folder) in enumerate(zip(task.names, task.folders, strict=True)):
            schema = rows_schema(task.weighted[place])
            rows = pa.Table.from_batches(iter_slices(folder, slice_number), schema).combine_chunks()
            uids = PackedUids(rows["high"].to_numpy(), rows["low"].to_numpy())
            owners, twice = find_rows(images, uids)
            if twice >= 0:
                raise HeadtailError(
                    f"concepts.{name}: several rows have the uid {uids.text(twice)}: give each image one row with all "
                    "its concepts"
                )
            lists = rows["ids"].combine_chunks() if rows.num_rows else pa.array([], schema.field("ids").type)
            offsets, ids = _of_images(owners, lists.offsets.to_numpy(), lists.values.to_numpy())
            counts.add_ids(name, len(images), ids)
            receipt.facts[f"with {place}"] += int((np.diff(offsets) > 0).sum())
            receipt.facts[f"joined {place}"] += int((owners >= 0).sum())
            columns.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)))
        yield pa.record_batch(columns, names=list(task.names))


@numba.njit(cache=True, nogil=True)
def _of_images(owners: np.ndarray, offsets: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of each image's row, as offsets int32[n + 1] and ids."""
    starts = np.zeros(len(owners) + 1, np.int32)
    for image in range(len(owners)):
        row = owners[image]
        starts[image + 1] = starts[image] + (offsets[row + 1] - offsets[row] if row >= 0 else 0)
    out = np.empty(starts[-1], ids.dtype)
    for image in range(len(owners)):
        row = owners[image]
        if row >= 0:
            for k in range(offsets[row + 1] - offsets[row]):
                out[starts[image] + k] = ids[offsets[row] + k]
    return starts, out


def uids_by_range(bucket: int, files: Sequence[str], ranges: UidRanges) -> Iterator[tuple[int, PackedUids]]:
    """Yield each range of a bucket that has images, by number, with their uids, sorted, each once.

    Raises HeadtailError where a uid of the bucket's files belongs to another bucket, or has another form.
    """
    streams = [_uids_of(file, bucket, ranges) for file in files]
    heads = [next(stream, None) for stream in streams]
    for number in range(bucket * ranges.cuts, (bucket + 1) * ranges.cuts):
        parts = []
        for place, stream in enumerate(streams):
            head = heads[place]
            if head is not None and head[0] == number:
                parts.append(head[1])
                heads[place] = next(stream, None)
        if parts:
            yield number, merged(parts)


def _uids_of(file: str, bucket: int, ranges: UidRanges) -> Iterator[tuple[int, PackedUids]]:
    """Yield the ranges of one file, in order, with its uids there."""
    held: list[PackedUids] = []
    current = -1
    for batch in read_batches(file, MATCHES, ["uid"], BATCH_IMAGES):
        try:
            uids = pack_uids(batch["uid"])
        except ValueError as error:
            raise HeadtailError(f"{file}: {error}") from error
        slices = ranges.slices_of(uids.high)
        if (slices // ranges.cuts != bucket).any():
            raise HeadtailError(f"{file} has images of other buckets: run match_pairs again")
        borders = np.flatnonzero(np.diff(slices)) + 1
        for first, end in zip([0, *borders.tolist()], [*borders.tolist(), len(slices)], strict=True):
            if first == end:
                continue
            if held and slices[first] != current:
                yield current, _whole(held, file)
                held = []
            current = int(slices[first])
            held.append(uids[first:end])
    if held:
        yield current, _whole(held, file)


def _whole(parts: list[PackedUids], file: str) -> PackedUids:
    uids = PackedUids(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "low")))
    if not uids.rising:
        raise HeadtailError(f"{file} is not sorted by uid, or has a uid twice: run match_pairs again")
    return uids
