"""Matching on the cluster: the one shuffle of the data path.

Tasks read pairs and match them; what matches goes by uid to the task of its bucket, which merges the texts of each
image and writes the bucket's file. A map task's receipt travels as a row of its own through the same shuffle, so it
arrives exactly once, however often tasks are tried.
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import MATCHES
from curation.core.storage import ParquetSink
from curation.matching.buckets import bucket_path, buckets_of
from curation.matching.engines import ENTRY_IDS
from curation.matching.match import MATCHED, MatchSettings, MatchStore, iter_matched
from curation.matching.merging import merge_images
from curation.spark.tasks import Task, collect_receipts, on_worker, plan_tasks, receipt_batch

ReadPairs = Callable[[Task, Receipt], Iterator[pa.RecordBatch]]
"""Yields the pairs of a task and accounts for them: from a table, or straight from extraction."""

# entry_ids as the bytes of int32: a binary value passes through the JVM untouched, a list is taken apart.
SHUFFLED = (
    "bucket int, uid string, url string, text string, text_key string, lang string, lang_score float, "
    "entry_ids binary, receipt string"
)


def match_to_buckets(
    spark: SparkSession,
    tasks: list[Task],
    read: ReadPairs,
    store: MatchStore,
    settings: MatchSettings,
    buckets: int,
    folder: str,
) -> Receipt:
    """Match the pairs of all tasks and write the images that match as `buckets` files; shuffles once, by uid.

    Returns the checked account from pairs to texts of `matches`, with the fact `images`.
    """
    match = partial(_match_tasks, read=read, store=store, settings=settings, buckets=buckets)
    write = partial(_write_bucket, folder=folder, buckets=buckets, max_texts=settings.max_texts)
    matched = plan_tasks(spark, tasks).mapInArrow(on_worker(match), SHUFFLED)
    receipts = collect_receipts(shuffle_to_buckets(matched, buckets), write, folder)
    first = merge_receipts(folder, [receipt for receipt in receipts if not receipt.outputs])
    return first.followed_by(merge_receipts(folder, [receipt for receipt in receipts if receipt.outputs]))


def shuffle_to_buckets(matched: DataFrame, buckets: int) -> DataFrame:
    """Bring each row to the partition whose number its `bucket` is, sorted by uid there. Shuffles."""
    return matched.repartitionById(buckets, "bucket").sortWithinPartitions("uid")


def _match_tasks(
    batches: Iterator[pa.RecordBatch], read: ReadPairs, store: MatchStore, settings: MatchSettings, buckets: int
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for task in map(json.loads, batch.column("task").to_pylist()):
            start = time.monotonic()
            source = Receipt(json.dumps(task))
            receipt = Receipt(source.task)
            for matched in iter_matched(read(task, source), store, settings, receipt):
                yield pack_rows(matched, buckets)
            total = source.followed_by(receipt).check()
            total.seconds = time.monotonic() - start
            yield _pack_receipt(total, bucket=batch.column("partition")[0].as_py() % buckets)


def _write_bucket(
    batches: Iterator[pa.RecordBatch], folder: str, buckets: int, max_texts: int
) -> Iterator[pa.RecordBatch]:
    start = time.monotonic()
    context = TaskContext.get()
    bucket = context.partitionId() if context else 0
    receipt = Receipt(bucket_path(folder, bucket))
    carried: list[str] = []

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            carried.extend(batch.column("receipt").drop_null().to_pylist())
            matched = unpack_rows(batch)
            if (buckets_of(matched.column("uid"), buckets) != bucket).any():
                raise AssertionError(f"rows of another bucket came to bucket {bucket}: the shuffle went wrong")
            receipt.rows_in += matched.num_rows
            yield matched

    with ParquetSink(bucket_path(folder, bucket), MATCHES) as sink:
        for images in merge_images(rows(), receipt.drops, max_texts):
            sink.write(images)
            receipt.facts["images"] += images.num_rows
            receipt.rows_out += len(images.column("texts").flatten())
    receipt.outputs.append(sink.output())
    receipt.seconds = time.monotonic() - start
    yield from (pa.record_batch({"receipt": pa.array([text])}) for text in carried)
    yield receipt_batch(receipt.check())


def pack_rows(matched: pa.RecordBatch, buckets: int) -> pa.RecordBatch:
    """Return matched rows (MATCHED) as they are shuffled."""
    lists = matched.column("entry_ids")
    ids = lists.flatten()
    ends = lists.offsets.to_numpy().astype(np.int64)
    offsets = pa.array((4 * (ends - ends[0])).astype(np.int32)).buffers()[1]
    values = ids.buffers()[1].slice(4 * ids.offset, 4 * len(ids)) if len(ids) else pa.py_buffer(b"")
    packed = pa.Array.from_buffers(pa.binary(), len(lists), [None, offsets, values])
    columns = [matched.column(name) for name in MATCHED.names[:-1]]
    bucket = pa.array(buckets_of(matched.column("uid"), buckets))
    return _shuffled([bucket, *columns, packed, pa.nulls(len(lists), pa.string())])


def unpack_rows(shuffled: pa.RecordBatch) -> pa.RecordBatch:
    """Return the matched rows (MATCHED) of a shuffled batch, without those that carry receipts."""
    if shuffled.column("receipt").null_count < shuffled.num_rows:
        shuffled = shuffled.filter(shuffled.column("receipt").is_null())
    packed = shuffled.column("entry_ids")
    _, offsets, values = packed.buffers()
    ends = np.frombuffer(offsets, np.int32)[packed.offset : packed.offset + len(packed) + 1] if len(packed) else [0]
    starts = pa.array((np.asarray(ends) - ends[0]) // 4, pa.int32())
    size = int(ends[-1]) - int(ends[0])
    ids = pa.array(np.frombuffer(values, np.int32, size // 4, int(ends[0])) if size else [], pa.int32())
    lists = pa.ListArray.from_arrays(starts, ids, type=ENTRY_IDS)
    return pa.record_batch([*(shuffled.column(name) for name in MATCHED.names[:-1]), lists], schema=MATCHED)


def _pack_receipt(receipt: Receipt, bucket: int) -> pa.RecordBatch:
    """A row that sorts before all uids of its bucket."""
    empty = [pa.array([""])] * 5
    score, ids = pa.nulls(1, pa.float32()), pa.array([b""], pa.binary())
    return _shuffled([pa.array([bucket], pa.int32()), *empty, score, ids, pa.array([receipt.to_json()])])


def _shuffled(columns: list[pa.Array]) -> pa.RecordBatch:
    return pa.record_batch(columns, names=[column.split()[0] for column in SHUFFLED.split(", ")])
