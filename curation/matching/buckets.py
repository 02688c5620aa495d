"""Buckets: the files of `matches`, cut by uid, so an image is in the same bucket of every crawl."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import MATCHES
from curation.matching.merging import merge_buckets

MIN_BUCKETS, MAX_BUCKETS = 4, 64
PAIRS_PER_BUCKET = 125_000

_HEX = np.full(256, -1, np.int64)
_HEX[[ord(digit) for digit in "0123456789abcdef"]] = np.arange(16)


def buckets_of(uids: pa.StringArray, buckets: int) -> np.ndarray:
    """Return the bucket of each uid, int32: its first four hex digits as a number * buckets // 65536.

    Raises ValueError where a uid does not begin with four lower-case hex digits.

    >>> buckets_of(pa.array(["0000aa", "7fffaa", "8000aa", "ffffaa"]), 64).tolist()
    [0, 31, 32, 63]
    """
    if len(uids) == 0:
        return np.empty(0, np.int32)
    _, offsets, data = uids.buffers()
    starts = np.frombuffer(offsets, np.int32)[uids.offset : uids.offset + len(uids) + 1]
    characters = np.frombuffer(data, np.uint8)
    if uids.null_count or np.diff(starts).min() < 4:
        raise ValueError("a uid is shorter than four hex digits")
    digits = _HEX[characters[starts[:-1, None] + np.arange(4)]]
    if digits.min() < 0:
        raise ValueError("a uid does not begin with four lower-case hex digits")
    return (digits @ np.array([4096, 256, 16, 1]) * buckets // 65536).astype(np.int32)


def count_buckets(pairs: int) -> int:
    """Return how many buckets a new table of matches gets for so many pairs, if the user does not say.

    A bucket is a task of each later stage, which costs 30 ms beside its rows: little data gets few buckets, but enough
    for the cores of a laptop.

    >>> [count_buckets(pairs) for pairs in (0, 500_000, 500_001, 8_000_000, 10**12)]
    [4, 4, 8, 64, 64]
    """
    wanted = max(-(-pairs // PAIRS_PER_BUCKET), MIN_BUCKETS)
    return min(1 << (wanted - 1).bit_length(), MAX_BUCKETS)


def bucket_path(folder: str, bucket: int) -> str:
    """Return the path of a bucket's file."""
    return storage.join(folder, f"bucket-{bucket:05d}.parquet")


@dataclass(frozen=True)
class MergeTask:
    """The files of one bucket, one of each part, and the file to write."""

    inputs: tuple[str, ...]
    output: str


def plan_merge(folders: Sequence[str], output: str, buckets: int) -> list[MergeTask]:
    """Return a task for each bucket that several parts of `matches` have in common."""
    return [
        MergeTask(tuple(bucket_path(folder, bucket) for folder in folders), bucket_path(output, bucket))
        for bucket in range(buckets)
    ]


def merge_bucket(task: MergeTask, max_texts: int, salt: int = 0) -> Receipt:
    """Merge one bucket of several parts of `matches` into one file.

    Rows of the receipt are texts; the fact `images` counts images.
    """
    receipt = Receipt(task.output)
    # The more files, the smaller their batches: the rows in memory stay about the same.
    batch_rows = max(1024, 65_536 // len(task.inputs))
    with ParquetSink(task.output, MATCHES) as sink:
        for images in merge_buckets(task.inputs, receipt.drops, max_texts, batch_rows, salt):
            sink.write(images)
            receipt.facts["images"] += images.num_rows
            receipt.rows_out += len(images.column("texts").flatten())
    receipt.rows_in = receipt.rows_out + sum(receipt.drops.values())
    receipt.outputs.append(sink.output())
    return receipt


def plan_buckets(tables: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the files of each bucket, from the files of every part of every `matches` table.

    Raises HeadtailError where the parts have different buckets: one image could be in two of them.
    """
    names = [sorted(posixpath.basename(file) for file in files) for files in tables]
    for files, own in zip(tables, names, strict=True):
        if own != names[0]:
            raise HeadtailError(
                f"{posixpath.dirname(files[0])} has {counted(len(own), 'buckets')}, "
                f"{posixpath.dirname(tables[0][0])} has {len(names[0])}: run match_pairs again with "
                f"buckets={len(names[0])} or the other number"
            )
    by_name: dict[str, list[str]] = {name: [] for name in names[0]}
    for files in tables:
        for file in files:
            by_name[posixpath.basename(file)].append(file)
    return [by_name[name] for name in sorted(by_name)]
