"""Matching on the cluster: the one shuffle of the data path.

Map tasks read pairs and match them. The matched rows are shuffled by uid to the task of their bucket, which merges the
texts of each image and writes the bucket's file. The receipt of a map task is a row of the same shuffle, so it arrives
exactly once, however often a task is tried.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

from curation.core.beats import Beats, watch
from curation.core.progress import Amount
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import MATCHES
from curation.core.storage import ParquetSink
from curation.core.tables import sum_receipts
from curation.matching.buckets import bucket_path, buckets_of, merge_bucket, plan_merge
from curation.matching.engines import ENTRY_IDS
from curation.matching.entry_store import EntryStore
from curation.matching.match import MATCHED, MatchSettings, MatchTask, iter_matched, read_pairs
from curation.matching.merging import merge_images
from curation.matching.parts import Merge
from curation.spark.tasks import collect_receipts, on_worker, plan_tasks, receipt_batch, run_tasks
from curation.spark.watching import watched_step

# entry_ids are the bytes of int32: the JVM passes a binary value on as it is, but takes a list apart.
SHUFFLED = (
    "bucket int, uid string, url string, text string, text_key string, lang string, lang_score float, "
    "entry_ids binary, receipt string"
)


def match_to_buckets(
    spark: SparkSession,
    tasks: Sequence[MatchTask],
    store: EntryStore,
    settings: MatchSettings,
    buckets: int,
    folder: str,
    pairs: int | None = None,
) -> Receipt:
    """Match the pairs of all tasks and write the matched images as `buckets` files; shuffles once, by uid.

    Returns the checked receipt from pairs to texts of `matches`, with the fact `images`. The progress line counts up to
    `pairs`, the number of pairs if it is known.
    """
    with (
        watched_step("match texts", len(tasks), folder, Amount(pairs, "pairs")) as (matching, matched_all),
        watched_step("merge texts", buckets, folder) as (merging, merged_all),
    ):
        match = partial(_match_tasks, store=store, settings=settings, buckets=buckets, beats=matching)
        write = partial(_write_bucket, folder=folder, buckets=buckets, settings=settings, beats=merging)
        matched = plan_tasks(spark, tasks).mapInArrow(on_worker(match), SHUFFLED)
        receipts = collect_receipts(shuffle_to_buckets(matched, buckets), write, folder)
        matched_all(receipt for receipt in receipts if not receipt.outputs)
        merged_all(receipt for receipt in receipts if receipt.outputs)
    first = merge_receipts(folder, [receipt for receipt in receipts if not receipt.outputs])
    return first.followed_by(merge_receipts(folder, [receipt for receipt in receipts if receipt.outputs]))


def merge_buckets(spark: SparkSession, merge: Merge, buckets: int, settings: MatchSettings) -> list[Receipt]:
    """Merge the buckets of parts of `matches`, each into a file of the merge's folder; no shuffle."""
    tasks = plan_merge([part.path for part in merge.parts], merge.folder, buckets)
    combine = partial(merge_bucket, max_texts=settings.max_texts, salt=settings.salt)
    texts = Amount(sum_receipts(merge.parts).rows_out, "texts")
    return run_tasks(spark, combine, tasks, merge.folder, amount=texts)


def shuffle_to_buckets(matched: DataFrame, buckets: int) -> DataFrame:
    """Return the rows with each in the partition of its `bucket` number, sorted by uid there. Shuffles."""
    return matched.repartitionById(buckets, "bucket").sortWithinPartitions("uid")


def _match_tasks(
    batches: Iterator[pa.RecordBatch],
    store: EntryStore,
    settings: MatchSettings,
    buckets: int,
    beats: Beats | None = None,
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for encoded in batch.column("task").to_pylist():
            start = time.monotonic()
            task = msgspec.json.decode(encoded, type=MatchTask)
            source, receipt = Receipt(encoded), Receipt(encoded)
            with beats.task() if beats else nullcontext():
                watch(receipt)
                for matched in iter_matched(read_pairs(task, source), store, settings, receipt):
                    yield pack_rows(matched, buckets)
                total = source.followed_by(receipt).check()
                if beats:
                    beats.end(total)
            total.seconds = time.monotonic() - start
            yield _pack_receipt(total, bucket=batch.column("partition")[0].as_py() % buckets)


def _write_bucket(
    batches: Iterator[pa.RecordBatch], folder: str, buckets: int, settings: MatchSettings, beats: Beats | None = None
) -> Iterator[pa.RecordBatch]:
    with beats.task() if beats else nullcontext():
        yield from _write_rows(batches, folder, buckets, settings, beats)


def _write_rows(
    batches: Iterator[pa.RecordBatch], folder: str, buckets: int, settings: MatchSettings, beats: Beats | None
) -> Iterator[pa.RecordBatch]:
    start = time.monotonic()
    context = TaskContext.get()
    bucket = context.partitionId() if context else 0
    receipt = Receipt(bucket_path(folder, bucket))
    watch(receipt)
    carried: list[str] = []

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            carried.extend(batch.column("receipt").drop_null().to_pylist())
            matched = unpack_rows(batch)
            if (buckets_of(matched.column("uid"), buckets) != bucket).any():
                raise AssertionError(f"bucket {bucket} received rows of another bucket: the shuffle is wrong")
            receipt.rows_in += matched.num_rows
            yield matched

    with ParquetSink(bucket_path(folder, bucket), MATCHES) as sink:
        for images in merge_images(rows(), receipt.drops, settings.max_texts, settings.salt):
            sink.write(images)
            receipt.facts["images"] += images.num_rows
            receipt.rows_out += len(images.column("texts").flatten())
    receipt.outputs.append(sink.output())
    receipt.seconds = time.monotonic() - start
    if beats:
        beats.end(receipt)
    yield from (pa.record_batch({"receipt": pa.array([text])}) for text in carried)
    yield receipt_batch(receipt.check())


def pack_rows(matched: pa.RecordBatch, buckets: int) -> pa.RecordBatch:
    """Return matched rows (MATCHED) in the form of the shuffle (SHUFFLED)."""
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
    """Return the matched rows (MATCHED) of a shuffled batch, without the rows of receipts."""
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
    """Return a receipt as a row with an empty uid, which sorts before all others of its bucket."""
    empty = [pa.array([""])] * 5
    score, ids = pa.nulls(1, pa.float32()), pa.array([b""], pa.binary())
    return _shuffled([pa.array([bucket], pa.int32()), *empty, score, ids, pa.array([receipt.to_json()])])


def _shuffled(columns: list[pa.Array]) -> pa.RecordBatch:
    return pa.record_batch(columns, names=[column.split()[0] for column in SHUFFLED.split(", ")])
