"""Entry counts: how many texts hold each entry of a language, counted by tasks and added exactly.

The counts of a language are one int64 array, indexed by entry_id. It ends at the largest id with a count; beyond the
end a count is 0. Workers map the arrays into memory from flat files, and open a language when they meet it.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.balancing.matched_batch import COUNTED_COLUMNS, MatchedBatch, read_matched
from curation.balancing.probabilities import largest_id
from curation.balancing.weighted_ids import BITS, add_units
from curation.core import storage
from curation.core.beats import watch
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import ENTRY_COUNTS
from curation.core.table_reader import open_table_file
from curation.core.tables import Table
from curation.matching.parts import SALT, MatchesTables

LOGIC_VERSION = 1
ARRAYS = "arrays"
PARTIALS = "_partials"
MAX_PARTIALS = 256
"""With more files, adding them on the driver would take longer than counting."""

MAX_RECENT_TEXTS = 2**31 - 1
"""Counts are flushed after this many texts: a text counts an entry once, so an int32 cannot overflow."""
NO_COUNTS = np.zeros(0, np.int64)


class CountArrays:
    """Counts per language in memory, in arrays that grow with the largest id.

    Texts are counted in int32 arrays, which fit into the processor's cache, and these are added to the int64 counts
    before they can overflow.
    """

    def __init__(self) -> None:
        self._totals: dict[str, np.ndarray] = {}
        self._recent: dict[str, np.ndarray] = {}
        self._recent_texts = 0

    def add(self, matched: MatchedBatch) -> None:
        """Count every entry of every text once."""
        if self._recent_texts + matched.texts > MAX_RECENT_TEXTS:
            self._settle()
        self._recent_texts += matched.texts
        if len(matched.langs) == 1:
            (lang,), ids = matched.langs, matched.ids
            counted = _count_from(0, ids, _grown(self._recent, lang, 0, np.int32))
            if counted < len(ids):
                _count_from(counted, ids, _grown(self._recent, lang, int(ids.max()) + 1, np.int32))
            return
        for lang, rows in matched.rows_by_lang():
            top = largest_id(rows, matched.id_offsets, matched.ids)
            _count(rows, matched.id_offsets, matched.ids, _grown(self._recent, lang, top + 1, np.int32))

    def add_ids(self, name: str, owners: int, ids: np.ndarray) -> None:
        """Count ids under a name that stands for a language; each of the `owners` has an id once at most.

        Ids with weights (int64, weighted_ids.py) are counted by these, in their units.
        """
        if ids.dtype == np.int64:
            if len(ids):
                add_units(ids, self._total(name, int(ids.max() >> BITS) + 1))
            return
        if self._recent_texts + owners > MAX_RECENT_TEXTS:
            self._settle()
        self._recent_texts += owners
        if len(ids):
            _count_from(0, ids, _grown(self._recent, name, int(ids.max()) + 1, np.int32))

    def add_weighted(self, matched: MatchedBatch, weights: np.ndarray) -> None:
        """Count every entry of a text with the text's int64 weight; weight 0 leaves the text out."""
        for lang, rows in matched.rows_by_lang():
            top = largest_id(rows, matched.id_offsets, matched.ids)
            _count_weighted(rows, matched.id_offsets, matched.ids, weights, self._total(lang, top + 1))

    def add_with_weights(self, name: str, ids: np.ndarray, weights: np.ndarray) -> None:
        """Count each id, int, under a name that stands for a language, with an int64 weight of its own."""
        if len(ids):
            np.add.at(self._total(name, int(ids.max()) + 1), ids, weights)

    def merge(self, other: "CountArrays") -> None:
        """Add the counts of `other`."""
        for lang, counts in other.items():
            self._total(lang, len(counts))[: len(counts)] += counts

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (lang, counts), sorted by lang, without trailing zeros; a language without counts is left out."""
        self._settle()
        for lang in sorted(self._totals):
            if size := _met(self._totals[lang]):
                yield lang, self._totals[lang][:size]

    def _settle(self) -> None:
        for lang, counts in self._recent.items():
            size = _met(counts)
            self._total(lang, size)[:size] += counts[:size]
        self._recent, self._recent_texts = {}, 0

    def _total(self, lang: str, size: int) -> np.ndarray:
        return _grown(self._totals, lang, size, np.int64)


def _grown(arrays: dict[str, np.ndarray], lang: str, size: int, kind: type) -> np.ndarray:
    """Return the array of a language, with room for at least `size` counts."""
    counts = arrays.get(lang, np.zeros(0, kind))
    if size > len(counts):
        # Doubling keeps the copying linear. The unused end takes no memory until it is written to, and `items` cuts it
        # off.
        counts, shorter = np.zeros(2 * size, kind), counts
        counts[: len(shorter)] = shorter
        arrays[lang] = counts
    return counts


class CountFiles:
    """Counts per language in flat files `<lang>.npy` of a folder, each opened at its first use."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._opened: dict[str, np.ndarray] = {}

    def langs(self) -> list[str]:
        """Return the languages that have counts, sorted."""
        return [name.removesuffix(".npy") for name in storage.list_folder(self.folder) if name.endswith(".npy")]

    def __getitem__(self, lang: str) -> np.ndarray:
        """Return a language's counts, read-only; the array is empty if the language has none."""
        if lang not in self._opened:
            self._opened[lang] = self.load(lang)
        return self._opened[lang]

    def load(self, lang: str) -> np.ndarray:
        """Return a language's counts without keeping them."""
        path = storage.join(self.folder, f"{lang}.npy")
        try:
            return np.load(path, mmap_mode="r") if storage.is_local(path) else _load_remote(path)
        except FileNotFoundError:
            return NO_COUNTS


