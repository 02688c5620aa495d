"""Matching on the cluster: the one shuffle of the data path.

Map tasks read pairs and match them. The matched rows are shuffled as blocks (curation.matching.blocks) to the task of
their bucket, which merges the texts of each image and writes the bucket's file. The receipt of a map task is a value of
the same shuffle, so it arrives exactly once, however often a task is tried.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial

import msgspec
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import SparkSession

from curation.core.beats import Beats, watch
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import sum_receipts
from curation.core.progress import Amount
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import MATCHES
from curation.matching.blocks import cut_blocks, read_block
from curation.matching.buckets import bucket_path, buckets_of, merge_bucket, plan_merge
from curation.matching.entry_store import EntryStore
from curation.matching.match import MatchSettings, MatchTask, iter_matched, read_pairs
from curation.matching.merging import merge_images
from curation.matching.parts import Merge
from curation.matching.sorted_runs import iter_sorted
from curation.spark.byte_shuffle import shuffle_tasks
from curation.spark.tasks import run_tasks
from curation.spark.watching import watched_step

_RECEIPT, _BLOCK = b"r", b"b"
"""The first byte of a shuffled value tells which of the two it is."""


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
        match = partial(_match_task, store=store, settings=settings, buckets=buckets, beats=matching)
        write = partial(_write_bucket, folder=folder, buckets=buckets, settings=settings, beats=merging)
        receipts = shuffle_tasks(spark, tasks, match, buckets, write, folder)
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


def _match_task(
    encoded: str, store: EntryStore, settings: MatchSettings, buckets: int, beats: Beats | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a task with their buckets, and at last its receipt."""
    start = time.monotonic()
    task = msgspec.json.decode(encoded, type=MatchTask)
    source, receipt, packed = Receipt(encoded), Receipt(encoded), Receipt(encoded)
    with beats.task() if beats else nullcontext():
        watch(receipt)
        matched = iter_matched(read_pairs(task, source), store, settings, receipt)
        for bucket, block, rows in cut_blocks(matched, buckets, packed.drops):
            packed.rows_out += rows
            yield bucket, _BLOCK + block
        packed.rows_in = packed.rows_out + sum(packed.drops.values())
        total = source.followed_by(receipt).followed_by(packed).check()
        if beats:
            beats.end(total)
    total.seconds = time.monotonic() - start
    context = TaskContext.get()
    yield (context.partitionId() if context else 0) % buckets, _RECEIPT + total.to_json().encode()


def _write_bucket(
    values: Iterator[bytes], folder: str, buckets: int, settings: MatchSettings, beats: Beats | None = None
) -> Iterator[str]:
    """Write the file of a bucket from its shuffled values; yield the receipts among them, and that of the bucket."""
    start = time.monotonic()
    context = TaskContext.get()
    bucket = context.partitionId() if context else 0
    receipt = Receipt(bucket_path(folder, bucket))
    carried: list[str] = []

    def rows() -> Iterator[pa.RecordBatch]:
        for value in values:
            if value[:1] == _RECEIPT:
                carried.append(value[1:].decode())
                continue
            matched = read_block(memoryview(value)[1:])
            if (buckets_of(matched.column("uid"), buckets) != bucket).any():
                raise AssertionError(f"bucket {bucket} received rows of another bucket: the shuffle is wrong")
            receipt.rows_in += matched.num_rows
            yield matched

    with beats.task() if beats else nullcontext():
        watch(receipt)
        ordered = iter_sorted(rows(), receipt.drops, settings.max_texts, settings.salt)
        with ParquetSink(bucket_path(folder, bucket), MATCHES) as sink:
            for images in merge_images(ordered, receipt.drops, settings.max_texts, settings.salt):
                sink.write(images)
                receipt.facts["images"] += images.num_rows
                receipt.rows_out += len(images.column("texts").flatten())
        receipt.outputs.append(sink.output())
        receipt.seconds = time.monotonic() - start
        if beats:
            beats.end(receipt)
        yield from carried
        yield receipt.check().to_json()
