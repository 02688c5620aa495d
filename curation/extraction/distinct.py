"""The distinct (uid, text) of a file of any size in little memory: a table of 128-bit hashes, and files beyond it."""

import itertools
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numba
import numpy as np
import pyarrow as pa

from curation.core.draws import hash64
from curation.core.exchange import COMPRESSION, FAST, READING
from curation.core.kernel_types import signed
from curation.extraction.drop_reasons import SAME_TEXT

START_SLOTS = 1 << 16
BATCH_ROWS = 32_768
"""Rows of an output batch: a text that repeats within it is processed once."""
HELD_BYTES = 12 << 20
"""Rows are held until the end, so that a later alt can replace an earlier title; more are passed on."""
MAX_ROWS = 1 << 20
"""The table holds this many distinct rows; further rows wait in local files, divided by their hashes."""
EVIDENCE = "#evidence"
WAITING_BITS = 4
"""Bits of the hash that divide the rows beyond a full table."""
SeeRepeats = Callable[[pa.RecordBatch, np.ndarray], None]
"""Gets a batch and the places of its rows that are known already."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


def distinct_rows(
    batches: Iterable[pa.RecordBatch], drops: Counter[str], level: int = 0, see_repeats: SeeRepeats | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the distinct rows in batches of about BATCH_ROWS; `drops` counts the others as same_text.

    The order is that of first occurrence, except for rows that wait in local files. `level` counts how often the rows
    have waited already. `see_repeats` is called with the others.
    """
    with Distinct(level, see_repeats) as distinct:
        for batch in batches:
            if repeats := distinct.add(batch):
                drops[SAME_TEXT] += repeats
            if distinct.held_bytes > HELD_BYTES:
                if EVIDENCE in batch.schema.names:
                    distinct.lay_by()
                else:
                    yield from distinct.take()
        yield from distinct.take()
        for waiting in distinct.waiting():
            yield from distinct_rows(waiting, drops, level + 1, see_repeats)