def save_array(path: str, values: np.ndarray) -> None:
    """Write an array as a `.npy` file, atomically."""
    with storage.AtomicFile(path) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)


def _load_remote(path: str) -> np.ndarray:
    fs, inner = storage.filesystem(path)
    info = fs.info(inner)
    version = [str(info.get(key)) for key in ("size", "ETag", "etag", "mtime", "LastModified", "created")]
    return _fetch(path, tuple(version))


@lru_cache(maxsize=64)
def _fetch(path: str, version: tuple[str, ...]) -> np.ndarray:  # noqa: ARG001 the key of the cache
    """Fetch a file that cannot be mapped; a worker process fetches it once, not for each of its tasks."""
    with storage.open_input(path) as file:
        return np.load(io.BytesIO(file.read()), allow_pickle=False)


@dataclass(frozen=True)
class BucketsTask:
    """Some buckets of `matches`, to be counted or forecast: `buckets` holds the files of each bucket.

    A bucket has several files where several parts or tables are read as one.
    """

    name: str
    buckets: tuple[tuple[str, ...], ...]
    output: str


def plan_counting(buckets: Sequence[Sequence[str]], parallelism: int, folder: str) -> list[BucketsTask]:
    """Return tasks that cover all buckets, few enough for the driver to add their results.

    The sum does not depend on how the buckets are grouped.
    """
    size = -(-len(buckets) // min(MAX_PARTIALS, 4 * parallelism))
    groups = [tuple(map(tuple, buckets[start : start + size])) for start in range(0, len(buckets), size)]
    return [
        BucketsTask(f"count-{k:05d}", group, storage.join(folder, PARTIALS, f"{k:05d}.parquet"))
        for k, group in enumerate(groups)
    ]


def count_buckets(task: BucketsTask, max_texts: int, salt: int = 0) -> Receipt:
    """Count the entries of some buckets of `matches`, and write the counts as `write_partial` does.

    Rows of the receipt are images; its facts count texts and matches.
    """
    counts = CountArrays()
    receipt = Receipt(task.name)
    watch(receipt)
    for files in task.buckets:
        for matched in read_matched(files, max_texts, receipt, COUNTED_COLUMNS, salt):
            counts.add(matched)
    receipt.rows_out = receipt.rows_in - receipt.drops["merged_into_image"]
    write_partial(task.output, counts)
    return receipt.check()


def write_partial(path: str, counts: CountArrays) -> None:
    """Write the counts of one task as rows of `entry_counts`, ordered, with a row group for each language."""
    with (
        storage.AtomicFile(path) as file,
        pq.ParquetWriter(file, ENTRY_COUNTS, compression="lz4", use_dictionary=["lang"]) as writer,
    ):
        for lang, values in counts.items():
            writer.write_table(pa.Table.from_batches([_rows(lang, values)]), row_group_size=len(values))


def merge_partials(paths: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (lang, counts) added over the files of `write_partial`, a language at a time, in order.

    Memory holds the array of one language and one row group, however many languages and tasks there are.
    """
    groups: dict[str, list[tuple[str, int]]] = {}
    for path in paths:
        with open_table_file(path, ENTRY_COUNTS) as file:
            metadata = file.metadata
        for index in range(metadata.num_row_groups):
            lang = metadata.row_group(index).column(0).statistics.min
            groups.setdefault(lang, []).append((path, index))
    for lang in sorted(groups):
        total = NO_COUNTS
        for path, index in groups[lang]:
            with open_table_file(path, ENTRY_COUNTS) as file:
                rows = file.read_row_group(index, columns=["entry_id", "count"])
            ids, values = rows["entry_id"].to_numpy(), rows["count"].to_numpy()
            if ids[-1] >= len(total):
                total = np.concatenate([total, np.zeros(ids[-1] + 1 - len(total), np.int64)])
            total[ids] += values
        yield lang, total


def write_entry_counts(tasks: Iterable[BucketsTask], folder: str) -> Receipt:
    """Add the tasks' counts; write `entry_counts`, ordered by (lang, entry_id), and the flat files beside it.

    Removes the tasks' files. The receipt has no rows, the facts `entries` and `langs`, and the table's file.
    """
    receipt = Receipt("entry_counts")
    with ParquetSink(storage.join(folder, "entry_counts.parquet"), ENTRY_COUNTS) as sink:
        for lang, values in merge_partials([task.output for task in tasks]):
            sink.write(_rows(lang, values))
            save_array(storage.join(folder, ARRAYS, f"{lang}.npy"), values)
            receipt.facts["langs"] += 1
    storage.remove(storage.join(folder, PARTIALS))
    receipt.facts["entries"] = sink.rows
    receipt.outputs.append(sink.output())
    return receipt


def open_counts(path: str, matches: MatchesTables) -> CountFiles:
    """Return the counts of `entry_counts`; raises HeadtailError where they were not counted from these matches."""
    (part,) = Table(path, ENTRY_COUNTS).require("count_entries")
    salt = part.manifest["settings"].get(SALT, 0)  # in another order, other texts stay
    if sorted(entry["id"] for entry in part.inputs()) != matches.ids() or salt != matches.salt:
        raise HeadtailError(f"{path} was counted from other matches than given: run count_entries again")
    return CountFiles(storage.join(part.path, ARRAYS))


def _rows(lang: str, values: np.ndarray) -> pa.RecordBatch:
    ids = np.flatnonzero(values)
    langs = pc.fill_null(pa.nulls(len(ids), pa.string()), lang)
    columns = [langs, pa.array(ids.astype(np.int32)), pa.array(values[ids])]
    return pa.record_batch(columns, schema=ENTRY_COUNTS)


@numba.njit(cache=True, nogil=True)
def _met(counts: np.ndarray) -> int:
    """Return the length of `counts` without trailing zeros."""
    size = len(counts)
    while size and not counts[size - 1]:
        size -= 1
    return size


@numba.njit(cache=True, nogil=True)
def _count_from(start: int, ids: np.ndarray, counts: np.ndarray) -> int:
    """Count ids[start:] up to the first id beyond the end of `counts`; return its place, or len(ids)."""
    size = np.uint32(len(counts))
    for at in range(start, len(ids)):
        entry_id = np.uint32(ids[at])  # unsigned: ids are not negative
        if entry_id >= size:
            return at
        counts[entry_id] += 1
    return len(ids)


@numba.njit(cache=True, nogil=True)
def _count(rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
    for row in rows:
        for at in range(id_offsets[row], id_offsets[row + 1]):
            counts[ids[at]] += 1


@numba.njit(cache=True, nogil=True)
def _count_weighted(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, weights: np.ndarray, counts: np.ndarray
) -> None:
    for row in rows:
        for at in range(id_offsets[row], id_offsets[row + 1]):
            counts[ids[at]] += weights[row]
