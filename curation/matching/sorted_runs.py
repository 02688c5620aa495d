"""Sorted runs: the rows of a bucket in the order of their uids, in bounded memory however large the bucket is."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO

import pyarrow as pa

from curation.core.exchange import FAST, READING
from curation.matching.blocks import HELD_BYTES, halves, sort_rows
from curation.matching.match import MATCHED
from curation.matching.merging import align, collapse

PIECE_BYTES = 1 << 20
"""The rows of a run that are in memory while runs are merged."""
MAX_RUNS = 32
"""So many runs are merged into one."""


def iter_sorted(
    batches: Iterable[pa.RecordBatch],
    drops: Counter[str],
    max_texts: int,
    salt: int = 0,
    held_bytes: int = HELD_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Yield matched rows (MATCHED) that come in any order sorted by uid, as `merge_images` takes them.

    Up to about `held_bytes` of rows are sorted in memory. Beyond that they are collapsed as by `merge_images`. If more
    than half of the bytes are left, they go to a temporary file without a name, which ends with the process. While at
    most MAX_RUNS of these runs are merged, PIECE_BYTES of each are in memory.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    with ExitStack() as stack:
        runs: list[IO[bytes]] = []
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size >= held_bytes:
                held = collapse(sort_rows(held), drops, max_texts, salt).combine_chunks().to_batches()
                size = sum(each.nbytes for each in held)
                if size > held_bytes // 2:
                    if len(runs) == MAX_RUNS:
                        runs = [_merge(stack, runs)]
                    runs.append(_write(stack, held))
                    held, size = [], 0
        last = sort_rows(held).to_batches()
        yield from align([*map(_read, runs), _pieces(last)]) if runs else _pieces(last)


def _merge(stack: ExitStack, runs: list[IO[bytes]]) -> IO[bytes]:
    merged = _write(stack, align([_read(run) for run in runs]))
    for run in runs:
        run.close()
    return merged


def _write(stack: ExitStack, batches: Iterable[pa.RecordBatch]) -> IO[bytes]:
    file = stack.enter_context(tempfile.TemporaryFile(prefix="headtail-run-"))  # noqa: SIM115  # the stack closes it
    with pa.ipc.new_stream(file, MATCHED, options=FAST) as writer:
        for piece in _pieces(batches):
            writer.write_batch(piece)
    return file


def _read(run: IO[bytes]) -> Iterator[pa.RecordBatch]:
    run.seek(0)
    with pa.ipc.open_stream(run, options=READING) as reader:
        yield from reader


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        step = max(1, PIECE_BYTES * batch.num_rows // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, step):
            yield from halves(batch.slice(start, step), PIECE_BYTES)