class Distinct:
    """Holds the distinct rows of a file in the order in which they came first, under their smallest text key.

    The rows have the columns uid, text and text_key, a dictionary array whose dictionary is sorted and the same in
    every batch. If they have the column EVIDENCE (uint64), a row gets the largest value of its repeats. 25 bytes or so
    are kept of each of MAX_ROWS rows for good, the rows themselves until `take`.

    The seed of the hashes is random, so that nobody can make a text whose hash is that of another text. No row depends
    on it: rows that wait are divided by other hashes.
    """

    def __init__(self, level: int = 0, see_repeats: SeeRepeats | None = None) -> None:
        self._see_repeats = see_repeats
        self._slots = np.full(START_SLOTS, -1, np.int32)
        self._hashes = np.empty((START_SLOTS // 2, 2), np.uint64)
        self._ranks = np.empty(START_SLOTS // 2, np.int8)
        self._evidence = np.empty(0, np.uint64)
        self._rows = 0
        self._taken_rows = 0
        self._batches: list[pa.RecordBatch] = []
        self._files = _Files(level)
        self._laid_by = _LaidBy()
        self._seed = secrets.randbits(64)
        self.held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
        self._laid_by.close()

    def add(self, batch: pa.RecordBatch) -> int:
        """Hold the new rows and return the number of known rows."""
        rows = batch.num_rows
        self._make_room(min(self._rows + rows, MAX_ROWS))
        hashes = _hashes(self._seed, batch)
        ranks = batch["text_key"].indices.to_numpy(zero_copy_only=False)
        evidence = np.zeros(0, np.uint64)
        if EVIDENCE in batch.schema.names:
            evidence = batch[EVIDENCE].to_numpy()
            if len(self._evidence) < len(self._ranks):
                self._evidence = np.resize(self._evidence, len(self._ranks))
        new, beyond = _insert(
            self._slots, self._hashes, self._ranks, self._evidence, self._rows, MAX_ROWS, hashes, ranks, evidence
        )
        if len(new):
            self._rows += len(new)
            self._batches.append(batch if len(new) == rows else batch.take(pa.array(new)))
            self.held_bytes += self._batches[-1].nbytes
        if len(beyond):
            self._files.write(batch.take(pa.array(beyond)))
        repeats = rows - len(new) - len(beyond)
        if self._see_repeats and repeats:
            known = np.ones(rows, bool)
            known[new] = known[beyond] = False
            self._see_repeats(batch, np.flatnonzero(known))
        return repeats

    def waiting(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """Yield the rows in local files as disjoint lots, repeats included, and free the memory of the held rows."""
        self._slots, self._hashes = self._slots[:0], self._hashes[:0]
        return self._files.read()

    def take(self) -> Iterator[pa.RecordBatch]:
        """Yield the held rows in batches of about BATCH_ROWS and release them; their hashes stay known.

        Dictionary arrays, text_key among them, are decoded.
        """
        held, self._batches, self.held_bytes = self._batches, [], 0
        chunk: list[pa.RecordBatch] = []
        chunk_rows = 0
        for batch in itertools.chain(self._laid_by.read(), held):
            ranks = pa.array(self._ranks[self._taken_rows : self._taken_rows + batch.num_rows])
            self._taken_rows += batch.num_rows
            keys = pa.DictionaryArray.from_arrays(ranks, batch["text_key"].dictionary)
            columns = {name: batch[name] for name in batch.schema.names} | {"text_key": keys}
            if EVIDENCE in columns:
                columns[EVIDENCE] = pa.array(self._evidence[self._taken_rows - batch.num_rows : self._taken_rows])
            chunk.append(pa.record_batch({name: _decoded(values) for name, values in columns.items()}))
            chunk_rows += batch.num_rows
            if chunk_rows >= BATCH_ROWS:
                yield pa.Table.from_batches(chunk).combine_chunks().to_batches()[0]
                chunk, chunk_rows = [], 0
        if chunk:
            yield pa.Table.from_batches(chunk).combine_chunks().to_batches()[0]

    def lay_by(self) -> None:
        """Write the held rows to a local file, from which `take` yields them: their evidence can still rise."""
        self._laid_by.write(self._batches)
        self._batches, self.held_bytes = [], 0

    def _make_room(self, needed: int) -> None:
        if needed <= len(self._ranks):
            return
        size = 1 << (needed * 2 - 1).bit_length()
        hashes, ranks = np.empty((size // 2, 2), np.uint64), np.empty(size // 2, np.int8)
        hashes[: self._rows], ranks[: self._rows] = self._hashes[: self._rows], self._ranks[: self._rows]
        self._hashes, self._ranks = hashes, ranks
        self._slots = np.full(size, -1, np.int32)
        _fill(self._slots, hashes, self._rows)


class _LaidBy:
    """Rows in one local file, in their order."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._path: Path | None = None
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            batch = _decoded_but_keys(batch)
            if self._path is None:
                folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="headtail-distinct-"))
                self._path = Path(folder) / "rows.arrow"
                self._writer = pa.ipc.new_stream(str(self._path), batch.schema, options=FAST)
            if self._writer:
                self._writer.write_batch(batch)

    def read(self) -> Iterator[pa.RecordBatch]:
        if self._writer:
            self._writer.close()
            self._writer = None
            with pa.OSFile(str(self._path)) as file:
                yield from pa.ipc.open_stream(file, options=READING)
            self._open.close()
            self._path = None

    def close(self) -> None:
        if self._writer:
            self._writer.close()
        self._open.close()


class _Files:
    """Rows in local files, cut by WAITING_BITS bits of their hash: other ones at each level."""

    def __init__(self, level: int) -> None:
        self._shift = np.uint64(64 - WAITING_BITS * (level % (64 // WAITING_BITS) + 1))
        self._open = ExitStack()
        self._paths: dict[int, Path] = {}
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def write(self, batch: pa.RecordBatch) -> None:
        if not self._paths:
            self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="headtail-distinct-")))
        first, second = _hashes(0, batch).T
        lots = first * _ODD + second >> self._shift & np.uint64((1 << WAITING_BITS) - 1)
        batch = _decoded_but_keys(batch)
        for lot in np.unique(lots).tolist():
            if lot not in self._paths:
                self._paths[lot] = self._folder / f"{lot}.arrow"
                self._writers[lot] = self._open.enter_context(
                    pa.ipc.new_stream(str(self._paths[lot]), batch.schema, options=COMPRESSION)
                )
            self._writers[lot].write_batch(batch.take(pa.array(np.flatnonzero(lots == lot))))

    def read(self) -> Iterator[Iterator[pa.RecordBatch]]:
        for writer in self._writers.values():
            writer.close()
        for lot in sorted(self._paths):
            with pa.OSFile(str(self._paths[lot])) as file:
                yield iter(pa.ipc.open_stream(file, options=READING))

    def close(self) -> None:
        self._open.close()


def _hashes(seed: int, batch: pa.RecordBatch) -> np.ndarray:
    """Return the hashes of uid and text of each row, uint64 [rows, 2]."""
    return np.stack([hash64(seed, "distinct", batch[name]) for name in ("uid", "text")], axis=1)


def _decoded_but_keys(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch for a local file, where a dictionary is the same in all batches."""
    return pa.record_batch(
        {name: batch[name] if name == "text_key" else _decoded(batch[name]) for name in batch.schema.names}
    )


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


@numba.njit(cache=True, nogil=True)
def _fill(slots: np.ndarray, hashes: np.ndarray, rows: int) -> None:
    for row in range(rows):
        slots[_slot(slots, hashes, hashes[row, 0], hashes[row, 1])] = row


@numba.njit(cache=True, nogil=True)
def _insert(
    slots: np.ndarray,
    hashes: np.ndarray,
    ranks: np.ndarray,
    evidence: np.ndarray,
    rows: int,
    max_rows: int,
    more: np.ndarray,
    more_ranks: np.ndarray,
    more_evidence: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give new hashes the row numbers from `rows` up to `max_rows`, lower the rank of known ones.

    The evidence of known ones rises; `more_evidence` is empty where there is none.

    Returns the places of the new, and of those that there was no number for.
    """
    new, beyond = np.empty(len(more), np.int64), np.empty(len(more), np.int64)
    count, without = 0, 0
    for index in range(len(more)):
        slot = _slot(slots, hashes, more[index, 0], more[index, 1])
        row = slots[slot]
        if row >= 0:
            ranks[row] = min(ranks[row], more_ranks[index])
            if len(more_evidence):
                evidence[row] = max(evidence[row], more_evidence[index])
        elif rows + count == max_rows:
            beyond[without] = index
            without += 1
        else:
            row = rows + count
            slots[slot] = row
            hashes[row] = more[index]
            ranks[row] = more_ranks[index]
            if len(more_evidence):
                evidence[row] = more_evidence[index]
            new[count] = index
            count += 1
    return new[:count], beyond[:without]


@numba.njit(cache=True, nogil=True)
def _slot(slots: np.ndarray, hashes: np.ndarray, first: np.uint64, second: np.uint64) -> int:
    """The slot of a hash, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = (first ^ (second >> np.uint64(7))) & mask
    while True:
        row = slots[slot]
        if row < 0 or (hashes[row, 0] == first and hashes[row, 1] == second):
            return signed(slot)
        slot = (slot + np.uint64(1)) & mask
