"""The distinct (uid, text) of a file, in little memory: a table of 128-bit hashes."""

from collections.abc import Iterator

import numba
import numpy as np
import pyarrow as pa

from curation.draws import hash64

START_SLOTS = 1 << 16
BATCH_ROWS = 32_768
"""Rows of a batch that goes on: texts that repeat within it are worked on once."""


class Distinct:
    """Holds the distinct rows of a file in the order in which they came first, under their smallest text key.

    The rows have the columns uid, text and text_key, a dictionary array whose dictionary is sorted and the same in
    every batch. 25 to 33 bytes are kept of each row for good, the rows themselves until `take`.
    """

    def __init__(self) -> None:
        self._slots = np.full(START_SLOTS, -1, np.int64)
        self._hashes = np.empty((START_SLOTS // 2, 2), np.uint64)
        self._ranks = np.empty(START_SLOTS // 2, np.int8)
        self._rows = 0
        self._taken_rows = 0
        self._batches: list[pa.RecordBatch] = []
        self.held_bytes = 0

    def add(self, batch: pa.RecordBatch) -> int:
        """Hold the rows that are new; returns how many were not."""
        rows = batch.num_rows
        self._make_room(rows)
        hashes = np.stack([hash64(0, "distinct", batch[name]) for name in ("uid", "text")], axis=1)
        ranks = batch["text_key"].indices.to_numpy(zero_copy_only=False)
        new = _insert(self._slots, self._hashes, self._ranks, self._rows, hashes, ranks)
        if len(new):
            self._rows += len(new)
            self._batches.append(batch if len(new) == rows else batch.take(pa.array(new)))
            self.held_bytes += self._batches[-1].nbytes
        return rows - len(new)

    def take(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows held, in batches of about BATCH_ROWS, and hold none; rows like them are known still.

        text_key comes as strings, other dictionary arrays are decoded too.
        """
        batches, self._batches, self.held_bytes = self._batches, [], 0
        chunk: list[pa.RecordBatch] = []
        for index, batch in enumerate(batches):
            ranks = pa.array(self._ranks[self._taken_rows : self._taken_rows + batch.num_rows])
            self._taken_rows += batch.num_rows
            keys = pa.DictionaryArray.from_arrays(ranks, batch["text_key"].dictionary)
            columns = {name: batch[name] for name in batch.schema.names} | {"text_key": keys}
            decoded = {
                name: values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
                for name, values in columns.items()
            }
            chunk.append(pa.record_batch(decoded))
            if sum(part.num_rows for part in chunk) >= BATCH_ROWS or index == len(batches) - 1:
                yield pa.Table.from_batches(chunk).combine_chunks().to_batches()[0]
                chunk = []

    def _make_room(self, rows: int) -> None:
        needed = self._rows + rows
        if needed <= len(self._ranks):
            return
        size = 1 << (needed * 2 - 1).bit_length()
        hashes, ranks = np.empty((size // 2, 2), np.uint64), np.empty(size // 2, np.int8)
        hashes[: self._rows], ranks[: self._rows] = self._hashes[: self._rows], self._ranks[: self._rows]
        self._hashes, self._ranks = hashes, ranks
        self._slots = np.full(size, -1, np.int64)
        _fill(self._slots, hashes, self._rows)


@numba.njit(cache=True, nogil=True)
def _fill(slots: np.ndarray, hashes: np.ndarray, rows: int) -> None:
    for row in range(rows):
        slots[_slot(slots, hashes, hashes[row, 0], hashes[row, 1])] = row


@numba.njit(cache=True, nogil=True)
def _insert(
    slots: np.ndarray, hashes: np.ndarray, ranks: np.ndarray, rows: int, more: np.ndarray, more_ranks: np.ndarray
) -> np.ndarray:
    """Give new hashes the row numbers from `rows` on, lower the rank of known ones; returns the places of the new."""
    new = np.empty(len(more), np.int64)
    count = 0
    for index in range(len(more)):
        slot = _slot(slots, hashes, more[index, 0], more[index, 1])
        row = slots[slot]
        if row < 0:
            row = rows + count
            slots[slot] = row
            hashes[row] = more[index]
            ranks[row] = more_ranks[index]
            new[count] = index
            count += 1
        else:
            ranks[row] = min(ranks[row], more_ranks[index])
    return new[:count]


@numba.njit(cache=True, nogil=True)
def _slot(slots: np.ndarray, hashes: np.ndarray, first: np.uint64, second: np.uint64) -> int:
    """The slot of a hash, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = (first ^ (second >> np.uint64(7))) & mask
    while True:
        row = slots[slot]
        if row < 0 or (hashes[row, 0] == first and hashes[row, 1] == second):
            return np.int64(slot)
        slot = (slot + np.uint64(1)) & mask
