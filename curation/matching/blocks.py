"""Blocks: matched rows of one bucket, sorted by uid, as bytes that the shuffle moves without a look into them.

A map task gives few blocks per bucket, each compressed once, as a whole: with many buckets its columns are short, and a
frame for each of them would compress worse.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.string_buffers import buffers_of
from curation.matching.buckets import buckets_of
from curation.matching.match import MATCHED
from curation.matching.merging import collapse
from curation.matching.packed_rows import PackedRows, unpack_rows

HELD_BYTES = 64 << 20
"""A task holds rows up to about this size, before it cuts them into blocks, or sorts and spills them."""
BLOCK_BYTES = 4 << 20
"""The rows of a block take about this size, uncompressed, and at most twice as much; one row may be larger."""
_CODEC = pa.Codec("zstd", compression_level=3)
_SIZE = 8


def cut_blocks(
    matched: Iterable[pa.RecordBatch], buckets: int, drops: Counter[str], held_bytes: int = HELD_BYTES
) -> Iterator[tuple[int, bytes, int]]:
    """Yield blocks (bucket, bytes, number of rows) of matched rows (MATCHED).

    Rows are held up to `held_bytes`, and repeated texts of an image among them become one (`same_text`), as in
    `merge_images`. `max_texts` is left to the bucket's task, which knows all texts of the image.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in matched:
        held.append(batch)
        size += batch.nbytes
        if size >= held_bytes:
            yield from _cut(held, buckets, drops)
            held, size = [], 0
    yield from _cut(held, buckets, drops)


def read_block(block: bytes | memoryview) -> pa.RecordBatch:
    """Return the matched rows (MATCHED) of a block."""
    size = int.from_bytes(block[:_SIZE], "little")
    return unpack_rows(_CODEC.decompress(block[_SIZE:], size))


def sort_rows(batches: list[pa.RecordBatch]) -> pa.Table:
    """Return the rows of the batches sorted by uid, in one chunk. Empties the list, so that no row is held twice."""
    rows = pa.Table.from_batches(batches, MATCHED).combine_chunks()
    batches.clear()
    if rows.num_rows < 2:
        return rows
    uids = rows.column("uid").chunk(0)
    keys = _leading_digits(uids)
    if keys is not None:
        order = pa.array(np.argsort(keys, kind="stable"))
        ordered = uids.take(order)
        # Keys order the uids that are hexadecimal and differ in their first 16 digits: in practice all of them.
        if pc.all(pc.less_equal(ordered[:-1], ordered[1:])).as_py():
            return rows.take(order).combine_chunks()
    return rows.sort_by("uid").combine_chunks()


def _cut(held: list[pa.RecordBatch], buckets: int, drops: Counter[str]) -> Iterator[tuple[int, bytes, int]]:
    rows = collapse(sort_rows(held), drops, sys.maxsize)
    if not rows.num_rows:
        return
    (batch,) = rows.combine_chunks().to_batches()
    borders = np.searchsorted(buckets_of(batch.column("uid"), buckets), np.arange(buckets + 1))
    step = max(1, BLOCK_BYTES * batch.num_rows // max(batch.nbytes, 1))
    packed = PackedRows(batch)
    for bucket in np.flatnonzero(np.diff(borders)).tolist():
        for start in range(int(borders[bucket]), int(borders[bucket + 1]), step):
            at = start
            for piece in halves(batch.slice(start, min(step, int(borders[bucket + 1]) - start)), BLOCK_BYTES):
                content = packed.pack(at, at + piece.num_rows)
                size = len(content).to_bytes(_SIZE, "little")
                yield bucket, b"".join((size, _CODEC.compress(content))), piece.num_rows
                at += piece.num_rows


def halves(batch: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch, halved again and again where it is larger than twice `most_bytes` and has several rows."""
    if batch.nbytes <= 2 * most_bytes or batch.num_rows < 2:
        yield batch
    else:
        half = batch.num_rows // 2
        yield from halves(batch.slice(0, half), most_bytes)
        yield from halves(batch.slice(half), most_bytes)


def _leading_digits(uids: pa.StringArray) -> np.ndarray | None:
    """Return the first 16 hex digits of each uid as a number, uint64; None where uids differ in size or are shorter."""
    offsets, data = buffers_of(uids)
    size = int(offsets[1] - offsets[0])
    if uids.null_count or size < 16 or (np.diff(offsets) != size).any():
        return None
    digits = data[offsets[0] : offsets[-1]].reshape(-1, size)[:, :16]
    halves = np.ascontiguousarray(digits).view(">u8").astype(np.uint64)
    # A digit's value is its low half byte, and 9 more for a letter; then the half bytes are moved together.
    values = (halves & np.uint64(0x0F0F0F0F0F0F0F0F)) + np.uint64(9) * (
        (halves >> np.uint64(6)) & np.uint64(0x0101010101010101)
    )
    for shift, mask in ((4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF)):
        values = (values | (values >> np.uint64(shift))) & np.uint64(mask)
    return (values[:, 0] << np.uint64(32)) | values[:, 1]
