"""Moves rows from one set of tasks to another through files. Each file has one slice per receiver.

A sender writes one Arrow file. Its record batch number g is the slice of receiver g. A receiver reads its slice of
every sender's file with one seek and one read per file. Only small columns are exchanged, never image bytes.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from curation.core import storage

SUFFIX = ".arrow"
# Slices are small, and each core has a task of its own: to give the columns of a slice to threads doubles its CPU time.
COMPRESSION = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
FAST = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
"""For files that are read once."""
PLAIN = pa.ipc.IpcWriteOptions(use_threads=False)
"""For slices of hashes and short lists of numbers, which are read once: lz4 would take a third off, and more time than
the rest of writing and reading them."""
READING = pa.ipc.IpcReadOptions(use_threads=False)


def write_slices(path: str, table: pa.Table, receivers: np.ndarray, count: int) -> None:
    """Write a table to an `.arrow` file as `count` slices: row i goes to slice `receivers[i]`, in the table's order."""
    order = np.argsort(receivers, kind="stable")
    borders = np.searchsorted(receivers[order], np.arange(count + 1))
    table = table.take(pa.array(order)).combine_chunks()
    parts = (
        table.slice(start, end - start).combine_chunks().to_batches()
        for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    )
    empty = pa.RecordBatch.from_pylist([], table.schema)
    write_batches(path, table.schema, (part[0] if part else empty for part in parts))


def write_batches(
    path: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], options: pa.ipc.IpcWriteOptions = COMPRESSION
) -> None:
    """Write batches to an `.arrow` file, each as one slice, in their order."""
    with storage.AtomicFile(path) as file, pa.ipc.new_file(file, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_slices(folder: str, receiver: int) -> pa.Table:
    """Return the rows of one receiver from all files of a folder, in the order of file names."""
    return pa.Table.from_batches(iter_slices(folder, receiver))


def iter_slices(folder: str, receiver: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one receiver, one batch per sender, in the order of file names."""
    for name in storage.list_folder(folder):
        if name.endswith(SUFFIX) and not name.startswith("."):
            with storage.open_input(storage.join(folder, name)) as file:
                yield pa.ipc.open_file(file, options=READING).get_batch(receiver)
