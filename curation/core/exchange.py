"""Handing rows from one set of tasks to another through files, each file with a slice for every receiver.

A sender writes one Arrow file whose record batch number g is the slice of receiver g; a receiver reads its slice of
every sender's file, a seek and a read each. What is handed over are small columns; image bytes never are.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.core import storage

SUFFIX = ".arrow"
COMPRESSION = pa.ipc.IpcWriteOptions(compression="zstd")


def write_slices(path: str, table: pa.Table, receivers: np.ndarray, count: int) -> None:
    """Write the rows of a table, row i for receiver `receivers[i]` of `count`, in their order, to an `.arrow` file."""
    order = np.argsort(receivers, kind="stable")
    borders = np.searchsorted(receivers[order], np.arange(count + 1))
    table = table.take(pa.array(order)).combine_chunks()
    with storage.AtomicFile(path) as file, pa.ipc.new_file(file, table.schema, options=COMPRESSION) as writer:
        for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            batches = table.slice(start, end - start).combine_chunks().to_batches()
            writer.write_batch(batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema))


def read_slices(folder: str, receiver: int) -> pa.Table:
    """Return the rows for one receiver out of all senders' files in a folder, in the order of the files' names."""
    return pa.Table.from_batches(iter_slices(folder, receiver))


def iter_slices(folder: str, receiver: int) -> Iterator[pa.RecordBatch]:
    """Yield what `read_slices` returns, the rows of one sender after the other."""
    for name in storage.list_folder(folder):
        if name.endswith(SUFFIX) and not name.startswith("."):
            with storage.open_input(storage.join(folder, name)) as file:
                yield pa.ipc.open_file(file).get_batch(receiver)
